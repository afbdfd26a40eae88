"""The report as one HTML page that needs nothing else: no script, no font, no image from anywhere."""

from __future__ import annotations

from pathlib import Path

from smoke.report import wording
from smoke.report.results import Report

TEMPLATE = Path(__file__).with_name("page.html.j2")


def render(report: Report) -> bytes:
    """Return the page, UTF-8."""
    import jinja2

    environment = jinja2.Environment(
        autoescape=True, finalize=_shown, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    longest = max((timing.seconds for timing in report.timings), default=0.0) or 1.0
    page = template.render(
        report=report,
        w=wording,
        bars=[(t.part, t.seconds, 100 * t.seconds / longest) for t in report.timings if t.seconds >= 0.05],
    )
    return page.encode()


def _shown(value: object) -> object:
    """Return what the page shows of a value: text from models and logs without control characters."""
    return wording.printable(value, keep_lines=True) if isinstance(value, str) else value
