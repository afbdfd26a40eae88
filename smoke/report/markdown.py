"""The report as Markdown, for the summary of a CI run: what the page says at its top, and the table."""

from __future__ import annotations

from smoke.report import wording
from smoke.report.page import sentences
from smoke.report.results import Report, Result

_HEAD = ("backend", "verdict", "device", "equal tokens", "KL", "first token", "tokens/s", "memory")
_SPECIAL = str.maketrans({character: f"\\{character}" for character in "\\`*_[]<>|~#"})


def render(report: Report) -> bytes:
    """Return the document, UTF-8."""
    ran = [result for result in report.results if result.text or result.is_fault]
    lines = [f"### {_plain(sentences.title(report))}", ""]
    lines += [line for sentence in sentences.summary(report) for line in (_plain(sentence), "")]
    if report.choice:
        lines += [f"**{_plain(report.choice)}**", ""]
    if ran:
        lines += [_row(_HEAD), _row(["---"] * 4 + ["---:"] * 4), *(_row(_cells(result)) for result in ran), ""]
    lines += _changes(report)
    for result in report.faults():
        lines += [f"- **{_plain(result.name)}**: {_plain(result.reason)} {_plain(result.remedy)}".rstrip()]
    for section in report.sections:
        lines += ["", f"#### {_plain(section.title)}", "", _row([_plain(column) for column in section.columns])]
        lines += [_row(["---"] * len(section.columns))]
        lines += [_row([_plain("" if cell is None else str(cell)) for cell in row]) for row in section.rows]
        lines += ["", _plain(section.note)] if section.note else []
    return ("\n".join(lines).rstrip() + "\n").encode()


def _changes(report: Report) -> list[str]:
    if not report.baseline:
        return []
    found = [f"- {change.kind}: **{_plain(change.name)}** {_plain(change.text)}" for change in report.changes]
    return [f"#### Since {_plain(report.baseline)}", "", *(found or ["Nothing changed."]), ""]


def _cells(result: Result) -> list[str]:
    speed = wording.performance(result)
    return [
        _plain(result.name),
        wording.verdict(result.verdict),
        _plain(result.device),
        sentences.equal(result),
        wording.divergence(result),
        wording.seconds(speed.first_token_s),
        wording.number(speed.tokens_per_s, 3),
        wording.memory(speed.peak_memory_bytes),
    ]


def _row(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def _plain(text: str) -> str:
    """Return text on one line that Markdown takes for nothing else."""
    return wording.printable(text.replace("\n", " ")).translate(_SPECIAL)
