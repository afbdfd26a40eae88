"""What a chart says, as data: drawn by `drawing.py`, and told in a table below it for whoever cannot see it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Cell = str | float | int | None


class Series(Struct, frozen=True, kw_only=True):
    """One bar, line, row of a map or row of a time line.

    Bars: `x` is the value with the ends of its interval, `y` the samples. Lines: the points. Maps: `y` is a share for
    each column. Time lines: `x` when each span begins, `y` how long it is. `style` decides colour and marker: the same
    backend has the same in every chart.
    """

    label: str
    style: int
    x: tuple[float, ...] = ()
    y: tuple[float | None, ...] = ()
    shown: str = ""
    """The value in words, beside its bar."""


class Chart(Struct, frozen=True, kw_only=True):
    """One chart. `axis` names the numbers' axis, `other` that of the points; `log`: their scale."""

    title: str
    note: str
    kind: Literal["bars", "lines", "map", "spans"]
    series: tuple[Series, ...]
    axis: str = ""
    other: str = ""
    log: bool = False
    columns: tuple[str, ...] = ()
    head: tuple[str, ...] = ()
    """Of the table of its numbers."""
    rows: tuple[tuple[Cell, ...], ...] = ()


class Drawn(Struct, frozen=True, kw_only=True):
    """A chart with its picture; "" where it could not be drawn."""

    chart: Chart
    svg: str
