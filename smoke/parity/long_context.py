"""How far two dumps are apart where tokens went at once, where they went one by one, and in a long context."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from smoke.parity.distances import LogitMetrics, compare_logits
from smoke.parity.dumps import AT_ONCE, ONE_BY_ONE, ContextDump, Dump, DumpError, Logits, open_logits

Count = Annotated[int, Meta(ge=0)]
SUDDEN = 30.0
"""How many times the median of its rows a divergence has to be, to say that it begins there."""


class Parts(Struct, frozen=True, kw_only=True):
    """Distances of the rows that came at once, and of those that came one by one; `tokens`: the longest context.

    `lost`: of single choices in a long context (where there are no logits), by how many spreads the golden logits
    prefer their own; None without any. `begins`: the first position of the long context that is suddenly far off.
    """

    tokens: Count = 0
    at_once: LogitMetrics | None = None
    one_by_one: LogitMetrics | None = None
    lost: float | None = None
    begins: Count | None = None


def measured(dump: Dump, ours: Sequence[Logits], base: Dump, theirs: Sequence[Logits]) -> Parts:
    """Measure the parts of two dumps whose prompts have these logits. Raise DumpError, NotFiniteError."""
    pairs: tuple[list[tuple[Logits, Logits]], list[tuple[Logits, Logits]]] = ([], [])
    for prompt, mine, golden in zip(dump.prompts, ours, theirs, strict=False):
        steps = min(prompt.stepped, mine.rows)
        for part, (start, end) in zip(pairs, ((0, mine.rows - steps), (mine.rows - steps, mine.rows)), strict=True):
            if end > start and golden.rows >= end:
                part.append((_rows(mine, start, end), _rows(golden, start, end)))
    tokens, begins = 0, None
    if _comparable(dump.context, base.context) and ours and theirs:
        found = _long(dump.context, ours[0].path.parent, theirs[0].path.parent)
        tokens = dump.context.tokens
        begins = _begins(found, (dump.context.at_once, dump.context.one_by_one))
        for part, files in zip(pairs, found, strict=True):
            part.extend(files)
    at_once, one_by_one = (_distances(part) for part in pairs)
    return Parts(tokens=tokens, at_once=at_once, one_by_one=one_by_one, begins=begins)


def chosen(dump: Dump, base: Dump, folder: Path, spread: float) -> Parts:
    """Measure the single choices of a runtime that shows no logits. Raise DumpError."""
    places = rows_of(base, folder)
    lost = []
    for place, token in dump.context.choices:
        if place not in places:
            continue
        golden = one_row(*places[place])
        lost.append((max(golden) - golden[token]) / (spread or 1.0) if token < len(golden) else math.inf)
    if not lost:
        return Parts()
    return Parts(tokens=dump.context.tokens, lost=max(lost))


def _comparable(mine: ContextDump, golden: ContextDump) -> bool:
    """Say whether both looked at the same places, as far as the shorter one goes."""
    if not mine.tokens or not mine.at_once:
        return False
    return (
        golden.at_once[: len(mine.at_once)] == mine.at_once
        and golden.one_by_one[: len(mine.one_by_one)] == mine.one_by_one
    )


def _long(mine: ContextDump, folder: Path, there: Path) -> list[list[tuple[Logits, Logits]]]:
    found: list[list[tuple[Logits, Logits]]] = []
    for name, places in ((AT_ONCE, mine.at_once), (ONE_BY_ONE, mine.one_by_one)):
        if not places:
            found.append([])
            continue
        ours, theirs = open_logits(folder / name), open_logits(there / name)
        if ours.rows != len(places) or theirs.rows < len(places):
            raise DumpError(f"{name} has {ours.rows} rows for {len(places)} positions")
        found.append([(ours, _rows(theirs, 0, len(places)))])
    return found


def _begins(found: Sequence[Sequence[tuple[Logits, Logits]]], places: Sequence[Sequence[int]]) -> int | None:
    """Return from which position on the rows are far off, where those before it are not."""
    rows: list[tuple[int, float]] = []
    for files, positions in zip(found, places, strict=True):
        if files:
            metrics = compare_logits([files[0][0]], [files[0][1]])
            rows += zip(positions, metrics.drift[0].kl, strict=True)
    rows.sort()
    best, start = 0.0, None
    for k in range(4, len(rows) - 4):
        before, after = _median([kl for _, kl in rows[:k]]), _median([kl for _, kl in rows[k:]])
        if after > SUDDEN * max(before, 1e-9) and rows[k][1] > SUDDEN * max(before, 1e-9) and after > best:
            best, start = after, rows[k][0]
            break
    return start


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


def _distances(pairs: Sequence[tuple[Logits, Logits]]) -> LogitMetrics | None:
    if not pairs:
        return None
    found = compare_logits([ours for ours, _ in pairs], [theirs for _, theirs in pairs])
    return LogitMetrics(**{name: getattr(found, name) for name in found.__struct_fields__ if name != "drift"})


def _rows(file: Logits, start: int, end: int) -> Logits:
    return replace(file, rows=end - start, offset=file.offset + 4 * file.vocabulary * start)


def rows_of(base: Dump, folder: Path) -> dict[int, tuple[Logits, int]]:
    """Return by position in the long context the file that its logits are in, and the row. Raise DumpError."""
    return {place: (open_logits(folder / name), row) for name, row, place in _places(base.context)}


def one_row(file: Logits, row: int) -> list[float]:
    """Return the logits of one position."""
    (block,) = _rows(file, row, row + 1).blocks()
    return [float(value) for value in block[0]]


def _places(context: ContextDump) -> list[tuple[str, int, int]]:
    found = [(AT_ONCE, row, place) for row, place in enumerate(context.at_once)]
    return [*found, *((ONE_BY_ONE, row, place) for row, place in enumerate(context.one_by_one))]
