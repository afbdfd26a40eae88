"""The report in four forms: a table on the terminal, report.json, JUnit XML for CI systems, and one HTML page."""

from __future__ import annotations

from pathlib import Path

import msgspec

from smoke.report.results import Report
from wheelhouse.errors import ResourceError
from wheelhouse.files import write_atomic

JSON = "report.json"
JUNIT = "junit.xml"
HTML = "report.html"


def write(report: Report, folder: Path) -> None:
    """Write all files of a report into `folder`. Raise ResourceError when they cannot be written."""
    from smoke.report import html, junit

    files = {
        JSON: msgspec.json.format(msgspec.json.encode(report)) + b"\n",
        JUNIT: junit.render(report),
        HTML: html.render(report),
    }
    try:
        for name, content in files.items():
            write_atomic(folder / name, content)
    except OSError as error:
        raise ResourceError(
            f"The report cannot be written to {folder}: {error.strerror}.",
            remedy="Free some space, or name another folder with --report DIR.",
        ) from error
