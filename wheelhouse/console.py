"""What the program says: tasks with their time, plain lines, tables; a live display on a terminal, lines elsewhere.

Everything goes to standard error except `result`, so that `--json` and tables can be piped.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.console import RenderableType
    from rich.progress import Progress


@cache
def stderr() -> RichConsole:
    """Return the rich console for progress and messages."""
    from rich.console import Console

    return Console(stderr=True, soft_wrap=True, highlight=False)


@cache
def stdout() -> RichConsole:
    """Return the rich console for results."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else 160)


def say(text: str, *, style: str | None = None) -> None:
    """Print one line about what is happening; `text` is literal, not markup."""
    stderr().print(text, style=style, markup=False)


def warn(text: str) -> None:
    """Print one line that a person should not miss."""
    say(f"warning: {text}", style="yellow")


def result(renderable: RenderableType) -> None:
    """Print what the command was asked for, to standard output."""
    stdout().print(renderable)


class Task:
    """A long piece of work on the display: `update` replaces its note, `progress` moves its bar."""

    def __init__(self, title: str, progress: Progress | None = None) -> None:
        self.title = title
        self.started = time.monotonic()
        self._progress = progress
        self._id = progress.add_task(title, total=None, note="") if progress else None

    @property
    def seconds(self) -> float:
        """Seconds since the task began."""
        return time.monotonic() - self.started

    def update(self, note: str) -> None:
        """Show `note` (the last line of a log, say) beside the title, on a live display only."""
        if self._progress is not None and self._id is not None:
            self._progress.update(self._id, note=note.strip()[:90])

    def progress(self, done: float, total: float | None) -> None:
        """Move the bar: `done` of `total` units, or of an unknown number."""
        if self._progress is not None and self._id is not None:
            self._progress.update(self._id, completed=done, total=total)


@cache
def _live() -> Progress:
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),  # "[/x]" in a log line is no markup
        BarColumn(bar_width=20),
        TimeElapsedColumn(),
    )
    return Progress(
        *columns, TextColumn("{task.fields[note]}", style="dim", markup=False), console=stderr(), transient=True
    )


_open_tasks = 0
_counting = threading.Lock()


@contextmanager
def task(title: str) -> Iterator[Task]:
    """Show a long piece of work while it runs and one line with its duration when it ends.

    Tasks may nest and may run in several threads; they share one live display.
    """
    global _open_tasks  # noqa: PLW0603 - the display belongs to the process, and stops with its last task
    progress = _live() if stderr().is_terminal else None
    with _counting:
        if progress and _open_tasks == 0:
            progress.start()
        _open_tasks += 1
    group = _open_tasks == 1 and "GITHUB_ACTIONS" in os.environ
    if progress is None:
        say(f"::group::{title}" if group else f"… {title}")
    current = Task(title, progress)
    mark, style = "✗", "red"
    try:
        yield current
        mark, style = "✓", "green"
    finally:
        if progress is not None and current._id is not None:  # noqa: SLF001 - same module
            progress.remove_task(current._id)  # noqa: SLF001
        with _counting:
            _open_tasks -= 1
            if progress and _open_tasks == 0:
                progress.stop()
        if group:
            say("::endgroup::")
        say(f"{mark} {title}  {current.seconds:.1f} s", style=style)
