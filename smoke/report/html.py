"""The report as one HTML page that needs nothing else: no font, no image, no script from anywhere."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from smoke.report import wording
from smoke.report.page import bug_report, charts, pictures, sentences, side_by_side
from smoke.report.results import Report

FOLDER = Path(__file__).with_name("page")
_COMMAND = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")


def render(report: Report) -> bytes:
    """Return the page, UTF-8."""
    ran = [result for result in report.results if result.verdict.value != "SKIPPED"]
    return page(
        "report.html.j2",
        {
            "report": report,
            "ran": ran,
            "charts": pictures.draw(charts.of(report)),
            "s": sentences,
            "bug_report": bug_report.text(report),
            "side_by_side": side_by_side,
        },
    )


def page(template: str, content: Mapping[str, object]) -> bytes:
    """Return a page of this folder's templates, UTF-8. Its policy forbids it to load anything, or to run other code."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        finalize=_shown,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["coded"] = _coded
    script = (FOLDER / "page.js").read_text(encoding="utf-8").strip()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    style = (FOLDER / "page.css").read_text(encoding="utf-8").strip()
    text = environment.get_template(template).render(
        content, w=wording, script=_as_it_is(script), style=_as_it_is(style), digest=digest, svg=_as_it_is
    )
    return text.encode()


def _as_it_is(text: str) -> object:
    """Mark text of our own (style, script, pictures) as what the page takes as it is."""
    import markupsafe

    return markupsafe.Markup(text)  # noqa: S704 - ours: files of this folder, and what drawing.py made


def _coded(text: str) -> object:
    """Return a sentence of ours with what stands `between backticks`, a command, as code."""
    import markupsafe

    plain, *others = _COMMAND.split(wording.printable(text, keep_lines=True))
    found = markupsafe.escape(plain)
    for command, after in zip(others[::2], others[1::2], strict=True):
        found += markupsafe.Markup("<code>{}</code>{}").format(command, after)
    return found


def _shown(value: object) -> object:
    """Return what the page shows of a value: text from models and logs without control characters."""
    import markupsafe

    if isinstance(value, str) and not isinstance(value, markupsafe.Markup):
        return wording.printable(value, keep_lines=True)
    return value
