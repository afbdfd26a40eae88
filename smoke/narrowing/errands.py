"""Starting what a search needs: the program that cuts graphs, and a provider's worker that runs them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from smoke.backends.registry import WORKER
from smoke.environments import pinned
from smoke.narrowing.sides import Side
from smoke.running.jobs import PROGRESS
from wheelhouse import process
from wheelhouse.console import Task
from wheelhouse.errors import InputError, StepFailedError
from wheelhouse.files import write_atomic
from wheelhouse.paths import log_dir
from wheelhouse.processes.exits import describe_exit

SCRIPTS = Path(__file__).resolve().parent / "graphs"
RUNNER, OPENVINO_RUNNER = WORKER / "bisect_run.py", WORKER / "bisect_openvino.py"
CRASHES = 8
"""How often a worker may be taken down by what it runs."""
_SECONDS = 3600.0


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Token ids: all but the last at once, then the last one after them, through the cache."""

    ids: tuple[int, ...]

    @property
    def passes(self) -> tuple[tuple[int, ...], ...]:
        """What is fed in each pass."""
        return (self.ids[:-1], self.ids[-1:])


@dataclass(frozen=True, kw_only=True)
class Pass:
    """One run of a graph, and the file with what it was fed and what it gave."""

    save: Path
    outputs: tuple[str, ...] = ()
    feeds: Path | None = None
    ids: tuple[int, ...] = ()
    goes_on: bool = False


@dataclass(frozen=True, kw_only=True)
class Errand:
    """A graph and its passes. `whole`: it is a model, of which the CPU may take what the provider leaves to it."""

    name: str
    graph: Path
    passes: tuple[Pass, ...]
    whole: bool = False


@dataclass(kw_only=True)
class Tools:
    """What the search runs: two sides, a folder to work in, and where it is shown how far it is."""

    left: Side
    right: Side
    work: Path
    shown: Task
    room: int = 0
    peak: int = 0
    """The most memory that a worker has taken so far, in bytes."""
    _count: int = field(default=0)

    def fresh(self, name: str) -> Path:
        """Return a new folder to work in."""
        self._count += 1
        folder = self.work / f"{self._count:02}-{name}"
        folder.mkdir(parents=True)
        return folder

    def graphs(self, actions: Sequence[Mapping[str, Any]]) -> list[Any]:
        """Have graphs read and cut, and return what each action tells. Raise StepFailedError, InputError."""
        folder = self.fresh("graphs")
        job = {
            "left": str(self.left.graph.absolute()),
            "right": str(self.right.graph.absolute()),
            "actions": list(actions),
            "answer": str(folder / "answer.json"),
        }
        write_atomic(folder / "job.json", json.dumps(job))
        environment = pinned.prepare(pinned.MAIN)
        command = environment.command(str(SCRIPTS), str(folder / "job.json"), temporary=folder, timeout=_SECONDS)
        process.run(command, log=log_dir() / "bisect" / "graphs.log")
        found: Any = json.loads((folder / "answer.json").read_text(encoding="utf-8"))
        if isinstance(found, dict):
            raise InputError(found["error"], remedy="Give a folder that an export for ONNX Runtime GenAI made.")
        return list(found)

    def run(self, side: Side, tasks: Sequence[Errand], what: str) -> dict[str, str]:
        """Run tasks on a side's provider; return for those that failed what was said. Raise StepFailedError."""
        refused: dict[str, str] = {}
        log = log_dir() / "bisect" / f"{side.name.replace(':', '-')}.log"
        waiting = list(tasks)
        for _ in range(CRASHES):
            folder = self.fresh(side.provider)
            done = process.run(
                self._command(side, waiting, folder), log=log, check=False,
                on_line=lambda line: self._hear(f"{what} on {side.name}", line),
            )  # fmt: skip
            begun, failed = _told(folder / "tasks.jsonl")
            refused |= failed
            if done.returncode == 0 and not done.timed_out:
                told = json.loads((folder / "dump.json").read_text(encoding="utf-8"))
                self.peak = max(self.peak, int(told["peak_memory"]))
                return refused
            if not begun or done.timed_out or done.returncode == 1:
                break
            refused[begun[-1]] = f"the process {describe_exit(done.returncode)}"
            waiting = [task for task in waiting if task.name not in begun]
        tail = "\n".join(f"  | {line}" for line in done.tail[-8:])
        raise StepFailedError(f"The worker of {side.name} {describe_exit(done.returncode)}.\n{tail}", log=log)

    def _command(self, side: Side, tasks: Sequence[Errand], folder: Path) -> process.Command:
        name = side.environment.host_path
        job = {
            "provider": side.provider,
            "data": name(side.graph.parent.absolute()),
            "room": self.room,
            **({"head_size": int(side.decoder.get("head_size", 0))} if side.divided else side.options),
            "output": name(folder),
            "tasks": [
                {
                    "name": task.name,
                    "graph": name(task.graph),
                    "whole": task.whole,
                    "passes": [
                        {
                            "save": name(each.save),
                            "outputs": list(each.outputs),
                            **({} if each.feeds is None else {"feeds": name(each.feeds)}),
                            **({"ids": list(each.ids), "goes_on": each.goes_on} if each.ids else {}),
                        }
                        for each in task.passes
                    ],
                }
                for task in tasks
            ],
        }
        write_atomic(folder / "job.json", json.dumps(job))
        runner = RUNNER if side.divided else OPENVINO_RUNNER
        return side.environment.command(name(runner), name(folder / "job.json"), timeout=_SECONDS)

    def _hear(self, what: str, line: str) -> None:
        if line.startswith(PROGRESS):
            self.shown.update(f"{what}: {line.removeprefix(PROGRESS)}")


def _told(path: Path) -> tuple[list[str], dict[str, str]]:
    """Return the tasks that were begun, and what was said of those that failed."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
    begun = [line["begun"] for line in lines if "begun" in line]
    return begun, {line["failed"]: line["message"] for line in lines if "failed" in line}


def load(path: Path, only: Collection[str] | None = None) -> dict[str, Any]:
    """Return the arrays that a worker saved, by name: all, or those of `only` that are there."""
    import numpy as np

    with np.load(path) as found:
        keys = {key.replace("|", "/"): key for key in found.files}
        return {name: found[key] for name, key in keys.items() if only is None or name in only}


def save(path: Path, arrays: Mapping[str, Any]) -> Path:
    """Write arrays for a worker."""
    import numpy as np

    with path.open("wb") as stream:
        np.savez(stream, **{key.replace("/", "|"): value for key, value in arrays.items()})
    return path


def numbered(samples: Sequence[Sample]) -> Iterator[tuple[int, int, tuple[int, ...]]]:
    """Yield the number of each sample and pass, and the pass's tokens."""
    for number, sample in enumerate(samples):
        for step, ids in enumerate(sample.passes):
            yield number, step, ids
