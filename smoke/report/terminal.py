"""The report on the terminal: what ran as a table, one line for all that was skipped for one reason, the answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from smoke.parity.gates import IsGolden
from smoke.parity.verdicts import Verdict
from smoke.report import wording
from smoke.report.results import Report, Result, Section
from wheelhouse import console
from wheelhouse.console import Column, Loudness, OneLine, Table
from wheelhouse.paths import display

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

_COLUMNS = (
    Column(name="backend"),
    Column(name="variant"),
    Column(name="device", drop=1),
    Column(name="verdict"),
    Column(name="equal tokens", drop=4),
    Column(name="KL", right=True, drop=5),
    Column(name="quality", drop=3),
    Column(name="first token", right=True, drop=7),
    Column(name="tokens/s", right=True, drop=2),
    Column(name="memory", right=True, drop=6),
    Column(name="load", right=True, drop=8),
)
REMARKS = 4
"""How much is said here of what went well; the other forms have all of it."""
ANSWERS = 4
"""Different answers that are shown here."""
ANSWER = 300
"""Characters of an answer that are shown here; the other forms have all of it."""


def show(report: Report, folder: Path) -> None:
    """Print a report and where its page is, beside which its other forms lie; with --quiet, its outcome."""
    from smoke.report.writing import HTML

    quiet = console.loudness() is Loudness.QUIET
    for part in [outcome(report)] if quiet else render(report, everything=console.loudness() is Loudness.VERBOSE):
        console.result(part)
    console.say(f"report: {display(folder / HTML)}")


def render(report: Report, *, everything: bool = False) -> list[RenderableType]:
    """Return what to print, in order. What went well is summed up, unless `everything` is wanted."""
    from rich.text import Text

    ran = [result for result in report.results if result.verdict is not Verdict.SKIPPED]
    parts: list[RenderableType] = [_table(ran), Text()] if ran else []
    parts += _remarks(ran, everything=everything)
    skipped = [result for result in report.results if result.verdict is Verdict.SKIPPED]
    for alike in wording.alike(skipped, brief=not everything):
        parts.append(_said(f"{len(alike)} SKIPPED ({wording.names(alike)})", alike, brief=not everything))
    answers = wording.first_answers(report.results)
    if report.prompts and answers:  # none when only operators were run
        question = wording.printable(report.prompts[0])
        parts += [Text(), Text(f"Answers to “{question}”", style="bold"), *_answers(answers)]
    for section in report.sections:
        whole = everything or not section.usual
        parts += [Text(), section_table(section) if whole else Text(f"{section.title}: {section.usual}")]
    return [*parts, *_changes(report), Text(), *([_times(report)] if everything else []), outcome(report)]


def outcome(report: Report) -> Text:
    """Return the outcome in one sentence."""
    from rich.text import Text

    return Text(wording.headline(report), style="green" if report.passed else "bold red")


def _table(results: Iterable[Result]) -> Table:
    from rich.text import Text

    table = Table(columns=_COLUMNS)
    for result in results:
        speed = wording.performance(result)
        table.add(
            f"{result.machine} {result.backend}".lstrip(),
            result.variant,
            wording.printable(result.device),
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


def _remarks(ran: Sequence[Result], *, everything: bool) -> Iterator[RenderableType]:
    """Yield what is to be said of results: the whole of faults; of the others the beginning of a line."""
    from rich.text import Text

    groups = wording.alike(result for result in ran if result.reason)
    faults = [alike for alike in groups if everything or alike[0].is_fault]
    yield from (_said(wording.names(alike), alike) for alike in faults)
    others = [alike for alike in groups if alike not in faults and alike[0].gate != IsGolden().name]
    others.sort(key=lambda alike: alike[0].metrics.quality is not None)  # which has a column of its own
    yield from (OneLine(_said(wording.names(alike), alike)) for alike in others[:REMARKS])
    if others[REMARKS:]:
        yield Text(f"and {len(others) - REMARKS} more remarks, in the report, and with --verbose here", style="dim")


def _said(about: str, alike: Sequence[Result], *, brief: bool = False) -> Text:
    from rich.text import Text

    text = Text(f"{about}: ", style=wording.STYLES[alike[0].verdict])
    text.append(wording.printable(wording.said(alike, brief=brief), keep_lines=True), style="none")
    return text


def _answers(answers: Sequence[tuple[str, str]]) -> list[OneLine]:
    """Return a line for each different answer, with who gave it."""
    from rich.text import Text

    givers: dict[str, list[str]] = {}
    for name, answer in answers:
        givers.setdefault(answer, []).append(name)
    lines = []
    for answer, (first, *others) in givers.items():
        text = Text(f"  {first}{f' and {len(others)} more' if others else ''}: ", style="bold")
        shown = wording.printable(answer)
        text.append(shown if len(shown) <= ANSWER else shown[:ANSWER] + " …", style="none")
        lines.append(OneLine(text))
    if lines[ANSWERS:]:
        lines[ANSWERS:] = [OneLine(Text(f"  and {len(lines) - ANSWERS} more, in the report", style="dim"))]
    return lines


def _changes(report: Report) -> list[RenderableType]:
    """Return what changed since the baseline, the worse first."""
    from rich.text import Text

    if not report.baseline:
        return []
    since = f"Since {wording.printable(report.baseline)}"
    worse = sum(change.kind == "worse" for change in report.changes)
    lines: list[RenderableType] = [
        Text(),
        Text(
            f"{since}: {worse} worse" if worse else f"{since}: nothing got worse", style="bold red" if worse else "bold"
        ),
    ]
    for change in report.changes:
        line = Text(f"  {change.kind} ", style={"worse": "bold red", "better": "green"}.get(change.kind, "dim"))
        lines.append(line.append(wording.printable(f"{change.name}: {change.text}"), style="none"))
    return lines


def section_table(section: Section) -> Table:
    """Return a section as a table; where there is little room, its last columns give way first."""
    columns = [Column(name=name, wraps=True, drop=number) for number, name in enumerate(section.columns)]
    table = Table(columns=columns, title=section.title, note=section.note)
    for row in section.rows:
        table.add(*(wording.printable("" if cell is None else str(cell)) for cell in row))
    return table


def _times(report: Report) -> Text:
    from rich.text import Text

    parts = [timing for timing in report.timings if not timing.beside]
    workers = sum(t.seconds for t in parts if t.part.startswith("worker "))
    rest = [f"{t.part} {t.seconds:.1f} s" for t in parts if not t.part.startswith("worker ")]
    named = sum(t.seconds for t in parts)
    other = [f"other {max(report.seconds - named, 0):.1f} s"]
    ran = {timing.part for timing in parts}
    own = [result for result in report.results if f"worker {result.backend} {result.variant}" in ran]
    busy = sum(result.performance.worker_cpu_s or 0 for result in own)
    first = [f"workers {workers:.1f} s ({busy:.1f} s of processor time)"] if own else []
    return Text(f"Time: {', '.join(first + rest + other)}", style="dim")
