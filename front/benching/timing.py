"""Medians of alternating rounds, and a row of the table: what was measured, against which target."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from msgspec import Struct

from wheelhouse.errors import StepFailedError

INVOKE = (sys.executable, "-m", "invoke")


@dataclass(frozen=True)
class Spent:
    """Seconds on the clock, and of the processors, in the process and all that it started."""

    wall: float
    cpu: float
    half: tuple[float, float] = (0.0, 0.0)
    """Between which seconds on the clock the middle half of the rounds lies."""


class Part(Struct, frozen=True):
    """One thing that was measured beside, or of which a row's value consists: its median."""

    name: str
    seconds: float


class Row(Struct, frozen=True, kw_only=True):
    """What was measured. `limit`: the most that `value` may be, with `least` the least; None: nobody promised one.

    `cpu_s`: seconds of the processors in what was measured. `note` says what the value consists of, and so why a
    target is missed. `skipped`: why nothing could be measured here.
    """

    name: str
    what: str
    unit: Literal["s", "times"]
    value: float | None = None
    limit: float | None = None
    least: bool = False
    cpu_s: float | None = None
    parts: tuple[Part, ...] = ()
    note: str = ""
    skipped: str = ""

    @property
    def target(self) -> str:
        """The target as people write it."""
        if self.limit is None:
            return "none"
        return f"{'≥' if self.least else '≤'} {self.limit:g}{' s' if self.unit == 's' else ''}"

    @property
    def said(self) -> str:
        """The value as people write it."""
        return "-" if self.value is None else f"{self.value:.2f}{' s' if self.unit == 's' else ' times'}"

    @property
    def verdict(self) -> str:
        """Return "met", "missed", "not measured", or "no target"."""
        if self.value is None:
            return "not measured"
        if self.limit is None:
            return "no target"
        return "met" if (self.value >= self.limit if self.least else self.value <= self.limit) else "missed"


def interleaved(actions: Sequence[Callable[[], object]], rounds: int) -> list[Spent]:
    """Return each action's medians; the rounds alternate, so that a busy moment hits all of them alike."""
    times: list[list[Spent]] = [[] for _ in actions]
    for _ in range(rounds):
        for action, samples in zip(actions, times, strict=True):
            started, before = time.perf_counter(), _cpu()
            action()
            samples.append(Spent(time.perf_counter() - started, _cpu() - before))
    return [_median(samples) for samples in times]


def _median(samples: Sequence[Spent]) -> Spent:
    walls = [sample.wall for sample in samples]
    quarters = statistics.quantiles(walls, n=4) if len(walls) > 1 else [*walls, *walls, *walls]
    return Spent(statistics.median(walls), statistics.median(s.cpu for s in samples), (quarters[0], quarters[2]))


def once(action: Callable[[], object]) -> Spent:
    """Return what an action takes that is too long to be repeated."""
    return interleaved([action], 1)[0]


def _cpu() -> float:
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def run(argv: Sequence[str], folder: Path, *, env: Mapping[str, str] | None = None, check: bool = True) -> str:
    """Run a program to its end and return what it printed. Raise StepFailedError when it fails (with `check`)."""
    whole = os.environ | (env or {})
    done = subprocess.run(argv, cwd=folder, env=whole, capture_output=True, check=False, stdin=subprocess.DEVNULL)
    if check and done.returncode != 0:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise StepFailedError(f"{' '.join(argv[:4])} … ended with {done.returncode}: {''.join(last)}")
    return done.stdout.decode(errors="replace")
