"""The report in its forms beside the terminal's: report.json, JUnit XML and Markdown for CI systems, one HTML page."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import msgspec

from smoke.parity.verdicts import Verdict
from smoke.report.results import Report
from wheelhouse.errors import InputError, ParityError, ResourceError, UnsupportedError
from wheelhouse.files import write_atomic
from wheelhouse.paths import cache_dir

JSON = "report.json"
JUNIT = "junit.xml"
HTML = "report.html"
MARKDOWN = "report.md"


def write(report: Report, folder: Path) -> None:
    """Write all files of a report into `folder`. Raise ResourceError when they cannot be written."""
    from smoke.report import html, junit, markdown

    files = {
        JSON: msgspec.json.format(msgspec.json.encode(report)) + b"\n",
        JUNIT: junit.render(report),
        HTML: html.render(report),
        MARKDOWN: markdown.render(report),
    }
    try:
        for name, content in files.items():
            write_atomic(folder / name, content)
    except OSError as error:
        raise ResourceError(
            f"The report cannot be written to {folder}: {error.strerror}.",
            remedy="Free some space, or name another folder with --report DIR.",
        ) from error


def report_folder(given: str, kind: str = "reports") -> Path:
    """Return the folder for a report: the one `given`, or a new one in the cache. Makes nothing."""
    stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%d-%H%M%S")
    return Path(given).expanduser().resolve() if given else cache_dir(kind, stamp)


def make_folder(folder: Path, *, what: str = "report") -> None:
    """Make the folder for a report, or for what else an option names. Raise InputError when it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if folder.is_relative_to(cache_dir()):
            raise  # the cache is at fault, as it will be for everything else
        raise InputError(
            f"The {what} folder {folder} cannot be made: {error.strerror}.", remedy=f"Name another with --{what} DIR."
        ) from error


def require_success(report: Report, *, strict: bool) -> None:
    """Raise ParityError naming every result that is a fault, or with `strict` that is not a PASS."""
    wrong = [r for r in report.results if r.is_fault or (strict and r.verdict is not Verdict.PASS)]
    if wrong:
        listed = ", ".join(f"{r.name} {r.verdict.value}" for r in wrong)
        raise ParityError(f"Not every backend agrees: {listed}.", remedy="The remarks above and the logs say why.")


def require_named(report: Report, names: Sequence[str]) -> None:
    """Raise UnsupportedError for the first of the backends (NAME or NAME:VARIANT) of which nothing could be run.

    Nobody asks for one by name to hear that nothing went wrong. What only computes elsewhere, as its name announces, is
    not the backend itself.
    """
    for name in names:
        backend, _, variant = name.partition(":")
        own = [r for r in report.results if r.backend == backend and variant in {"", r.variant}]
        counted = [r for r in own if variant or not r.announced]
        if counted and all(r.verdict is Verdict.SKIPPED for r in counted):
            raise UnsupportedError(
                f"{name} was asked for and could not be run: {counted[0].reason}", remedy=counted[0].remedy
            )
