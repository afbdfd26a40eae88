"""What is known of the two graphs before anything is run: stages, the values between them, and units."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from msgspec import Struct

T = TypeVar("T")
AT_ONCE = 256_000_000
"""Bytes of values that one run gives."""
WIDEST = 8
"""Bytes of the widest number."""


class Value(Struct, frozen=True, kw_only=True):
    """A value, and how many numbers it has for a token."""

    name: str
    width: int


class Stage(Struct, frozen=True, kw_only=True):
    """A layer, or what lies before or after all of them, and the values that it hands on."""

    number: int
    values: tuple[Value, ...]


class Unit(Struct, frozen=True, kw_only=True):
    """What is run alone: see smoke/narrowing/graphs/units.py."""

    name: str
    operator: str
    stage: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    left_inputs: tuple[str, ...]
    left_operator: str
    differences: tuple[str, ...]
    kinds: dict[str, str]
    width: int
    made_of: str = ""
    """The operators of a block of OpenVINO's."""

    @property
    def values(self) -> tuple[str, ...]:
        """Everything of the left graph that has to be known to judge it."""
        return (*self.inputs, *self.left_inputs, *self.outputs)


class Plan(Struct, frozen=True, kw_only=True):
    """Both graphs. `logits` is the name of what the model gives."""

    stages: tuple[Stage, ...]
    units: tuple[Unit, ...]
    logits: str

    @property
    def layers(self) -> int:
        """How many stages have a number that is not BEFORE."""
        return sum(1 for stage in self.stages if stage.number >= 0)

    def of_stage(self, number: int) -> list[Unit]:
        """Return the units of a stage, in the graph's order."""
        return [unit for unit in self.units if unit.stage == number]

    def called(self, number: int) -> str:
        """Return a stage in words."""
        if number < 0:
            return "what comes before the layers"
        last = max(stage.number for stage in self.stages)
        return "what comes after the layers" if number == last and number > 0 else f"layer {number}"


def portions(items: Iterable[tuple[T, int]], tokens: int, most: int = AT_ONCE) -> list[list[T]]:
    """Divide items with their widths so that each part's values for so many tokens are at most `most` bytes.

    An item that is larger by itself is a part of its own.
    """
    found: list[list[T]] = []
    room = 0
    for item, width in items:
        size = width * tokens * WIDEST
        if not found or size > room:
            found.append([])
            room = most
        found[-1].append(item)
        room -= size
    return found


def counterpart(unit: Unit, units: Sequence[Unit], step: int) -> Unit | None:
    """Return the same operator in the layer that is `step` further on."""
    here, there = (f"layers.{unit.stage + s}" for s in (0, step))
    if here not in unit.name:
        return None
    return next((other for other in units if other.name == unit.name.replace(here, there)), None)
