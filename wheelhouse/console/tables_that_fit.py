"""Tables that fit where they are read: columns give way in order, then the rows stand one below the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.table import Table as Drawn
    from rich.text import Text

GAP = 2
LEAST = 20
"""Columns below which a text is not wrapped into a column: it had better stand alone."""
INDENT = 2


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column: `right` for numbers, `wraps` for sentences; `drop` says how soon it gives way (0: never)."""

    name: str
    right: bool = False
    wraps: bool = False
    drop: int = 0


@dataclass(frozen=True)
class OneLine:
    """A text that ends where its line does; whole in a pipe."""

    text: Text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        """Yield what rich draws."""
        from wheelhouse.console.safe import safe_text

        line = safe_text(self.text).copy()
        line.truncate(options.max_width, overflow="ellipsis")
        yield line


@dataclass(frozen=True, kw_only=True)
class _Width:
    """How wide a column is with its lines whole, and at the least: where it wraps, as its longest word."""

    whole: int
    least: int


@dataclass(kw_only=True)
class Table:
    """Rows under columns, drawn for the width that there is."""

    columns: Sequence[Column]
    rows: list[Sequence[str | Text]] = field(default_factory=list)
    title: str = ""
    note: str = ""
    spaced: bool = False
    """With a blank line between rows, for those of several lines."""

    def add(self, *cells: str | Text) -> None:
        """Add a row: a text for each column."""
        self.rows.append(cells)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """Yield what rich draws."""
        from rich.text import Text

        from wheelhouse.console.plain import plain
        from wheelhouse.console.safe import safe_text

        rows = [[safe_text(cell) if isinstance(cell, Text) else Text(plain(cell)) for cell in row] for row in self.rows]
        shown = self._that_fit(rows, options.max_width)
        if self.title:
            yield Text(self.title, style="bold")
        if shown:
            yield self._drawn(rows, shown)
        elif rows:
            yield from self._stacked(rows)
        if self.note:
            yield from OneLine(Text(self.note, style="dim italic")).__rich_console__(console, options)

    def _that_fit(self, rows: Sequence[Sequence[Text]], room: int) -> dict[int, int]:
        """Return the columns that there is room for, with their widths; none where the needed ones do not fit."""
        wide = {n: self._width(rows, n) for n in range(len(self.columns)) if any(row[n].plain for row in rows)}
        while wide and sum(width.least for width in wide.values()) + GAP * (len(wide) - 1) > room:
            least = max(wide, key=lambda n: self.columns[n].drop)
            if not self.columns[least].drop:
                return {}
            del wide[least]
        given = {n: width.least for n, width in wide.items()}
        spare = room - sum(given.values()) - GAP * (len(given) - 1)
        for _ in range(min(spare, sum(width.whole - width.least for width in wide.values()))):
            given[max(given, key=lambda n: wide[n].whole - given[n])] += 1
        return given

    def _width(self, rows: Sequence[Sequence[Text]], number: int) -> _Width:
        from rich.cells import cell_len

        column = self.columns[number]
        lines = [line for row in rows for line in row[number].split()]
        whole = max([len(column.name), *(line.cell_len for line in lines)])
        longest = max([LEAST, *(cell_len(word) for line in lines for word in line.plain.split())])
        return _Width(whole=whole, least=min(whole, longest) if column.wraps else whole)

    def _drawn(self, rows: Sequence[Sequence[Text]], shown: Mapping[int, int]) -> Drawn:
        from rich.table import Table as Drawn

        drawn = Drawn(box=None, pad_edge=False, padding=(0, GAP, int(self.spaced), 0), header_style="bold underline")
        for number, width in shown.items():
            column = self.columns[number]
            justify: Literal["left", "right"] = "right" if column.right else "left"
            drawn.add_column(column.name, justify=justify, no_wrap=not column.wraps, overflow="fold", width=width)
        for row in rows:
            drawn.add_row(*(row[n] for n in shown))
        return drawn

    def _stacked(self, rows: Sequence[Sequence[Text]]) -> Iterator[RenderableType]:
        """Yield each row as its first text, and below it the others, with their columns' names."""
        from rich.padding import Padding
        from rich.text import Text

        for row in rows:
            yield Text.assemble(row[0], style="bold")
            for column, cell in zip(self.columns[1:], row[1:], strict=True):
                if cell.plain:
                    yield Padding(Text.assemble((f"{column.name}: ", "dim"), cell), (0, 0, 0, INDENT))
            if self.spaced:
                yield Text()
