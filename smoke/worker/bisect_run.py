"""Runs whole graphs and single units of them on a provider, and writes down the values that are asked for.

`<python of an environment> bisect_run.py JOB.json`; the job: `provider`, `output` (folder), `data` (folder of the
weights), `room` (tokens that a cache holds) and `tasks`. A task: `name`, `graph` (file), `whole` (whether the CPU may
take what the provider leaves), and `passes`. A pass: `save` (file for what was fed and found), `outputs` (names; none:
all), and either `feeds` (file) or `ids` (tokens, after those of the pass before where it says `goes_on`).

What fails is told in tasks.jsonl, a line for each task when it begins and when it ends.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import operator_session
import worker_dump
import worker_host
import worker_webgpu

TYPES = {
    "tensor(float16)": np.float16,
    "tensor(float)": np.float32,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
}
Arrays = dict[str, Any]


class Runner:
    """One provider, and the folder that everything is written to."""

    def __init__(self, job: Mapping[str, Any]) -> None:
        self.provider = operator_session.PROVIDERS[job["provider"]]
        self.data = job["data"]
        self.room = int(job["room"])
        self.head_size = int(job["head_size"])
        if self.provider.plugin:
            import onnxruntime

            worker_webgpu.register(onnxruntime.register_execution_provider_library)

    def perform(self, task: Mapping[str, Any]) -> None:
        """Run a task's passes, each into a file of its own."""
        model = Path(task["graph"]).read_bytes()
        session = operator_session.open_session(model, self.provider, data=self.data, alone=not task["whole"])
        before: Arrays = {}
        for each in task["passes"]:
            if "ids" in each:
                feeds = self.fed(session, each["ids"], before if each["goes_on"] else {})
                found = before = {**feeds, **self.run(session, feeds, each["outputs"])}
            else:
                feeds = loaded(each["feeds"], ["input_ids", *(value.name for value in session.get_inputs())])
                found = self.run(session, feeds, each["outputs"])
            np.savez(each["save"], **{key.replace("/", "|"): value for key, value in found.items()})

    def fed(self, session: Any, ids: Sequence[int], before: Mapping[str, Any]) -> Arrays:
        """Return what a decoder is fed for new tokens, after what is in the caches of `before`."""
        past = before["attention_mask"].shape[1] if before else 0
        known = text_of(ids, past)
        for value in session.get_inputs():
            if value.name in known:
                continue
            if "past" not in value.name or len(value.shape) != 4:
                raise ValueError(f"its input {value.name} {value.shape} is none of a text decoder's")
            present = operator_session.present_of(value.name)
            width = value.shape[3] if isinstance(value.shape[3], int) else self.head_size
            empty: Any = np.zeros([1, value.shape[1], 0, width], TYPES[value.type])
            known[value.name] = before[present] if before else empty
        return known

    def run(self, session: Any, given: Mapping[str, Any], wanted: Sequence[str]) -> Arrays:
        """Run once; attention's caches are in buffers that are past and present at once where the provider needs it."""
        names = [output.name for output in session.get_outputs()]
        inputs = {value.name: TYPES.get(value.type) for value in session.get_inputs()}
        feeds = {name: given[name].astype(kind or given[name].dtype) for name, kind in inputs.items()}
        pasts = [name for name in feeds if "past" in name and operator_session.present_of(name) in names]
        outputs = [name for name in names if not wanted or name in wanted or name.startswith("present")]
        if self.provider is not operator_session.DML or not pasts:
            return dict(zip(outputs, session.run(outputs, feeds), strict=True))
        filled = feeds[pasts[0]].shape[2] + _new(feeds, given)
        buffers = {name: _widened(feeds.pop(name), max(self.room, filled)) for name in pasts}
        found = operator_session.run_in_buffers(session, [feeds], buffers, self.provider.device, outputs)
        presents = {operator_session.present_of(name) for name in pasts}
        return {name: array[:, :, :filled] if name in presents else array for name, array in found.items()}


def _new(feeds: Mapping[str, Any], given: Mapping[str, Any]) -> int:
    """Return how many tokens are new in this pass."""
    if "input_ids" in given:
        return int(given["input_ids"].shape[1])
    return int(next(array.shape[1] for array in feeds.values() if array.ndim == 3))


def _widened(array: Any, room: int) -> Any:
    shape = (*array.shape[:2], room, *array.shape[3:])
    wide = np.zeros(shape, array.dtype)
    wide[:, :, : array.shape[2]] = array
    return wide


def text_of(ids: Sequence[int], past: int) -> Arrays:
    """Return what says which tokens come after so many others."""
    return {
        "input_ids": np.array([ids], np.int64),
        "attention_mask": np.ones((1, past + len(ids)), np.int64),
        "position_ids": np.arange(past, past + len(ids), dtype=np.int64)[None],
    }


def loaded(path: str, names: Sequence[str]) -> Arrays:
    """Return those of the arrays in a file that have one of the names."""
    with np.load(path) as found:
        stored = {key.replace("|", "/"): key for key in found.files}
        return {name: found[stored[name]] for name in names if name in stored}


def main(arguments: list[str]) -> int:
    """Run the tasks of the job file; 0 when each was run or refused."""
    return run_all(arguments[0], Runner)


def run_all(path: str, kind: Any) -> int:
    """Run the tasks of a job file by a runner of some kind; say of each when it begins, and where it failed."""
    job = json.loads(Path(path).read_text(encoding="utf-8"))
    runner = kind(job)
    with Path(job["output"], "tasks.jsonl").open("a", encoding="utf-8") as lines:

        def tell(**said: Any) -> None:
            lines.write(json.dumps(said) + "\n")
            lines.flush()

        for number, task in enumerate(job["tasks"], 1):
            print(f"@progress {number}/{len(job['tasks'])} {task['name']}", flush=True)
            tell(begun=task["name"])
            try:
                runner.perform(task)
            except Exception as error:  # noqa: BLE001 - whatever a runtime throws is the result
                tell(failed=task["name"], message=" ".join(str(error).split())[-400:])
    worker_dump.write(job["output"], {"status": "ok", "peak_memory": worker_host.peak_memory()})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
