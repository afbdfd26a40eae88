"""Runs single operators on DirectML and on the CPU provider, and writes down how far apart they are.

`<python of an environment> operators.py JOB.json`; the job: `output` (folder), `only` (parts of case names, all if
empty), `skip` (names of cases to leave out), `shrink` (whether to look for the smallest size at which a failing case
still fails), `trace` (file that our d3d12.dll traces to, or null), `probe` (whether to look for the norms' limits).

An operator may take the process with it, so each case is announced and reported by a line of its own in rows.jsonl;
whoever started this starts it again for the rest. dump.json, at the end, holds what is known of the whole process.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import operator_list
import operator_probes
import worker_dump
import worker_engine
import worker_host
from operator_cases import Case

DML = [
    ("DmlExecutionProvider", {"device_id": "0"})
]  # without a device id Python's onnxruntime asks DXCore, and falls back
CPU = ["CPUExecutionProvider"]
VERSIONS = ("onnxruntime-directml", "numpy", "onnx")
LIBRARIES = ("onnxruntime", "directml", "d3d12", "dxgi")
SHRINK_TRIES = 24


def run_once(model: bytes, feeds: Mapping[str, Any], providers: Any, *, profile: str = "") -> list[Any]:
    """Run a model once; with `profile` in a session that refuses the CPU and writes its profile there."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 4  # what fails is in the exception as well
    if providers is DML:
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        options.enable_mem_pattern = False  # DirectML requires both
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    if profile:
        options.enable_profiling = True
        options.profile_file_prefix = profile
    session = ort.InferenceSession(model, options, providers=providers)
    outputs = session.run(None, dict(feeds))
    if profile:
        session.end_profiling()
    return _filled(session, feeds, outputs)


def _filled(session: Any, feeds: Mapping[str, Any], outputs: list[Any]) -> list[Any]:
    """Return the outputs, of attention's caches only the part that has been filled: the room behind it is nobody's."""
    if "total_sequence_length" not in feeds:
        return list(outputs)
    length = int(feeds["total_sequence_length"])
    names = [output.name for output in session.get_outputs()]
    pairs = zip(names, outputs, strict=True)
    return [array[:, :, :length] if name.startswith("present_") else array for name, array in pairs]


def error_of(ours: list[Any], right: list[Any]) -> float:
    """Return the largest error over all outputs, each as a part of its largest right value; inf for a NaN or inf."""
    worst = 0.0
    for one, other in zip(ours, right, strict=True):
        a, b = one.astype(np.float64), other.astype(np.float64)
        if a.shape != b.shape or not np.array_equal(np.isfinite(a), np.isfinite(b)):
            return float("inf")
        where = np.isfinite(b)
        scale = float(np.abs(b[where]).max(initial=0.0)) or 1.0
        worst = max(worst, float(np.abs(a[where] - b[where]).max(initial=0.0)) / scale)
    return worst


class Suite:
    """All cases, and what the Direct3D beneath says of each."""

    def __init__(self, job: Mapping[str, Any]) -> None:
        self.output = Path(job["output"])
        self.shrink = bool(job.get("shrink", True))
        self.trace = Path(job["trace"]) if job.get("trace") else None
        for unfinished in self.output.glob("profile*.json"):  # of an operator that took the process with it
            unfinished.unlink()

    def measure(self, case: Case, *, profile: str = "") -> dict[str, Any]:
        """Return the error of a case, or the message of the provider that failed ("dml" or "cpu")."""
        model, feeds = case.build()
        try:
            right = run_once(model, feeds, CPU)
        except Exception as error:  # noqa: BLE001 - whatever a runtime throws is the result
            return {"status": "no reference", "message": _line(error)}
        refused = self._refused_shaders()
        try:
            ours = run_once(model, feeds, DML, profile=profile)
        except Exception as error:  # noqa: BLE001
            status = "no shader" if self._refused_shaders() > refused else "failed"
            return {"status": status, "message": _line(error)}
        worst = error_of(ours, right)
        return {"status": "ran", "error": worst if np.isfinite(worst) else None}

    def row(self, case: Case) -> dict[str, Any]:
        """Return everything about one case: its error, its place, and when it fails the smallest size that does."""
        started = time.perf_counter()
        profile = str(self.output / "profile")
        found = {**case.described(), **self.measure(case, profile=profile)}
        found["providers"] = self._providers()
        if is_wrong(found) and self.shrink:
            found["smallest"] = self._smallest(case, found)
        return {**found, "seconds": time.perf_counter() - started}

    def _providers(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for path in self.output.glob("profile*.json"):
            for event in json.loads(path.read_text(encoding="utf-8")):
                provider = event.get("args", {}).get("provider") if event.get("cat") == "Node" else None
                if provider:
                    counts[provider] = counts.get(provider, 0) + 1
            path.unlink()
        return counts

    def _smallest(self, case: Case, found: Mapping[str, Any]) -> dict[str, Any]:
        """Halve one dimension after the other as long as the case still fails in the same way."""
        best, left = dict(case.dims), SHRINK_TRIES
        measured = {key: found[key] for key in ("status", "error", "message") if key in found}
        progress = True
        while progress and left > 0:
            progress = False
            for name, size in list(best.items()):
                smaller = {**best, name: size // 2}
                if size <= 1 or left == 0:
                    continue
                left -= 1
                result = self._try(case.resized(smaller))
                if result and result["status"] == found["status"] and is_wrong({**found, **result}):
                    best, measured, progress = smaller, result, True
        return {"dims": best, **measured}

    def _try(self, case: Case) -> dict[str, Any] | None:
        try:
            return self.measure(case)
        except (ValueError, IndexError, ZeroDivisionError):  # a size at which the operator is not defined
            return None

    def _refused_shaders(self) -> int:
        """Return how many shaders Wine has refused because they are DXIL, by our d3d12.dll's trace."""
        if self.trace is None or not self.trace.exists():
            return 0
        return self.trace.read_text(encoding="utf-8", errors="replace").count("DXIL shader refused")


def is_wrong(row: Mapping[str, Any]) -> bool:
    """Return whether a row is a fault of DirectML's: it failed, or its error is beyond its tolerance."""
    beyond = row.get("error") is None or not row["error"] <= row["tolerance"]
    return row["status"] == "failed" or (row["status"] == "ran" and beyond)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[-300:]


def main(arguments: list[str]) -> int:
    """Run the cases of the job file; return 0 when all were reported."""
    job = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    suite = Suite(job)
    only, skip = job.get("only") or [""], set(job.get("skip", []))
    cases = [case for case in operator_list.all_cases() if any(part in case.name for part in only)]
    with (suite.output / "rows.jsonl").open("a", encoding="utf-8") as lines:
        for number, case in enumerate(cases, 1):
            if case.name in skip:
                continue
            print(f"@progress {number}/{len(cases)} {case.name}", flush=True)
            for report in (lambda case=case: {"start": case.described()}, lambda case=case: {"row": suite.row(case)}):
                lines.write(json.dumps(report(), allow_nan=False) + "\n")
                lines.flush()
    dump: dict[str, Any] = {"status": "ok", "limits": []}
    if job.get("probe", True):
        print("@progress limits of the norms", flush=True)
        dump["limits"] = operator_probes.norm_limits(run_once, error_of, DML, CPU)
    dump["versions"] = worker_engine.versions(*VERSIONS)
    dump["loaded"] = worker_host.loaded_libraries(LIBRARIES)
    worker_dump.write(job["output"], dump)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
