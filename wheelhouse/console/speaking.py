"""Lines and results: everything goes to standard error except `result`, so that `--json` and tables can be piped.

A terminal gets lines of its own width; a file or a pipe gets whole lines without padding. NO_COLOR is heeded.
"""

from __future__ import annotations

import sys
from enum import IntEnum
from functools import cache
from typing import TYPE_CHECKING

from wheelhouse.console.plain import plain, plain_json
from wheelhouse.console.prose import fitted

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

PIPED = 10_000
"""Columns where nobody's terminal ends: nothing is wrapped and nothing dropped."""


class Loudness(IntEnum):
    """How much is said: verdicts, warnings and errors only; steps; every command and all that steps say."""

    QUIET = 0
    NORMAL = 1
    VERBOSE = 2


_chosen = Loudness.NORMAL
_warnings = 0


def set_loudness(wanted: Loudness) -> None:
    """Say so much from now on."""
    global _chosen  # noqa: PLW0603 - what the command line asked for holds for the process
    _chosen = wanted


def loudness() -> Loudness:
    """Return how much is to be said."""
    return _chosen


@cache
def stderr() -> Console:
    """Return the rich console for progress and messages."""
    from wheelhouse.console.safe import SafeConsole

    console = SafeConsole(stderr=True, highlight=False)
    console.soft_wrap = not console.is_terminal
    return console


@cache
def stdout() -> Console:
    """Return the rich console for results."""
    from wheelhouse.console.safe import SafeConsole

    console = SafeConsole(highlight=False)
    return console if console.is_terminal else SafeConsole(highlight=False, width=PIPED)


def say(text: str, *, style: str | None = None) -> None:
    """Print a line about what is happening, which --quiet leaves out; `text` is literal, not markup."""
    if _chosen > Loudness.QUIET:
        _print(text, style)


def warn(text: str) -> None:
    """Print one line that a person should not miss."""
    global _warnings  # noqa: PLW0603 - of the process
    _warnings += 1
    _print(f"warning: {text}", "yellow")


def warnings_said() -> int:
    """Return how often this process has warned."""
    return _warnings


def command(text: str) -> None:
    """Print a command as it would be typed: with --verbose only, as its log has it anyway."""
    if _chosen is Loudness.VERBOSE:
        stderr().print(f"+ {text}", style="dim", markup=False, soft_wrap=True)  # to be copied


def result(renderable: RenderableType) -> None:
    """Print what the command was asked for, to standard output."""
    console = stdout()
    if console.is_terminal:
        console.print(renderable, markup=False)
        return
    with console.capture() as captured:
        console.print(renderable, markup=False, soft_wrap=isinstance(renderable, str))
    console.file.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def show(text: str, *, end: str = "\n") -> None:
    """Print a text that a command was asked for, to standard output, as it is."""
    print(plain(text), end=end, flush=True)


def show_prose(text: str) -> None:
    """Print sentences that a command was asked for, to standard output; a terminal gets them between words broken."""
    show(fitted(plain(text), sys.stdout))


def show_json(text: str) -> None:
    """Print a JSON document that a command was asked for, to standard output."""
    print(plain_json(text), flush=True)


def show_error(text: str) -> None:
    """Print what ended the program, to standard error."""
    print(fitted(plain(text), sys.stderr), file=sys.stderr, flush=True)


def as_json(found: object) -> str:
    """Return structures as JSON, one value a line."""
    import msgspec

    return msgspec.json.format(msgspec.json.encode(found)).decode()


def _print(text: str, style: str | None) -> None:
    stderr().print(text, style=style, markup=False)
