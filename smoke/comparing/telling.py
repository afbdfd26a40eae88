"""What `invoke compare` does: judges the dumps, prints the table, writes the report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from smoke.comparing import history
from smoke.comparing.compare import compare
from smoke.report import terminal, writing
from wheelhouse import console
from wheelhouse.files import write_atomic
from wheelhouse.paths import display


def tell(dumps: Sequence[str], *, report: str, strict: bool) -> None:
    """Judge dumps that are files, of one machine or several.

    Raise UsageError and InputError for what cannot be compared, ParityError when one of them is a fault.
    """
    found = compare([Path(path).expanduser() for path in dumps])
    folder = writing.report_folder(report, "comparisons")
    writing.make_folder(folder)
    writing.write(found, folder)
    terminal.show(found, folder)
    writing.require_success(found, strict=strict)


def tell_history(folder: str, *, out: str) -> None:
    """Print the runs whose reports lie below a folder, and what got worse from one to the next; write the page.

    Raise InputError when there is none.
    """
    base = Path(folder).expanduser()
    reports, unreadable = history.load(base)
    for name, each in history.by_subject(reports).items():
        console.result(f"{name}:")
        for report, changes in reversed(history.steps(each)):
            worse = [f"{change.name}: {change.text}" for change in changes if change.kind == "worse"]
            console.result(
                f"  {report.created[:16]}  {history.outcome(report)}" + "".join(f"\n    worse: {w}" for w in worse)
            )
    for file in unreadable:
        console.say(f"not read: {display(file)}", style="yellow")
    target = Path(out).expanduser() if out else base / "history.html"
    write_atomic(target, history.page(reports, unreadable))
    console.say(f"page: {display(target)}")
