"""Running the operator suite in DirectML's environment, and its part of the report."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from smoke.backends.dml import source
from smoke.backends.registry import WORKER
from smoke.environments.source import Environment, Source
from smoke.parity.dumps import Device
from smoke.parity.speeds import Performance
from smoke.parity.verdicts import Judgement, Verdict, of_process
from smoke.report.results import Result, Section
from smoke.running import scratch
from smoke.running.jobs import PROGRESS
from smoke.suites.dml_ops import rows
from smoke.suites.dml_ops.rows import Begun, Dump, Limit, Row
from wheelhouse import process
from wheelhouse.console import Task, task
from wheelhouse.errors import NetworkError, ToolchainError, UnsupportedError, WheelhouseError
from wheelhouse.files import write_atomic
from wheelhouse.process import OUT_OF_MEMORY, Completed
from wheelhouse.processes.exits import describe_exit

NAME = "dml-ops"
SUMMARY = "single operators on DirectML, against the CPU provider"
VARIANT = "operators"
WORKER_FILE = WORKER / "operators.py"
LINES = "rows.jsonl"
LOG = f"{NAME}.log"
PYTHON_ERROR = 1
"""How a Python ends that has printed a traceback: the worker's own fault, not an operator's."""
CRASHES = 20
"""How often the worker may be taken down by an operator before the suite gives up."""
TRACE_VARIABLE = "DML_WHEELHOUSE_D3D12_TRACE"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The suite's result, its tables, and the seconds that its worker took."""

    result: Result
    sections: tuple[Section, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Found:
    """Everything that the workers found."""

    cases: tuple[Row, ...] = ()
    dump: Dump = field(default_factory=lambda: Dump(status="absent"))


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
    started = time.monotonic()
    with task(NAME) as shown:
        found, judgement = _all_cases(environment, folder, report, only, started + timeout, shown)
    seconds = time.monotonic() - started
    result = msgspec.structs.replace(
        _without(judgement),
        environment=environment.label,
        log=f"logs/{LOG}",
        performance=Performance(worker_s=seconds),
        **_seen(found),
    )
    return Outcome(result=result, sections=tables(found) if found.cases else (), seconds=seconds)


def _all_cases(
    environment: Environment, folder: Path, report: Path, only: Sequence[str], deadline: float, shown: Task
) -> tuple[Found, Judgement]:
    """Run the worker, and again for the rest as often as an operator takes it down; return everything it found."""
    before: list[Row] = []
    tried: set[str] = set()
    for _ in range(CRASHES):
        left = max(deadline - time.monotonic(), 1.0)
        skip = [row.name for row in before]
        done = _worker(environment, folder, report, {"only": list(only), "skip": skip, "probe": not only}, left, shown)
        try:
            rows_so_far, begun = _lines(folder)
            if done.returncode == 0 and not done.timed_out:
                dump = rows.read((folder / "dump.json").read_bytes())
                found = Found(cases=(*before, *rows_so_far), dump=dump)
                return found, rows.judge(found.cases)
        except (OSError, msgspec.MsgspecError) as error:
            reason = f"What the worker left behind cannot be read: {error}."
            return Found(), Judgement(verdict=Verdict.CRASHED, reason=reason)
        bad_end = of_process(done, left) or Judgement(verdict=Verdict.CRASHED)
        if begun is None or done.timed_out or done.returncode == PYTHON_ERROR:
            return Found(cases=(*before, *rows_so_far)), bad_end
        before += rows_so_far
        if begun.name in tried:
            how = OUT_OF_MEMORY if done.out_of_memory else describe_exit(done.returncode)
            before.append(rows.crashed(begun, f"the process {how}, twice"))
        tried.add(begun.name)  # once may be the machine's fault: what fails twice in a row is the operator's
        (folder / LINES).unlink()
    reason = f"The worker was taken down {CRASHES} times."
    return Found(cases=tuple(before)), Judgement(verdict=Verdict.CRASHED, reason=reason)


def _lines(folder: Path) -> tuple[list[Row], Begun | None]:
    file = folder / LINES
    return rows.read_lines(file.read_bytes()) if file.exists() else ([], None)


def _worker(
    environment: Environment, folder: Path, report: Path, job: Mapping[str, object], timeout: float, shown: Task
) -> Completed:
    name = environment.host_path
    trace = folder / "trace.log"
    write_atomic(folder / "job.json", json.dumps({**job, "output": name(folder), "trace": name(trace)}))
    traced = replace(environment, env={**environment.env, TRACE_VARIABLE: name(trace)})
    return process.run(
        traced.command(name(WORKER_FILE), name(folder / "job.json"), timeout=timeout),
        log=report / "logs" / LOG,
        check=False,
        on_line=lambda line: shown.update(line.removeprefix(PROGRESS)) if line.startswith(PROGRESS) else None,
    )


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


def _seen(found: Found) -> dict[str, object]:
    """Return what the profile and the process say: where the operators ran, with which libraries."""
    counts: dict[str, int] = {}
    for row in found.cases:
        for provider, count in row.providers.items():
            counts[provider] = counts.get(provider, 0) + count
    evidence = ", ".join(f"{count} nodes on {provider}" for provider, count in sorted(counts.items()))
    name = "DirectML" if set(counts) == {rows.DML} else ",".join(sorted(counts))
    device = Device(name=name, evidence=f"ONNX Runtime's profile with session.disable_cpu_ep_fallback: {evidence}")
    return {
        "device": name,
        "device_details": device if name else None,
        "versions": found.dump.versions,
        "loaded": tuple(found.dump.loaded),
    }


def tables(found: Found) -> tuple[Section, ...]:
    """Return the suite's tables: every operator, and where the norms break."""
    operators = Section(
        title="Operators on DirectML against the CPU provider",
        columns=("operator", "size", "error", "tolerance", "finding", "smallest that fails"),
        rows=tuple(_operator(row) for row in found.cases),
        note="Errors and tolerances are parts of the largest right value. 'no shader': DirectML has the operator at "
        "this size as a DXIL shader only, which Wine's Direct3D cannot compile, so nothing is known of it here.",
    )
    if not found.dump.limits:
        return (operators,)
    limits = Section(
        title="Largest outlier in a row of zeros that a norm gets right in fp16",
        columns=("norm", "width", "right up to", "wrong at", "sqrt(65504 x width)"),
        rows=tuple(_limit(limit) for limit in found.dump.limits),
        note="The last column is where the mean square passes fp16's largest number.",
    )
    return (operators, limits)


def _operator(row: Row) -> tuple[str | int | float | None, ...]:
    return (row.name, _size(row.dims), _rounded(row.error), _rounded(row.tolerance), _finding(row),
            _smallest(row))  # fmt: skip


def _limit(limit: Limit) -> tuple[str | int | float | None, ...]:
    return (limit.norm, limit.width, *map(_rounded, (limit.right, limit.wrong, limit.predicted)))


def _rounded(number: float | None) -> float | None:
    return None if number is None else float(f"{number:.4g}")


def _size(dims: dict[str, int]) -> str:
    return " ".join(f"{name}={value}" for name, value in dims.items())


def _finding(row: Row) -> str:
    if row.is_wrong:
        where = f" ({row.output})" if row.output not in {"", "y"} else ""
        return f"WRONG{where}" if row.status is rows.Measured.RAN else f"FAILED: {row.message}"
    return "agrees" if row.status is rows.Measured.RAN else row.status.value


def _smallest(row: Row) -> str:
    if row.smallest is None:
        return ""
    error = f", error {row.smallest.error:.3g}" if row.smallest.error is not None else ""
    return _size(row.smallest.dims) + error
