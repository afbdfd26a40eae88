"""Runs single operators on a provider and on the CPU provider, and writes down how far apart they are.

`<python of an environment> operators.py JOB.json`; the job: `provider` ("dml", "webgpu"), `output` (folder), `only`
(parts of case names, all if empty), `skip` (names of cases to leave out), `shrink` (whether to look for the smallest
size at which a failing case still fails), `cpu` (whether the CPU provider's fp16 is held to its fp32, too), `trace`
(file that our d3d12.dll traces to, or null), `probe` (whether to look for the norms' limits).

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
import operator_session
import operator_shrink
import worker_dump
import worker_engine
import worker_host
import worker_webgpu
from operator_cases import Case

VERSIONS = ("onnxruntime-directml", "onnxruntime", worker_webgpu.PACKAGE, "numpy", "onnx")
LIBRARIES = ("directml", *worker_webgpu.LIBRARIES)


class Suite:
    """All cases, and what the Direct3D beneath says of each."""

    def __init__(self, job: Mapping[str, Any]) -> None:
        self.output = Path(job["output"])
        self.provider = operator_session.PROVIDERS[job.get("provider", operator_session.DML.name)]
        self.shrink = bool(job.get("shrink", True))
        self.cpu = bool(job.get("cpu", False))
        self.trace = Path(job["trace"]) if job.get("trace") else None
        for unfinished in self.output.glob("profile*.json"):  # of an operator that took the process with it
            unfinished.unlink()

    def measure(self, case: Case, *, profile: str = "") -> dict[str, Any]:
        """Return the error of a case and in which output it is, or the message of the provider that failed."""
        built = case.build()
        try:
            right = operator_session.run_once(built, operator_session.CPU)
        except Exception as error:  # noqa: BLE001 - whatever a runtime throws is the result
            return {"status": "no reference", "message": _line(error)}
        refused = self._refused_shaders()
        try:
            ours = operator_session.run_once(built, self.provider, profile=profile)
        except Exception as error:  # noqa: BLE001
            status = "no shader" if self._refused_shaders() > refused else "failed"
            if worker_webgpu.NO_F16 in str(error):
                status = "no f16"
            return {"status": status, "message": _line(error)}
        worst, output = operator_session.error_of(ours, right)
        return {"status": "ran", "error": worst if np.isfinite(worst) else None, "output": output}

    def row(self, case: Case) -> dict[str, Any]:
        """Return everything about one case: its error, its place, and when it fails the smallest size that does."""
        started = time.perf_counter()
        profile = str(self.output / "profile")
        found = {**case.described(), **self.measure(case, profile=profile)}
        found["providers"] = self._providers()
        found["cpu_error"] = _cpu_error(case) if self.cpu and case.dtype == "fp16" else None
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
        """Return the smallest size at which the case still fails in the same way, and what was measured there."""
        measured: dict[tuple[int, ...], dict[str, Any]] = {tuple(case.dims.values()): dict(found)}

        def fails(dims: dict[str, int]) -> bool | None:
            try:
                result = self.measure(case.resized(dims))
            except (ValueError, IndexError, ZeroDivisionError):  # a size at which the operator is not defined
                return None
            measured[tuple(dims.values())] = result
            if result["status"] == "no reference":
                return None
            return result["status"] == found["status"] and is_wrong({**found, **result})

        best = operator_shrink.smallest(case.dims, fails)
        there = measured[tuple(best.values())]
        return {"dims": best, **{key: there[key] for key in ("status", "error", "message") if key in there}}

    def _refused_shaders(self) -> int:
        """Return how many shaders Wine has refused because they are DXIL, by our d3d12.dll's trace."""
        if self.trace is None or not self.trace.exists():
            return 0
        return self.trace.read_text(encoding="utf-8", errors="replace").count("DXIL shader refused")


def _cpu_error(case: Case) -> float | None:
    """Return how far the CPU provider's result in fp16 is from its result in fp32; None where one is no number."""
    if case.family == "Cast":  # either way, one end is the other type
        return None
    try:
        half, right = (operator_session.run_once(case.build(widened=w), operator_session.CPU) for w in (False, True))
    except Exception:  # noqa: BLE001 - that it does not run there is the case's own result
        return None
    worst, _ = operator_session.error_of(half, right)
    return worst if np.isfinite(worst) else None


def is_wrong(row: Mapping[str, Any]) -> bool:
    """Return whether a row is a fault of the provider's: it failed, or its error is beyond its tolerance."""
    beyond = row.get("error") is None or not row["error"] <= row["tolerance"]
    return row["status"] == "failed" or (row["status"] == "ran" and beyond)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[-300:]


def main(arguments: list[str]) -> int:
    """Run the cases of the job file; return 0 when all were reported, or when the provider is not to be had here."""
    job = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    suite = Suite(job)
    try:
        adapter = _plugin(suite) if suite.provider.plugin else None
    except worker_engine.UnavailableError as absent:
        worker_dump.write(job["output"], {"status": "unavailable", "reason": absent.reason, "remedy": absent.remedy})
        return 0
    _run_cases(suite, job)
    dump: dict[str, Any] = {"status": "ok", "limits": []}
    if job.get("probe", True):
        print("@progress limits of the norms", flush=True)
        dump["limits"] = operator_probes.norm_limits(suite.provider)
    if adapter is not None:
        dump.update(device={"name": worker_webgpu.NAME, **adapter.device()}, adapter=adapter.facts())
    dump["versions"] = worker_engine.versions(*VERSIONS)
    dump["loaded"] = worker_host.loaded_libraries(LIBRARIES)
    worker_dump.write(job["output"], dump)
    return 0


def _plugin(suite: Suite) -> worker_webgpu.Adapter:
    """Register the plug-in and run an addition on it, which shows its adapter. Raise UnavailableError without one."""
    import onnxruntime

    adapter = worker_webgpu.Adapter(suite.output)
    worker_webgpu.register(onnxruntime.register_execution_provider_library)
    try:
        with adapter.watched():
            operator_session.run_once(Case("Add", "", {"rows": 1, "width": 4}, "fp32").build(), suite.provider)
    except Exception as error:
        raise worker_webgpu.explained(error, adapter) from error
    return adapter


def _run_cases(suite: Suite, job: Mapping[str, Any]) -> None:
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
