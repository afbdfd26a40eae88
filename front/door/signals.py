"""Whoever ends us with a signal gets the same words and the same order as with Ctrl-C, from the first moment on.

Imports next to nothing, so that it can be asked before anything else is imported.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

SAID = "interrupted: what was finished is kept, the next run goes on from there"
_ENDING = [signal.SIGTERM] if sys.platform == "win32" else [signal.SIGTERM, signal.SIGHUP]


class EndedError(BaseException):
    """A signal said that the program is to end. Only the door catches it: in a chat Ctrl-C means something else."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


def while_importing() -> None:
    """Until `heed`, end at once and in words: nothing has been started yet."""
    for number in (signal.SIGINT, *_ENDING):
        if signal.getsignal(number) not in {signal.SIG_IGN, None}:
            signal.signal(number, _leave)


def heed(*, ours: bool = True) -> None:
    """From now on Ctrl-C is Python's, and the other signals raise EndedError; without `ours` all is as Python has it.

    What was ignored (nohup) stays so.
    """
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in _ENDING:
        if signal.getsignal(number) not in {signal.SIG_IGN, None}:
            signal.signal(number, _raise if ours else signal.SIG_DFL)


def _leave(number: int, _frame: FrameType | None) -> None:
    os.write(2, f"{SAID}\n".encode())
    os._exit(128 + number)


def _raise(number: int, _frame: FrameType | None) -> None:
    raise EndedError(number)
