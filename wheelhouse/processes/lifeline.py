"""On Linux, what `process.run` starts dies with the thread that waits for it, also when that is killed outright.

Otherwise a killed run's compiler or pip would go on, and write into the folder that the next run has just cleared.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

_PR_SET_PDEATHSIG = 1


@cache
def _prctl() -> Any | None:
    import ctypes

    try:
        return ctypes.CDLL(None).prctl if sys.platform == "linux" else None
    except (OSError, AttributeError):
        return None


def die_with_parent() -> Callable[[], None] | None:
    """Return what a new process has to call between fork and exec; None where the kernel has no such thing."""
    prctl, parent = _prctl(), os.getpid()
    if prctl is None:
        return None

    def call() -> None:  # after fork, with other threads' locks in unknown states: system calls, nothing else
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the call
            os._exit(1)

    return call
