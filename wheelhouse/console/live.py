"""The live display of a terminal: a spinner and one line for each step, cut off where the terminal ends."""

from __future__ import annotations

from rich.console import Console
from rich.filesize import decimal
from rich.progress import Progress, ProgressColumn, SpinnerColumn
from rich.progress import Task as Shown
from rich.table import Column
from rich.text import Text

BAR = 20
"""Cells of a bar."""
MARGIN = 6
"""Columns that are kept free: for the spinner, and for the "^C" of a terminal, which would begin a line of its own."""
ROOM_FOR_BAR = 60
"""Columns from which on there is room for bars."""


def display(console: Console) -> Progress:
    """Return a display, not started yet, whose tasks have the fields `note`, `inner` and `unit`."""
    spinner = "dots" if console.encoding.startswith("utf") else "line"
    return Progress(SpinnerColumn(spinner), _Line(console), console=console, transient=True)


class _Line(ProgressColumn):
    """Title, bar, how much of how much, the time so far, and the note in what is left of the line."""

    def __init__(self, console: Console) -> None:
        super().__init__(table_column=Column(no_wrap=True))
        self._console = console

    def render(self, task: Shown) -> Text:
        """Return a task's line."""
        text = Text(("  " if task.fields["inner"] else "") + task.description, no_wrap=True)
        if task.total:
            if self._console.width >= ROOM_FOR_BAR:
                full = round(min(task.completed / task.total, 1) * BAR)
                text.append("  " + "━" * full, style="green")
                text.append("─" * (BAR - full), style="dim")
            text.append(f"  {amount(task.completed, task.total, task.fields['unit'])}")
        elif task.completed:
            text.append(f"  {amount(task.completed, None, task.fields['unit'])}")
        minutes, seconds = divmod(int(task.elapsed or 0), 60)
        text.append(f"  {minutes}:{seconds:02}", style="yellow")
        if task.fields["note"]:
            text.append("  " + task.fields["note"].replace("\t", " "), style="dim")
        text.truncate(max(self._console.width - MARGIN, 1), overflow="ellipsis")
        return text


def amount(done: float, total: float | None, unit: str) -> str:
    """Return how much is done, and of how much."""
    if unit == "bytes":
        return " of ".join(decimal(int(size)) for size in (done, total) if size is not None)
    return "/".join(f"{number:.0f}" for number in (done, total) if number is not None) + (f" {unit}" if unit else "")
