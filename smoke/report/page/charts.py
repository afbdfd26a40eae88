"""Which charts a report is shown by, as data. A chart that would have nothing to say is left out."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Sequence

from smoke.parity import speeds
from smoke.parity.verdicts import Verdict
from smoke.report import wording
from smoke.report.page import sentences
from smoke.report.page.chart_data import Chart, Series
from smoke.report.results import Report, Result

LONGEST = 20
"""Characters of a label that fit beside a phone's chart."""
FAR = 40.0
"""From this many times between the least and the largest value on, a linear scale hides the small ones."""


def of(report: Report) -> list[Chart]:
    """Return the charts of a report, in the order in which they are shown."""
    ran = [result for result in report.results if result.verdict is not Verdict.SKIPPED]
    here = [
        r for r in ran if not r.measured and r.backend != sentences.TWIN
    ]  # speed is this run's, and of its backends
    order = sorted(ran, key=lambda result: result.backend == sentences.TWIN)  # those are in one chart only
    styles = {result.name: number for number, result in enumerate(order)}
    found = [
        _latency(here, styles),
        _rate(here, styles),
        _by_length(here, styles),
        _agreement(report, ran),
        _drift(ran, styles),
        _margins(ran),
        _memory(here, styles),
        _load(here, styles),
        _timeline(report),
    ]
    return [chart for chart in found if chart.series]


def short(label: str) -> str:
    """Return a label that fits: its middle is left out where it is long."""
    label, half = wording.printable(label), (LONGEST - 1) // 2
    return label if len(label) <= LONGEST else f"{label[:half]}…{label[-half:]}"


def _bars(
    results: Sequence[Result],
    styles: dict[str, int],
    samples: Callable[[Result], Sequence[float]],
    shown: Callable[[float], str],
    *,
    best_is_large: bool = False,
) -> tuple[tuple[Series, ...], tuple[tuple[str, str, str, int], ...]]:
    """Return the bars, the best first, and the rows of their table: name, value, interval, samples."""
    bars, rows = [], []
    having = [(statistics.median(values), result, values) for result in results if (values := samples(result))]
    having.sort(key=lambda each: each[0], reverse=best_is_large)
    for value, result, values in having:
        low, high = speeds.interval(values) or (value, value)
        bars.append(
            Series(
                label=short(result.name), style=styles[result.name], x=(value, low, high), y=tuple(values),
                shown=shown(value),
            )
        )  # fmt: skip
        rows.append((result.name, shown(value), f"{shown(low)} to {shown(high)}" if high > low else "", len(values)))
    return tuple(bars), tuple(rows)


def _is_far(bars: Iterable[Series]) -> bool:
    values = [bar.x[0] for bar in bars]
    return bool(values) and min(values) > 0 and max(values) > FAR * min(values)


_SPREAD = "The line is the interval of the median (below six samples: their range), the dots are the samples."


def _latency(results: Sequence[Result], styles: dict[str, int]) -> Chart:
    def samples(result: Result) -> Sequence[float]:
        speed = result.performance
        return speed.first_token_samples or ((speed.first_token_s,) if speed.first_token_s is not None else ())

    bars, rows = _bars(results, styles, samples, wording.seconds)
    return Chart(
        title="Time to the first token", note=f"Median over the prompts, after a warm-up; less is better. {_SPREAD}",
        kind="bars", series=bars, axis="seconds", log=_is_far(bars),
        head=("backend", "first token", "interval", "samples"), rows=rows,
    )  # fmt: skip


def _rate(results: Sequence[Result], styles: dict[str, int]) -> Chart:
    def samples(result: Result) -> Sequence[float]:
        speed = result.performance
        return speed.tokens_per_s_samples or ((speed.tokens_per_s,) if speed.tokens_per_s is not None else ())

    bars, rows = _bars(results, styles, samples, lambda value: wording.number(value, 3), best_is_large=True)
    return Chart(
        title="Tokens per second", note=f"After the first token; more is better. {_SPREAD}",
        kind="bars", series=bars, axis="tokens per second", log=_is_far(bars),
        head=("backend", "tokens/s", "interval", "samples"), rows=rows,
    )  # fmt: skip


def _by_length(results: Sequence[Result], styles: dict[str, int]) -> Chart:
    lines, rows = [], []
    for result in results:
        timed = [each for each in result.performance.lengths if each.first_token_samples]
        medians = tuple(statistics.median(each.first_token_samples) for each in timed)
        if timed:
            tokens = tuple(float(each.prompt_tokens) for each in timed)
            lines.append(Series(label=short(result.name), style=styles[result.name], x=tokens, y=medians))
        for each in result.performance.lengths:
            first = statistics.median(each.first_token_samples) if each.first_token_samples else None
            rate = statistics.median(each.tokens_per_s_samples) if each.tokens_per_s_samples else None
            rows.append(
                (result.name, each.prompt_tokens, wording.seconds(first) or each.error, wording.number(rate, 3))
            )
    every = [value for line in lines for value in line.y if value]
    return Chart(
        title="Prompt length and the first token", note="How the time to the first token grows with the prompt.",
        kind="lines", series=tuple(lines), axis="seconds", other="tokens in the prompt",
        log=bool(every) and max(every) > FAR * min(every),
        head=("backend", "tokens in the prompt", "first token", "tokens/s after it"), rows=tuple(rows),
    )  # fmt: skip


