"""The report on the terminal: the table, what is to be said about its rows, the answers, and where the time went."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smoke.report import wording
from smoke.report.results import Report, Result, Section

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

_COLUMNS = (
    ("backend", "left"),
    ("variant", "left"),
    ("device", "left"),
    ("verdict", "left"),
    ("equal tokens", "left"),
    ("KL", "right"),
    ("quality", "left"),
    ("first token", "right"),
    ("tokens/s", "right"),
    ("memory", "right"),
    ("load", "right"),
)
ANSWER = 300
"""Characters of an answer that are shown here; the other forms have all of it."""


def render(report: Report) -> list[RenderableType]:
    """Return what to print, in order."""
    from rich.text import Text

    parts: list[RenderableType] = [_table(report), Text()] if report.results else []
    parts += [_remark(result) for result in report.results if result.reason]
    if report.prompts:  # none when only operators were run
        question = wording.printable(report.prompts[0])
        parts += [Text(), Text(f"Answers to “{question}”", style="bold")]
        parts += [_answer(name, answer) for name, answer in wording.first_answers(report.results)]
    for section in report.sections:
        parts += [Text(), _section(section)]
    style = "green" if report.passed else "bold red"
    return [*parts, Text(), _times(report), Text(wording.headline(report), style=style)]


def _table(report: Report) -> RenderableType:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, justify in _COLUMNS:
        table.add_column(name, justify="right" if justify == "right" else "left", overflow="fold")
    for result in report.results:
        speed = result.performance
        table.add_row(
            f"{result.machine} {result.backend}".lstrip(),
            result.variant,
            Text(wording.printable(result.device)),
            Text(wording.verdict(result.verdict), style=wording.STYLES[result.verdict]),
            wording.prefix(result),
            wording.divergence(result),
            wording.quality(result),
            wording.seconds(speed.first_token_s),
            wording.number(speed.tokens_per_s, 3),
            wording.memory(speed.peak_memory_bytes),
            wording.seconds(speed.load_s),
        )
    return table


def _remark(result: Result) -> Text:
    from rich.text import Text

    text = Text(f"{result.name}: ", style=wording.STYLES[result.verdict])
    said = " ".join(part for part in (result.reason, result.remedy) if part)
    text.append(wording.printable(said, keep_lines=True), style="none")
    return text


def _answer(name: str, answer: str) -> Text:
    from rich.text import Text

    shown = wording.printable(answer)
    text = Text(f"  {name}: ", style="bold")
    text.append(shown if len(shown) <= ANSWER else shown[:ANSWER] + " …", style="none")
    return text


def _section(section: Section) -> RenderableType:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    title = Text(section.title)
    table = Table(title=title, title_justify="left", caption=section.note or None, box=box.SIMPLE_HEAD, pad_edge=False)
    for column in section.columns:
        table.add_column(Text(column))
    for row in section.rows:
        table.add_row(*(Text(wording.printable("" if cell is None else str(cell))) for cell in row))
    return table


def _times(report: Report) -> Text:
    from rich.text import Text

    parts = [timing for timing in report.timings if not timing.beside]
    workers = sum(t.seconds for t in parts if t.part.startswith("worker "))
    rest = [f"{t.part} {t.seconds:.1f} s" for t in parts if not t.part.startswith("worker ")]
    named = sum(t.seconds for t in parts)
    other = [f"other {max(report.seconds - named, 0):.1f} s"]
    busy = sum(result.performance.worker_cpu_s or 0 for result in report.results if not result.measured)
    return Text(
        f"Time: workers {workers:.1f} s ({busy:.1f} s of processor time), {', '.join(rest + other)}", style="dim"
    )
