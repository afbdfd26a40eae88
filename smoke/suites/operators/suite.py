"""Running the operator suite in a provider's environment, and its part of the report."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from smoke.backends.registry import WORKER
from smoke.environments.source import Environment
from smoke.parity.dumps import Device
from smoke.parity.speeds import Performance
from smoke.parity.verdicts import Judgement, Verdict, of_process
from smoke.report.results import Result, Section
from smoke.running.jobs import PROGRESS
from smoke.suites.operators import measurements, operator_tables, rows
from smoke.suites.operators.measured_providers import VARIANT, Target
from smoke.suites.operators.measurements import Measurements
from smoke.suites.operators.rows import Begun, Dump, Row
from wheelhouse import process, scratch
from wheelhouse.console import Task, task
from wheelhouse.errors import NetworkError, ToolchainError, UnsupportedError, WheelhouseError
from wheelhouse.files import write_atomic
from wheelhouse.process import OUT_OF_MEMORY, Completed
from wheelhouse.processes.exits import describe_exit

WORKER_FILE = WORKER / "operators.py"
LINES = "rows.jsonl"
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


def run(target: Target, *, wheels: Sequence[Path], report: Path, timeout: float, only: Sequence[str] = ()) -> Outcome:
    """Run a suite with `wheels`; what it measured and its log go to `report`. Its failures do not raise.

    `only`: parts of case names.
    """
    place = target.source()
    status = place.status()
    if not (status.ready or status.makeable or wheels):
        skipped = Judgement(verdict=Verdict.SKIPPED, reason=status.reason, remedy=status.remedy)
        return Outcome(result=without(target, skipped))
    try:
        environment = place.prepare(wheels)
    except WheelhouseError as error:
        lacking = isinstance(error, NetworkError | ToolchainError | UnsupportedError)
        verdict = Verdict.SKIPPED if lacking else Verdict.CRASHED
        reason = f"Its environment could not be made: {error.message}"
        return Outcome(result=without(target, Judgement(verdict=verdict, reason=reason, remedy=error.remedy)))
    with scratch.folder() as folder:
        attempt = _Attempt(target=target, environment=environment, folder=folder, report=report, only=tuple(only))
        return attempt.run(timeout)


@dataclass(frozen=True, kw_only=True)
class _Attempt:
    """One run of a suite. `folder` is where its worker writes."""

    target: Target
    environment: Environment
    folder: Path
    report: Path
    only: tuple[str, ...]

    def run(self, timeout: float) -> Outcome:
        """Run everything within `timeout` seconds, keep the measurements, return the outcome."""
        started = time.monotonic()
        with task(self.target.name) as shown:
            found, judgement = self._all_cases(started + timeout, shown)
            if judgement.verdict.is_fault:
                shown.fail(judgement.verdict.value)
        seconds = time.monotonic() - started
        device = _seen(self.target, found)
        result = msgspec.structs.replace(
            without(self.target, judgement),
            environment=self.environment.label,
            log=f"logs/{self._log.name}",
            performance=Performance(worker_s=seconds),
            device=device.name,
            device_details=device if device.name else None,
            versions=found.dump.versions,
            loaded=tuple(found.dump.loaded),
        )
        if not found.cases:
            return Outcome(result=result, seconds=seconds)
        measurements.write(
            self.report,
            Measurements(
                suite=self.target.name,
                device=device,
                environment=self.environment.label,
                versions=found.dump.versions,
                rows=found.cases,
                limits=tuple(found.dump.limits),
            ),
        )
        return Outcome(
            result=result, sections=operator_tables.sections(self.target, found.cases, found.dump), seconds=seconds
        )

    @property
    def _log(self) -> Path:
        return self.report / "logs" / f"{self.target.name}.log"

    def _all_cases(self, deadline: float, shown: Task) -> tuple[Found, Judgement]:
        """Run the worker, and again for the rest as often as an operator takes it down; return everything it found."""
        before: list[Row] = []
        tried: set[str] = set()
        for _ in range(CRASHES):
            left = max(deadline - time.monotonic(), 1.0)
            done = self._worker([row.name for row in before], left, shown)
            try:
                rows_so_far, begun = self._lines()
                if done.returncode == 0 and not done.timed_out:
                    return self._finished(tuple(before), rows_so_far)
            except (OSError, msgspec.MsgspecError, ValueError, RecursionError) as error:
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
            (self.folder / LINES).unlink()
        reason = f"The worker was taken down {CRASHES} times."
        return Found(cases=tuple(before)), Judgement(verdict=Verdict.CRASHED, reason=reason)

    def _finished(self, before: tuple[Row, ...], last: Sequence[Row]) -> tuple[Found, Judgement]:
        """Return what workers found of which the last came to its end. Raise OSError or msgspec.MsgspecError."""
        dump = rows.read((self.folder / "dump.json").read_bytes())
        found = Found(cases=(*before, *last), dump=dump)
        if dump.status == "unavailable":
            return found, Judgement(verdict=Verdict.SKIPPED, reason=dump.reason, remedy=dump.remedy)
        return found, rows.judge(found.cases, self.target.execution_provider, self.target.device)

    def _lines(self) -> tuple[list[Row], Begun | None]:
        file = self.folder / LINES
        return rows.read_lines(file.read_bytes()) if file.exists() else ([], None)

    def _worker(self, skip: Sequence[str], timeout: float, shown: Task) -> Completed:
        name = self.environment.host_path
        trace = self.folder / "trace.log"
        job = {
            "provider": self.target.provider,
            "only": list(self.only),
            "skip": list(skip),
            "probe": not self.only,
            "cpu": self.target.native,
            "output": name(self.folder),
            "trace": name(trace),
        }
        write_atomic(self.folder / "job.json", json.dumps(job))
        traced = replace(self.environment, env={**self.environment.env, TRACE_VARIABLE: name(trace)})
        return process.run(
            traced.command(name(WORKER_FILE), name(self.folder / "job.json"), timeout=timeout),
            log=self._log,
            check=False,
            on_line=lambda line: shown.follow(line.removeprefix(PROGRESS)) if line.startswith(PROGRESS) else None,
        )


def without(target: Target, judgement: Judgement) -> Result:
    """Return the result of a suite of which nothing but the verdict is known."""
    return Result(
        backend=target.name,
        variant=VARIANT,
        device="",
        verdict=judgement.verdict,
        reason=judgement.reason,
        remedy=judgement.remedy,
        gate="each operator within its tolerance",
        against="the CPU provider",
        requested_device=target.device,
    )


def _seen(target: Target, found: Found) -> Device:
    """Return where the operators ran by the profile, and what the worker says of the device there."""
    counts: Counter[str] = Counter()
    for row in found.cases:
        counts.update(row.providers)
    evidence = ", ".join(f"{count} nodes on {provider}" for provider, count in sorted(counts.items()))
    said = found.dump.device
    return Device(
        name=target.device if set(counts) == {target.execution_provider} else ",".join(sorted(counts)),
        description=said.description,
        evidence=f"ONNX Runtime's profile with session.disable_cpu_ep_fallback: {evidence}"
        + (f"; {said.evidence}" if said.evidence else ""),
    )
