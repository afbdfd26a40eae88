"""Draws charts by matplotlib, in a process of its own: `python -m smoke.report.page.drawing CHARTS.json PICTURES.json`.

matplotlib takes 70 MB and half a second, which the program that ran the backends shall not. A picture has the width of
a phone and real text; its colours are names that the page's style sheet gives a value, for light, dark and print.
"""

from __future__ import annotations

import hashlib
import io
import re
import sys
import warnings
from pathlib import Path
from typing import Any

import msgspec

from smoke.report import wording
from smoke.report.page.chart_data import Chart, Series

WIDTH = 370.0
"""Points; the page shows one as a pixel, so that text keeps its size."""
ROW = 25.0
COLOURS = 8
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">", "p", "h")
LINES = ("-", "--", ":", "-.")
NAMES = {"#0a0b01": "--ink", "#0a0b02": "--soft", "#0a0b03": "--line", "#0a0b04": "--on"}
INK, SOFT, LINE, ON = NAMES
NAMES |= {f"#0a0c0{number}": f"--c{number}" for number in range(COLOURS)}
LEFT, RIGHT, TOP, BOTTOM = 122.0, 10.0, 6.0, 40.0


def colour(style: int) -> str:
    """Return the colour of a series."""
    return f"#0a0c0{style % COLOURS}"


