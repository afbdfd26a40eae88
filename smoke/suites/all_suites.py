"""Backends that answer other questions than a model's: they add results and tables of their own to the report."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from smoke.environments.source import Source
from smoke.models import resolving
from smoke.report.results import ModelInfo, Report, Section, Timing
from smoke.running import this_machine
from smoke.suites.npu_check import suite as npu_check
from smoke.suites.operators import measured_providers
from smoke.suites.operators import suite as operator_suite
from smoke.suites.operators.suite import Outcome
from wheelhouse.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Suite:
    """One suite: how it is named on the command line, what it does, where it runs."""

    name: str
    summary: str
    variant: str
    source: Source


SUITES = (
    *(
        Suite(name=target.name, summary=target.summary, variant=measured_providers.VARIANT, source=target.source())
        for target in measured_providers.TARGETS
    ),
    Suite(name=npu_check.NAME, summary=npu_check.SUMMARY, variant=npu_check.VARIANT, source=npu_check.Compiler()),
)


def split(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the names that are suites, and the others."""
    known = {suite.name for suite in SUITES}
    return [name for name in names if name in known], [name for name in names if name not in known]


def check_operators(names: Sequence[str], operators: Sequence[str]) -> None:
    """Raise UsageError where cases are named and no suite that has any."""
    suites = [target.name for target in measured_providers.TARGETS]
    if operators and not set(names) & set(suites):
        raise UsageError("--operator chooses cases of a suite of operators, and none was named.",
                         remedy=f"Add --backend {' or --backend '.join(suites)}.")  # fmt: skip


def empty_report() -> Report:
    """Return the report of a run in which no model takes part."""
    return Report(
        schema=3,
        created=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        model=ModelInfo(name="no model", label="", key=""),
        host=this_machine.host({}),
        prompts=(),
        max_new_tokens=0,
        passed=True,
        results=(),
        timings=(),
        seconds=0.0,
    )


def added(
    report: Report,
    names: Sequence[str],
    *,
    wheels: Sequence[Path],
    folder: Path,
    timeout: float,
    model: str = resolving.DEFAULT,
    operators: Sequence[str] = (),
) -> Report:
    """Run the suites `names` and return `report` with what they found.

    `model` is for those that look at one, `operators` (parts of cases' names) for those of operators.
    """
    for name in dict.fromkeys(names):
        if name == npu_check.NAME:
            started = time.monotonic()
            section = npu_check.for_report(model, report=folder)
            report = _timed(report, name, time.monotonic() - started, section)
            continue
        target = next(target for target in measured_providers.TARGETS if target.name == name)
        fitting = [wheel for wheel in wheels if target.source().takes(wheel)]
        outcome = operator_suite.run(target, wheels=fitting, report=folder, timeout=timeout, only=operators)
        report = _with(report, outcome)
    return report


def _timed(report: Report, part: str, seconds: float, section: Section) -> Report:
    return msgspec.structs.replace(
        report,
        sections=(*report.sections, section),
        timings=(*report.timings, Timing(part=part, seconds=seconds)),
        seconds=report.seconds + seconds,
    )


def _with(report: Report, outcome: Outcome) -> Report:
    return msgspec.structs.replace(
        report,
        results=(*report.results, outcome.result),
        sections=(*report.sections, *outcome.sections),
        timings=(*report.timings, Timing(part=f"worker {outcome.result.backend}", seconds=outcome.seconds)),
        seconds=report.seconds + outcome.seconds,
        passed=report.passed and not outcome.result.verdict.is_fault,
    )
