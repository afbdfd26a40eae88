"""How runs went over time: the reports in a folder, oldest first, one page with their lines and what changed."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

from smoke.comparing import baseline
from smoke.parity.verdicts import Verdict
from smoke.report import html, wording
from smoke.report.page import charts, pictures, sentences
from smoke.report.page.chart_data import Chart, Series
from smoke.report.results import Change, Report, Result
from wheelhouse.errors import InputError
from wheelhouse.files import by_name

REMEDY = "It takes a folder with the folders that `invoke smoke --report FOLDER` made, for instance one for each night."


def load(folder: Path) -> tuple[list[Report], list[Path]]:
    """Return the reports below a folder, oldest first, and the files that cannot be read. Raise InputError."""
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder.", remedy=REMEDY)
    reports, unreadable = [], []
    for file in sorted(folder.rglob("report.json"), key=by_name):
        try:
            reports.append(baseline.read(file))
        except InputError:
            unreadable.append(file)
    reports = sorted((report for report in reports if report.results), key=lambda report: report.created)
    if not reports:
        raise InputError(f"There is no report.json of a run in {folder}.", remedy=REMEDY)
    return reports, unreadable


def by_subject(reports: Sequence[Report]) -> dict[str, list[Report]]:
    """Return the reports by what can be laid on one line: the model, its questions and the machine."""
    found: dict[str, list[Report]] = {}
    for report in reports:
        asked = f"{len(report.prompts)} prompts of up to {report.max_new_tokens} tokens"
        key = f"{report.model.name}, {asked}, on {report.host.cpu} ({report.host.cores} cores)"
        found.setdefault(key, []).append(report)
    return found


def lines(reports: Sequence[Report]) -> list[Chart]:
    """Return the charts of one subject's reports: speed, latency, drift and memory over the runs."""
    names = list(dict.fromkeys(r.name for report in reports for r in report.results if r.text))
    styles = {name: number for number, name in enumerate(names)}
    stamps = tuple(report.created[5:16].replace("T", " ") for report in reports)
    found = [
        _line(reports, styles, stamps, "Tokens per second", "tokens per second", _rate),
        _line(reports, styles, stamps, "Time to the first token", "seconds", _first),
        _line(reports, styles, stamps, "Drift", "KL, nats", _kl, log=True),
        _line(reports, styles, stamps, "Memory", "GB", _memory),
    ]
    return [chart for chart in found if chart.series]


def _rate(result: Result) -> float | None:
    return None if result.measured else result.performance.tokens_per_s


def _first(result: Result) -> float | None:
    return None if result.measured else result.performance.first_token_s


def _kl(result: Result) -> float | None:
    return result.metrics.logits.kl or None if result.metrics.logits else None


def _memory(result: Result) -> float | None:
    taken = result.performance.peak_memory_bytes
    return None if not taken or result.measured else taken / 1e9


def _line(
    reports: Sequence[Report],
    styles: dict[str, int],
    stamps: tuple[str, ...],
    title: str,
    axis: str,
    value: Callable[[Result], float | None],
    *,
    log: bool = False,
) -> Chart:
    series, rows = [], []
    for name, style in styles.items():
        found = [next((value(r) for r in report.results if r.name == name), None) for report in reports]
        known = [each for each in found if each is not None]
        if not known:
            continue
        x = tuple(float(number) for number in range(len(found)))
        series.append(Series(label=charts.short(name), style=style, x=x, y=tuple(found)))
        rows.append((name, *(wording.number(each, 3) for each in (known[-1], statistics.median(known), *_ends(known)))))
    return Chart(
        title=title, note=f"Each run's median, {len(reports)} runs.", kind="lines", series=tuple(series), axis=axis,
        other="run", log=log, columns=stamps, head=("backend", "last", "median", "least", "largest"), rows=tuple(rows),
    )  # fmt: skip


def _ends(values: Sequence[float]) -> tuple[float, float]:
    return min(values), max(values)


def steps(reports: Sequence[Report]) -> list[tuple[Report, tuple[Change, ...]]]:
    """Return each report, the newest first, with what changed since the one before."""
    pairs = zip([None, *reports[:-1]], reports, strict=True)
    found = [(report, () if before is None else baseline.changes(report, before)) for before, report in pairs]
    return found[::-1]


def page(reports: Sequence[Report], unreadable: Sequence[Path]) -> bytes:
    """Return the page about all reports."""
    subjects = [(name, pictures.draw(lines(each)), steps(each)) for name, each in by_subject(reports).items()]
    content = {"subjects": subjects, "reports": reports, "unreadable": unreadable, "s": sentences, "outcome": outcome}
    return html.page("history.html.j2", content)


def outcome(report: Report) -> str:
    """Return a run's outcome in a few words."""
    judged = [r for r in report.results if r.verdict is not Verdict.SKIPPED and not sentences.is_base(r)]
    wrong = [r.name for r in judged if r.is_fault]
    return f"{', '.join(wrong)} of {len(judged)} went wrong" if wrong else f"{len(judged)} of {len(judged)} right"