def draw(chart: Chart) -> str:
    """Return the chart as an <svg> element."""
    from matplotlib.figure import Figure

    legend = 16.0 * ((len(chart.series) + 1) // 2) if chart.kind == "lines" and len(chart.series) > 1 else 0.0
    rows = {"bars": ROW, "map": 22.0, "spans": 20.0}.get(chart.kind, 0.0) * len(chart.series)
    left = 56.0 if chart.kind == "lines" else LEFT
    inner = rows or 190.0
    height = TOP + inner + BOTTOM + legend
    figure = Figure(figsize=(WIDTH / 72, height / 72))
    axes = figure.add_axes((left / WIDTH, (BOTTOM + legend) / height, 1 - (left + RIGHT) / WIDTH, inner / height))
    axes.set_facecolor("none")
    axes.tick_params(colors=SOFT, labelcolor=INK, length=3)
    for name, spine in axes.spines.items():
        spine.set_visible(name in {"left", "bottom"})
        spine.set_color(LINE)
    {"bars": _bars, "lines": _lines, "map": _map, "spans": _spans}[chart.kind](axes, chart)
    if legend:
        figure.legend(
            loc="lower left", bbox_to_anchor=(0.0, 0.0), ncols=2, frameon=False, labelcolor=INK, borderpad=0.2,
            handlelength=2.2, columnspacing=1.0, labelspacing=0.35, fontsize=10,
        )  # fmt: skip
    return _element(figure)


def _bars(axes: Any, chart: Chart) -> None:
    furthest = max((max(s.x + _known(s)) for s in chart.series), default=0.0) or 1.0
    for row, one in enumerate(chart.series):
        value, low, high = one.x
        if chart.log:  # a bar's length says nothing on such a scale
            axes.plot([value], [row], "o", color=colour(one.style), markersize=8)
        else:
            axes.barh(row, value, height=0.62, color=colour(one.style), alpha=0.85, linewidth=0)
        if high > low:
            axes.plot([low, high], [row, row], color=INK, linewidth=1.4, marker="|", markersize=7)
            axes.plot(one.y, [row] * len(one.y), "o", color=ON, markeredgecolor=INK, markersize=3, markeredgewidth=0.7)
        end = max(value, high, *_known(one))
        axes.annotate(
            one.shown, (end, row), xytext=(5, 0), textcoords="offset points", va="center", color=INK, fontsize=10
        )
    if chart.log:
        least = min(s.x[0] for s in chart.series)
        axes.set_xscale("log")
        axes.set_xlim(least / 3, furthest * (furthest / least) ** 0.45 * 2)
    else:
        axes.set_xlim(0, furthest * 1.32)
    _rows(axes, [one.label for one in chart.series])
    axes.grid(axis="x", color=LINE, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.set_xlabel(chart.axis, color=SOFT)
    _numbers(axes.xaxis, log=chart.log, most=4)


def _known(one: Series) -> tuple[float, ...]:
    return tuple(value for value in one.y if value is not None)


def _numbers(axis: Any, *, log: bool, most: int) -> None:
    """Write an axis's numbers as the page writes them: few, and without typesetting."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

    if not log:
        axis.set_major_locator(MaxNLocator(most))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: wording.number(value, 1 if log else 4)))


def _lines(axes: Any, chart: Chart) -> None:
    for one in chart.series:
        few, hidden = len(one.x) <= 12, one.label.startswith("_")  # a legend leaves such a name out
        axes.plot(
            one.x, [float("nan") if value is None else value for value in one.y], label=" " * hidden + one.label,
            color=colour(one.style), linestyle=LINES[one.style // COLOURS % len(LINES)], linewidth=1.5,
            marker=MARKERS[one.style % len(MARKERS)], markersize=4.5, markevery=1 if few else max(1, len(one.x) // 8),
        )  # fmt: skip
    if chart.log:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    axes.grid(color=LINE, linewidth=0.7)
    axes.set_xlabel(chart.other, color=SOFT)
    axes.set_ylabel(chart.axis, color=SOFT)
    _numbers(axes.yaxis, log=chart.log, most=6)
    axes.xaxis.get_major_locator().set_params(integer=True)
    _words(axes, chart)


def _words(axes: Any, chart: Chart) -> None:
    """Name the points of a line that stand for words (runs, dates) instead of numbers."""
    if chart.columns:
        every = -(-len(chart.columns) // 3)
        places = range(0, len(chart.columns), every)
        axes.set_xticks(list(places), [chart.columns[place] for place in places], fontsize=9)


def _map(axes: Any, chart: Chart) -> None:
    for row, one in enumerate(chart.series):
        for column, share in enumerate(one.y):
            if share is None:
                continue
            strength = 0.12 + 0.88 * share
            axes.barh(row, 0.94, left=column + 0.03, height=0.9, color=colour(0), alpha=strength, linewidth=0)
            if len(one.y) <= 10:
                ink = ON if strength > 0.55 else INK
                axes.text(column + 0.5, row, f"{100 * share:.0f}", ha="center", va="center", color=ink, fontsize=10)
    axes.set_xlim(0, len(chart.columns))
    every = max(1, len(chart.columns) // 10)
    axes.set_xticks([place + 0.5 for place in range(0, len(chart.columns), every)], chart.columns[::every])
    _rows(axes, [one.label for one in chart.series])
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.set_xlabel(chart.axis, color=SOFT)


def _spans(axes: Any, chart: Chart) -> None:
    last = 1.0
    for row, one in enumerate(chart.series):
        pairs = [(start, length or 0.0) for start, length in zip(one.x, one.y, strict=True)]
        last = max([last, *(start + length for start, length in pairs)])
        axes.broken_barh(pairs, (row - 0.36, 0.72), color=colour(one.style), alpha=0.9, linewidth=0)
        end = max(start + length for start, length in pairs)
        axes.annotate(
            one.shown, (end, row), xytext=(4, 0), textcoords="offset points", va="center", color=INK, fontsize=9
        )
    axes.set_xlim(0, last * 1.16)
    _rows(axes, [one.label for one in chart.series])
    axes.grid(axis="x", color=LINE, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.set_xlabel(chart.axis, color=SOFT)


def _rows(axes: Any, labels: list[str]) -> None:
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)


def _element(figure: Any) -> str:
    written = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # text stays text: the reader's fonts draw it
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = written.getvalue().decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r' id="(?!(?:m|p|h|C)[0-9a-f]{6})[^"]*"', "", text)  # of groups; what is referred to stays
    text = re.sub("|".join(NAMES), lambda found: f"var({NAMES[found[0]]})", text)
    text = re.sub(r'width="[\d.]+pt" height="[\d.]+pt"', "", text, count=1)
    return text.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1).strip()


def prepare(salt: str) -> None:
    """Set the library up for pictures whose inner names begin with `salt`: a page holds several."""
    import matplotlib as mpl

    mpl.rcParams.update(
        {
            "svg.fonttype": "none",
            "svg.hashsalt": salt,
            "text.parse_math": False,
            "font.size": 10.5,
            "font.family": "sans-serif",
            "path.simplify": True,
            "axes.formatter.use_mathtext": False,
            "axes.unicode_minus": False,
        }
    )


def main(charts: str, pictures: str) -> None:
    """Draw the charts in the file `charts`; write their pictures, in that order, to the file `pictures`."""
    drawn = []
    for chart in msgspec.json.decode(Path(charts).read_bytes(), type=list[Chart]):
        prepare(hashlib.sha256(msgspec.json.encode(chart)).hexdigest())
        drawn.append(draw(chart))
    Path(pictures).write_bytes(msgspec.json.encode(drawn))


if __name__ == "__main__":
    main(*sys.argv[1:])
