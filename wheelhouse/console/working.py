"""Steps while they run: on a terminal one live line each, elsewhere a line when one begins and one when it ends.

A phase holds steps and leaves one line for all of them; what went wrong in it always stays to be read.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from wheelhouse.console import speaking
from wheelhouse.console.speaking import Loudness, say, stderr

if TYPE_CHECKING:
    from rich.progress import Progress


_COUNTS = re.compile(r"^\[?(\d+)/(\d+)(?:\]|\s)|\b(\d+) of (\d+) bytes$")


class Task:
    """A long piece of work on the display: `update` replaces its note, `progress` moves its bar."""

    def __init__(self, title: str, display: Progress | None, *, inner: bool, total: float | None = None) -> None:
        self.title = title
        self.started = time.monotonic()
        self._display = display
        self.failure = ""
        self._id = display.add_task(title, total=total, note="", inner=inner, unit="") if display else None

    @property
    def seconds(self) -> float:
        """Seconds since the task began."""
        return time.monotonic() - self.started

    def update(self, note: str) -> None:
        """Show `note` (the last line of a log, say) beside the title, on a live display only."""
        if self._display is not None and self._id is not None:
            self._display.update(self._id, note=note.strip())

    def follow(self, line: str) -> None:
        """Show a line of a log; one that counts ("[12/203] …", "a.bin: 5 of 9 bytes") moves the bar."""
        self.update(line)
        if found := _COUNTS.search(line):
            done, total = next((a, b) for a, b in (found.group(1, 2), found.group(3, 4)) if a)
            self.progress(int(done), int(total), unit="bytes" if found[3] else "")

    def progress(self, done: float, total: float | None, *, unit: str = "") -> None:
        """Move the bar: `done` of `total` (or of an unknown number); in "bytes", or counted in `unit`."""
        if self._display is not None and self._id is not None:
            self._display.update(self._id, completed=done, total=total, unit=unit)

    def advance(self) -> None:
        """Note that one more of what was counted is done."""
        if self._display is not None and self._id is not None:
            self._display.advance(self._id)

    def fail(self, how: str) -> None:
        """Note that it went wrong, in a word, although nothing was raised."""
        self.failure = how

    def gone(self) -> None:
        """Take it off the display."""
        if self._display is not None and self._id is not None:
            self._display.remove_task(self._id)


class _State:
    """What is going on in the process, in all its threads: they share one display."""

    def __init__(self) -> None:
        self.guard = threading.Lock()
        self.open = 0
        self.phase: Task | None = None


_state = _State()


@cache
def _live() -> Progress:
    from wheelhouse.console.live import display

    return display(stderr())


def _display() -> Progress | None:
    console = stderr()
    shown = console.is_terminal and not console.is_dumb_terminal and speaking.loudness() > Loudness.QUIET
    return _live() if shown else None


@contextmanager
def phase(title: str, total: int | None = None) -> Iterator[Task]:
    """Show a part of a run, of which `total` pieces may be counted; the steps in it leave no lines on a terminal."""
    with task(title, total=total) as current:
        outer, _state.phase = _state.phase, current
        try:
            yield current
        finally:
            _state.phase = outer


@contextmanager
def task(title: str, *, total: int | None = None) -> Iterator[Task]:
    """Show a long piece of work while it runs and one line with its duration when it ends.

    Tasks may nest and may run in several threads; they share one live display.
    """
    display, inner = _display(), _state.phase is not None
    with _state.guard:
        if display and _state.open == 0:
            display.start()
        _state.open += 1
        group = _state.open == 1 and "GITHUB_ACTIONS" in os.environ
    if display is None:
        say(f"::group::{title}" if group else f"… {title}")
    current = Task(title, display, inner=inner, total=total)
    well = False
    try:
        yield current
        well = not current.failure
    finally:
        current.gone()
        with _state.guard:
            _state.open -= 1
            if display and _state.open == 0:
                display.stop()
        if group:
            say("::endgroup::")
        if not (folded() and well and inner):
            how = f"  {current.failure}" if current.failure else ""
            say(f"{'✓' if well else '✗'} {title}  {took(current.seconds)}{how}", style="green" if well else "red")


def folded() -> bool:
    """Return whether what goes well in a phase leaves no line: on a terminal, unless it is to be verbose."""
    return _state.phase is not None and _display() is not None and speaking.loudness() < Loudness.VERBOSE


def remark(text: str) -> None:
    """Say why a step runs or not, unless it is one of a phase, which leaves one line on a terminal for all of them."""
    if not folded():
        say(text, style="dim")


def took(seconds: float) -> str:
    """Return a duration as people read it."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"
