"""What an export takes of the disk and of memory, estimated before it begins, and refused where it cannot be had."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from smoke.exports.exporters import Exporter
from smoke.models.check.folder_facts import Facts
from wheelhouse.console import warn
from wheelhouse.errors import ResourceError
from wheelhouse.files import human_size, require_space
from wheelhouse.machine import host

FLOAT32 = 4
_FIXED_DISK = 20_000_000
_FIXED_MEMORY = 600_000_000
"""Bytes that an exporter's libraries take before the first weight (measured: 0.50 to 0.58 GB)."""


@dataclass(frozen=True, kw_only=True)
class Needs:
    """Bytes of disk (result and temporary files together) and of memory that an export takes at its peak."""

    disk: int
    memory: int


def of(model: Facts, exporter: Exporter) -> Needs:
    """Return what exporting a model takes: by its parameters, and by the size of its files."""
    return Needs(
        disk=int(model.parameters * FLOAT32 * exporter.size + model.bytes * exporter.scratch) + _FIXED_DISK,
        memory=memory(model.parameters, exporter),
    )


def memory(parameters: int, exporter: Exporter) -> int:
    """Return the bytes of memory that exporting a model of so many parameters takes at its peak."""
    return int(parameters * exporter.memory) + _FIXED_MEMORY


def require(needs: Needs, folder: Path, title: str, *, ignore_memory: bool) -> None:
    """Raise ResourceError unless disk and memory (with swap) can hold an export; warn where it would have to swap."""
    require_space(folder, needs.disk, title)
    free, swap = host.memory().available, host.free_swap()
    short = f"{title} needs about {human_size(needs.memory)} of memory, {human_size(free)} are free"
    if needs.memory > free + swap and not ignore_memory:
        raise ResourceError(
            f"{short}{f' and {human_size(swap)} of swap' if swap else ''}.",
            remedy="Close other programs, take a smaller model, or export it on a larger machine with the same system "
            "and copy the cache folder. To try all the same: `invoke export` with --ignore-memory.",
        )
    if needs.memory > free:
        warn(f"{short}: it will be slow, or fail")


def at_once(largest: int, most: int) -> int:
    """Return how many exports, of `largest` bytes of memory each, may run at a time: at least one, at most `most`."""
    return max(1, min(most, host.memory().available // max(largest, 1)))
