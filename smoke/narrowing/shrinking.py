"""What is special about an operator that is wrong: with which part of its input, from which magnitude on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

HALVINGS = 14
"""How often the input is halved in search of a size that is right."""
DOUBLINGS = 8
"""How often it is doubled where no smaller one is right."""
STEPS = 8
"""Sizes tried between the last that is wrong and the first that is right."""


@dataclass(frozen=True, kw_only=True)
class Tried:
    """An input and how it was made: all of it or one row, times `factor`; `error` where it was run."""

    row: int | None
    factor: float
    feeds: Mapping[str, Any]
    largest: float


def largest(feeds: Mapping[str, Any]) -> float:
    """Return the largest finite magnitude among floats."""
    import numpy as np

    found = 0.0
    for array in feeds.values():
        if array.dtype.kind == "f" and array.size:
            wide = np.abs(array.astype(np.float64))
            found = max(found, float(wide[np.isfinite(wide)].max(initial=0.0)))
    return found


def scaled(feeds: Mapping[str, Any], factor: float, row: int | None = None) -> Tried:
    """Return an input with its floats times `factor`."""
    made = {n: (a * a.dtype.type(factor) if a.dtype.kind == "f" else a) for n, a in feeds.items()}
    return Tried(row=row, factor=factor, feeds=made, largest=largest(made))


def one_row(feeds: Mapping[str, Any], row: Sequence[int]) -> tuple[int, dict[str, Any]] | None:
    """Return the input of one position alone, and its number; None where inputs are not along the same positions."""
    if len(row) < 2 or any("past" in name for name in feeds):
        return None
    wide = [array for array in feeds.values() if array.ndim > 1]
    lengths = {array.shape[1] for array in wide}
    if len(lengths) != 1 or not 0 <= row[1] < next(iter(lengths)) or next(iter(lengths)) == 1:
        return None
    at = row[1]
    return at, {name: array[:, at : at + 1] if array.ndim > 1 else array for name, array in feeds.items()}


def halvings(feeds: Mapping[str, Any], row: int | None = None) -> list[Tried]:
    """Return an input as it is, and halved again and again."""
    return [scaled(feeds, 2.0**-step, row) for step in range(HALVINGS + 1)]


def doublings(feeds: Mapping[str, Any], row: int | None = None) -> list[Tried]:
    """Return an input doubled again and again."""
    return [scaled(feeds, 2.0**step, row) for step in range(1, DOUBLINGS + 1)]


def between(wrong: Tried, right: Tried, feeds: Mapping[str, Any]) -> list[Tried]:
    """Return sizes between one that is wrong and one that is right, evenly spread as factors."""
    ratio = right.factor / wrong.factor
    return [scaled(feeds, wrong.factor * ratio ** (step / STEPS), wrong.row) for step in range(1, STEPS)]


def edge(tried: Sequence[tuple[Tried, bool]]) -> tuple[Tried, Tried | None]:
    """Return the last that is wrong before the first that is right, and that one; of inputs in order."""
    last = tried[0][0]
    for each, is_wrong in tried:
        if not is_wrong:
            return last, each
        last = each
    return last, None
