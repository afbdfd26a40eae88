"""Running the operator suite in DirectML's environment, and its part of the report."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from smoke import scratch
from smoke.backends import WORKER, Source
from smoke.dml import source
from smoke.dml_ops import rows
from smoke.dml_ops.rows import Dump, Limit, Row
from smoke.dumps import Device
from smoke.environments import Environment
from smoke.jobs import PROGRESS
from smoke.results import Performance, Result, Section
from smoke.verdicts import Judgement, Verdict, of_process
from wheelhouse import process
from wheelhouse.console import task
from wheelhouse.errors import NetworkError, ToolchainError, UnsupportedError, WheelhouseError
from wheelhouse.files import write_atomic
from wheelhouse.process import Completed

NAME = "dml-ops"
SUMMARY = "single operators on DirectML, against the CPU provider"
VARIANT = "operators"
WORKER_FILE = WORKER / "operators.py"
TRACE_VARIABLE = "DML_WHEELHOUSE_D3D12_TRACE"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The suite's result, its tables, and the seconds that its worker took."""

    result: Result
    sections: tuple[Section, ...] = ()
    seconds: float = 0.0


def run(
    *, wheels: Sequence[Path], report: Path, timeout: float, only: Sequence[str] = (), where: Source | None = None
) -> Outcome:
    """Run the suite with `wheels`, its log below `report`; `only`: parts of case names. Its failures do not raise."""
    place = where or source()
    status = place.status()
    if not (status.ready or status.makeable or wheels):
        return Outcome(result=_without(Judgement(verdict=Verdict.SKIPPED, reason=status.reason, remedy=status.remedy)))
    try:
        environment = place.prepare(wheels)
    except WheelhouseError as error:
        lacking = isinstance(error, NetworkError | ToolchainError | UnsupportedError)
        verdict = Verdict.SKIPPED if lacking else Verdict.CRASHED
        reason = f"Its environment could not be made: {error.message}"
        return Outcome(result=_without(Judgement(verdict=verdict, reason=reason, remedy=error.remedy)))
    with scratch.folder() as folder:
        return _run(environment, folder, report, timeout, only)


def _run(environment: Environment, folder: Path, report: Path, timeout: float, only: Sequence[str]) -> Outcome:
    name = environment.host_path
    trace = folder / "trace.log"
    job = {"output": name(folder), "only": list(only), "trace": name(trace), "probe": not only}
    write_atomic(folder / "job.json", json.dumps(job))
    traced = replace(environment, env={**environment.env, TRACE_VARIABLE: name(trace)})
    log = report / "logs" / f"{NAME}.log"
    started = time.monotonic()
    with task(NAME) as shown:
        done = process.run(
            traced.command(name(WORKER_FILE), name(folder / "job.json"), timeout=timeout),
            log=log,
            check=False,
            on_line=lambda line: shown.update(line.removeprefix(PROGRESS)) if line.startswith(PROGRESS) else None,
        )
    seconds = time.monotonic() - started
    dump, judgement = judged(done, timeout, folder / "dump.json")
    result = msgspec.structs.replace(
        _without(judgement),
        environment=environment.label,
        log=f"logs/{log.name}",
        performance=Performance(worker_s=seconds),
        **_seen(dump),
    )
    return Outcome(result=result, sections=() if dump is None else tables(dump), seconds=seconds)


def judged(done: Completed, timeout: float, file: Path) -> tuple[Dump | None, Judgement]:
    """Return the worker's dump, None when there is no usable one, and the verdict."""
    bad_end = of_process(done, timeout)
    if bad_end is not None:
        return None, bad_end
    try:
        dump = rows.read(file.read_bytes())
    except (OSError, msgspec.MsgspecError) as error:
        reason = f"The worker ended well, but its dump cannot be read: {error}."
        return None, Judgement(verdict=Verdict.CRASHED, reason=reason)
    return dump, rows.judge(dump.cases)


def _without(judgement: Judgement) -> Result:
    return Result(
        backend=NAME,
        variant=VARIANT,
        device="",
        verdict=judgement.verdict,
        reason=judgement.reason,
        remedy=judgement.remedy,
        gate="each operator within its tolerance",
        against="the CPU provider",
        requested_device="DirectML",
    )


def _seen(dump: Dump | None) -> dict[str, object]:
    """Return what the profile and the process say: where the operators ran, with which libraries."""
    if dump is None:
        return {}
    counts: dict[str, int] = {}
    for row in dump.cases:
        for provider, count in row.providers.items():
            counts[provider] = counts.get(provider, 0) + count
    evidence = ", ".join(f"{count} nodes on {provider}" for provider, count in sorted(counts.items()))
    name = "DirectML" if set(counts) == {rows.DML} else ",".join(sorted(counts))
    device = Device(name=name, evidence=f"ONNX Runtime's profile with session.disable_cpu_ep_fallback: {evidence}")
    return {
        "device": name,
        "device_details": device if name else None,
        "versions": dump.versions,
        "loaded": tuple(dump.loaded),
    }


def tables(dump: Dump) -> tuple[Section, ...]:
    """Return the suite's tables: every operator, and where the norms break."""
    operators = Section(
        title="Operators on DirectML against the CPU provider",
        columns=("operator", "size", "error", "tolerance", "finding", "smallest that fails"),
        rows=tuple(_operator(row) for row in dump.cases),
        note="Errors and tolerances are parts of the largest right value. 'no shader': DirectML has the operator at "
        "this size as a DXIL shader only, which Wine's Direct3D cannot compile, so nothing is known of it here.",
    )
    if not dump.limits:
        return (operators,)
    limits = Section(
        title="Largest outlier in a row of zeros that a norm gets right in fp16",
        columns=("norm", "width", "right up to", "wrong at", "sqrt(65504 x width)"),
        rows=tuple(_limit(limit) for limit in dump.limits),
        note="The last column is where the mean square passes fp16's largest number.",
    )
    return (operators, limits)


def _operator(row: Row) -> tuple[str | int | float | None, ...]:
    return (row.name, _size(row.dims), row.error, row.tolerance, _finding(row), _smallest(row))


def _limit(limit: Limit) -> tuple[str | int | float | None, ...]:
    return (limit.norm, limit.width, limit.right, limit.wrong, limit.predicted)


def _size(dims: dict[str, int]) -> str:
    return " ".join(f"{name}={value}" for name, value in dims.items())


def _finding(row: Row) -> str:
    if row.is_wrong:
        return "WRONG" if row.status is rows.Measured.RAN else f"FAILED: {row.message}"
    return "agrees" if row.status is rows.Measured.RAN else row.status.value


def _smallest(row: Row) -> str:
    if row.smallest is None:
        return ""
    error = f", error {row.smallest.error:.3g}" if row.smallest.error is not None else ""
    return _size(row.smallest.dims) + error
