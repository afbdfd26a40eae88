"""What `invoke compare` does: judges the dumps, prints the table, writes the report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from smoke.comparing.compare import compare
from smoke.report import terminal, writing


def tell(dumps: Sequence[str], *, report: str, strict: bool) -> None:
    """Judge dumps that are files, of one machine or several.

    Raise UsageError and InputError for what cannot be compared, ParityError when one of them is a fault.
    """
    found = compare([Path(path).expanduser() for path in dumps])
    folder = writing.report_folder(report, "comparisons")
    writing.make_folder(folder)
    writing.write(found, folder)
    terminal.show(found, folder, also=f"{writing.JSON}, {writing.JUNIT}")
    writing.require_success(found, strict=strict)