def _agreement(report: Report, results: Sequence[Result]) -> Chart:
    numbers = range(1, len(report.prompts) + 1)
    lines, rows = [], []
    for result in results:
        pairs = list(zip(result.metrics.prefix, result.metrics.golden_tokens, strict=True))
        if not pairs or not any(length for _, length in pairs):
            continue
        shares = tuple(common / length if length else None for common, length in pairs)
        lines.append(Series(label=short(result.name), style=0, y=shares))
        rows.append((result.name, *(f"{common} of {length}" for common, length in pairs)))
    return Chart(
        title="Equal tokens, prompt by prompt",
        note="Percent of the golden answer's tokens that are equal from the start. Quantised weights part early by "
        "nature: they are judged by their drift instead.",
        kind="map", series=tuple(lines), axis="prompt", columns=tuple(str(number) for number in numbers),
        head=("backend", *(f"prompt {number}" for number in numbers)), rows=tuple(rows),
    )  # fmt: skip


def _drift(results: Sequence[Result], styles: dict[str, int]) -> Chart:
    lines, rows = [], []
    for result in results:
        drift = result.metrics.logits.drift if result.metrics.logits else ()
        longest = max((len(prompt.kl) for prompt in drift), default=0)
        means = [statistics.fmean(prompt.kl[at] for prompt in drift if at < len(prompt.kl)) for at in range(longest)]
        if not any(mean > 0 and math.isfinite(mean) for mean in means):
            continue
        lines.append(
            Series(
                label=short(result.name), style=styles[result.name], x=tuple(float(at) for at in range(longest)),
                y=tuple(mean if mean > 0 else None for mean in means),
            )
        )  # fmt: skip
        worst = max(range(longest), key=means.__getitem__)
        parted = sum(len(prompt.parted) for prompt in drift)
        rows.append((result.name, wording.number(statistics.fmean(means)), wording.number(means[worst]), worst, parted))
    return Chart(
        title="Drift, position by position",
        note="KL divergence from what it is compared with, mean over the prompts. Flat: rounding. Rising: errors add "
        "up, for instance in the cache of keys and values.",
        kind="lines", series=tuple(lines), axis="KL, nats", other="position in the answer", log=True,
        head=("backend", "mean KL", "largest", "at position", "positions with another best token"), rows=tuple(rows),
    )  # fmt: skip


def _margins(results: Sequence[Result]) -> Chart:
    margins = next((result.metrics.margins for result in results if result.metrics.margins), ())
    longest = max((len(prompt) for prompt in margins), default=0)
    at = [[prompt[place] for prompt in margins if place < len(prompt)] for place in range(longest)]
    x = tuple(float(place) for place in range(longest))
    lines = (
        Series(label="median of the prompts", style=0, x=x, y=tuple(statistics.median(each) for each in at)),
        Series(label="closest call", style=1, x=x, y=tuple(min(each) for each in at)),
    )
    closest = sorted((margin, number, place) for number, prompt in enumerate(margins, 1)
                     for place, margin in enumerate(prompt))[:5]  # fmt: skip
    return Chart(
        title="How sure the reference was",
        note="By how many spreads of its logits the reference's token led the runner-up. Near 0, the last bit decides "
        "and another token is a tie, not a fault.",
        kind="lines", series=lines if longest else (), axis="spreads", other="position in the answer",
        head=("prompt", "position", "margin in spreads"),
        rows=tuple((number, place, wording.number(margin, 3)) for margin, number, place in closest),
    )  # fmt: skip


def _memory(results: Sequence[Result], styles: dict[str, int]) -> Chart:
    def samples(result: Result) -> Sequence[float]:
        taken = result.performance.peak_memory_bytes
        return (taken / 1e9,) if taken else ()

    bars, rows = _bars(results, styles, samples, lambda value: wording.memory(round(value * 1e9)))
    return Chart(
        title="Memory", note="Largest resident size of the backend's process, its libraries included.",
        kind="bars", series=bars, axis="GB", head=("backend", "memory"), rows=tuple(row[:2] for row in rows),
    )  # fmt: skip


def _load(results: Sequence[Result], styles: dict[str, int]) -> Chart:
    def samples(result: Result) -> Sequence[float]:
        return (result.performance.load_s,) if result.performance.load_s is not None else ()

    bars, rows = _bars(results, styles, samples, wording.seconds)
    cold = {result.name: wording.seconds(result.performance.cold_first_token_s) for result in results}
    return Chart(
        title="Time to load", note="To import the runtime and to load the model, before any answer.",
        kind="bars", series=bars, axis="seconds", head=("backend", "load", "first token of all, cold"),
        rows=tuple((row[0], row[1], cold[row[0]]) for row in rows),
    )  # fmt: skip


def _timeline(report: Report) -> Chart:
    lines, rows, begun = [], [], 0.0
    for timing in report.timings:
        begun = begun if timing.start_s is None else timing.start_s
        spans = timing.spans or ((begun, begun + timing.seconds),)
        begun += timing.seconds  # an older report does not say when: one after the other
        rows.append((timing.part, f"{timing.seconds:.1f} s", "beside the next worker" if timing.beside else ""))
        if timing.seconds < 0.005 * report.seconds:
            continue
        label = short(timing.part.removeprefix("worker ").partition(",")[0])
        style = 3 if timing.beside else 0 if timing.part.startswith("worker ") else 1
        lines.append(
            Series(
                label=label, style=style, shown=wording.seconds(timing.seconds),
                x=tuple(start for start, _ in spans), y=tuple(end - start for start, end in spans),
            )
        )  # fmt: skip
    return Chart(
        title="Where the time went",
        note="From the start of the run. Backends run one after the other; judging goes on beside the next one, and "
        "waits while that one measures its speed.",
        kind="spans", series=tuple(lines), axis="seconds", head=("part", "seconds", "meanwhile"), rows=tuple(rows),
    )  # fmt: skip
