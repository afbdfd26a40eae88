"""A run held against an earlier report: what seems slower is measured again before it is said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec

from smoke.comparing import baseline
from smoke.report.results import Change, Report
from smoke.running.smoke_request import Request
from wheelhouse.console import say
from wheelhouse.errors import RegressionError

TRIES = 2
"""How often something that seems slower is measured again."""


def wanted(given: str, request: Request) -> Report:
    """Read the report that a run is to be held against. Raise InputError, also when the run asks something else."""
    before = baseline.read(Path(given).expanduser())
    baseline.require_alike(before, prompts=request.prompts, max_new_tokens=request.max_new_tokens)
    return before


def compared(found: Report, before: Report, request: Request, run: Callable[[Request], Report]) -> Report:
    """Return the report with what changed since `before`; `run` runs a request.

    Raise InputError when the two are about different things.
    """
    baseline.require_alike(before, prompts=found.prompts, max_new_tokens=found.max_new_tokens, model=found.model.name)
    changed = baseline.changes(found, before)
    for _ in range(TRIES):
        slower = baseline.slower(changed)
        if not slower:
            break
        say(f"slower than then: {', '.join(sorted(slower))}; measuring again before it is said")
        found = _again(found, slower, request, run)
        changed = baseline.changes(found, before)
    return msgspec.structs.replace(found, changes=changed, baseline=before.created)


def _again(found: Report, names: set[str], request: Request, run: Callable[[Request], Report]) -> Report:
    planned = {item.name: item for item in request.plan}
    needed = [name for name, item in planned.items() if f"{item.backend.name} {item.variant.name}" in names]
    for name in needed:  # it grows: what each is compared with, and what that is compared with
        base = planned[name].variant.against
        needed += [base] * (base in planned and base not in needed)
    plan = [item for name, item in planned.items() if name in needed]
    again = run(replace(request, plan=plan, report=request.report / "again", dump=None))
    measured = {result.name: result for result in again.results if result.name in names and result.text}
    results = tuple(
        baseline.pooled(result, measured[result.name]) if result.name in measured else result
        for result in found.results
    )
    noise = [share for share in (found.host.noise, again.host.noise) if share is not None]
    work = [seconds for seconds in (found.host.work_s, again.host.work_s) if seconds is not None]
    host = msgspec.structs.replace(found.host, noise=max(noise, default=None), work_s=max(work, default=None))
    return msgspec.structs.replace(found, results=results, host=host, seconds=found.seconds + again.seconds)


def require_no_regression(changes: tuple[Change, ...]) -> None:
    """Raise RegressionError naming everything that got worse."""
    worse = [change for change in changes if change.kind == "worse"]
    if worse:
        listed = "; ".join(f"{change.name}: {change.text}" for change in worse)
        raise RegressionError(f"Worse than the baseline: {listed}.", remedy="The report and the logs say more.")
