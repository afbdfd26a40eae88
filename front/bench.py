"""Speed as ratios measured in one run: what we cost compared with what we stand on, never absolute wall time."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from wheelhouse.paths import ROOT

ROUNDS = 15
_EMPTY_TASKS = (
    '"""No tasks but one."""\nfrom invoke.tasks import task\n\n\n@task\ndef nothing(_c):\n    """Do nothing."""\n'
)


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """How many times as long `subject` takes as `baseline` (medians in seconds), and the most it may take."""

    subject: str
    baseline: str
    seconds: float
    baseline_seconds: float
    limit: float

    @property
    def value(self) -> float:
        """The ratio of the two medians."""
        return self.seconds / self.baseline_seconds


def interleaved_medians(actions: Sequence[Callable[[], object]], rounds: int = ROUNDS) -> list[float]:
    """Return each action's median seconds; the rounds alternate, so that a busy moment hits all of them alike."""
    times: list[list[float]] = [[] for _ in actions]
    for _ in range(rounds):
        for action, samples in zip(actions, times, strict=True):
            started = time.perf_counter()
            action()
            samples.append(time.perf_counter() - started)
    return [statistics.median(samples) for samples in times]


def start_up() -> Ratio:
    """Compare `invoke --list` here with `invoke --list` over a tasks.py that has one empty task."""
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "tasks.py").write_text(_EMPTY_TASKS, encoding="utf-8")
        ours, empty = interleaved_medians([lambda: _list_tasks(ROOT), lambda: _list_tasks(Path(name))])
    return Ratio(
        subject="invoke --list",
        baseline="invoke --list of an empty tasks.py",
        seconds=ours,
        baseline_seconds=empty,
        limit=1.5,
    )


def _list_tasks(folder: Path) -> None:
    subprocess.run([sys.executable, "-m", "invoke", "--list"], cwd=folder, capture_output=True, check=True)
