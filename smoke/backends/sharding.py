"""Which part of a run one of several machines takes: the same whoever asks, parts of about equal length.

What shares an export, or is compared with each other, stays together, so that no machine makes what another makes too;
the reference, with which all is compared, is in every part.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from smoke.backends.selection import Planned
from smoke.backends.variants import REFERENCE
from wheelhouse.errors import UsageError

EXPORTS: Mapping[str, float] = {
    "cpu-fp32": 17, "cpu-int4": 23, "dml-fp16": 18, "dml-int4": 28, "openvino-fp16": 165, "openvino-int4": 76,
}  # fmt: skip
WORKERS: Mapping[str, float] = {
    "ort-cpu:fp32": 11, "ort-cpu:int4": 5, "ort-cpu:dml-fp16": 11, "ort-cpu:dml-int4": 7,
    "openvino:fp16": 12, "openvino:int4": 11, "openvino-genai:fp16": 6, "openvino-genai:int4": 5, "npu:npuw-cpu": 43,
    "dml:fp16": 90, "dml:int4": 56,
}  # fmt: skip
"""Seconds, of SmolLM2-135M on two cores of a Linux machine without a GPU; DirectML's of tiny-phi3 in Wine."""
TWIN, UNMEASURED = 20.0, 1.0
"""A twin's worker; what nobody has measured: devices that most machines lack, where it is skipped in no time."""
MOST = 100


@dataclass(frozen=True, kw_only=True)
class Shard:
    """The part `number` (from 1) of a run that is divided among `of` machines."""

    number: int
    of: int


def parse(text: str) -> Shard:
    """Return what "2/3" says. Raise UsageError."""
    found = re.fullmatch(r"([0-9]{1,3})/([0-9]{1,3})", text)
    number, of = (int(part) for part in found.groups()) if found else (0, 0)
    if not 1 <= number <= of <= MOST:
        raise UsageError(
            f"--shard is '{text}'; it takes I/N, the part I of N, from 1/N to N/N, with N up to {MOST}.",
            remedy="For instance, on the first of three machines: --shard 1/3",
        )
    return Shard(number=number, of=of)


def wanted(text: str, beside: Mapping[str, bool]) -> Shard | None:
    """Return the part that --shard says, None without it. Raise UsageError for what cannot be divided `beside` it."""
    shard = parse(text) if text else None
    others = [name for name, given in beside.items() if given]
    if shard is not None and others:
        raise UsageError(
            f"--shard divides the variants of backends: it does not go with {others[0]}.",
            remedy="Run that on a machine of its own, without --shard.",
        )
    return shard


def part(plan: Sequence[Planned], shard: Shard) -> list[Planned]:
    """Return what of a plan is this machine's: its share of the units, and the reference, in the plan's order."""
    mine = divided(plan, shard.of)[shard.number - 1]
    return [item for item in plan if item.name == REFERENCE or item.name in mine]


def divided(plan: Sequence[Planned], machines: int) -> list[set[str]]:
    """Return the names that each machine takes, the reference aside: the longest units first, to who has least."""
    units: dict[str, list[Planned]] = {}
    items = {item.name: item for item in plan}
    for item in plan:
        if item.name != REFERENCE:
            units.setdefault(_unit(item, items), []).append(item)
    loads, shares = [0.0] * machines, [set[str]() for _ in range(machines)]
    for _, unit in sorted(units.items(), key=lambda pair: (-cost(pair[1]), pair[0])):
        least = loads.index(min(loads))
        loads[least] += cost(unit)
        shares[least] |= {item.name for item in unit}
    return shares


def cost(unit: Sequence[Planned]) -> float:
    """Return about how many seconds variants take together: their workers, and each export once."""
    exports = {item.variant.export for item in unit if item.variant.export}
    return sum(map(_worker, unit)) + sum(EXPORTS.get(export, UNMEASURED) for export in exports)


def _worker(item: Planned) -> float:
    return TWIN if item.variant.is_base else WORKERS.get(item.name, UNMEASURED)


def _unit(item: Planned, items: Mapping[str, Planned]) -> str:
    """Return what names a variant's unit: the export of the one that is compared with nothing but the reference."""
    while item.variant.against != REFERENCE and item.variant.against in items:
        item = items[item.variant.against]
    return item.variant.export or item.name
