"""What one variant tells about another that came out wrong."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from smoke.backends import dml, with_graphs
from smoke.backends.selection import Planned
from smoke.parity.verdicts import Verdict
from smoke.report.results import Result
from wheelhouse.processes.quoting import own_shell, quote


def added(results: Sequence[Result], plan: Sequence[Planned], model: str) -> list[Result]:
    """Return the results, each that DIVERGED with what those variants came to that explain it, in the remedy.

    And with the command that looks further.
    """
    explained = {f"{item.backend.name}:{item.variant.explains}": item.name for item in plan if item.variant.explains}
    verdicts = {f"{result.backend}:{result.variant}": result.verdict for result in results}
    told = [_with(result, explained.get(f"{result.backend}:{result.variant}", ""), verdicts) for result in results]
    return [_dividing(result, model) for result in told]


def _dividing(result: Result, model: str) -> Result:
    """Return a result that DIVERGED with the command that names the operator, where its graph can be divided."""
    beside = with_graphs.held_to(result.backend, result.variant) if result.verdict is Verdict.DIVERGED else ""
    if not beside:
        return result
    command = (
        f"invoke bisect --model {quote(model, own_shell())} --left {beside} --right {result.backend}:{result.variant}"
    )
    return msgspec.structs.replace(
        result, remedy=f"{result.remedy} `{command}` names the operator, if one is at fault.".lstrip()
    )


def _with(result: Result, by: str, verdicts: dict[str, Verdict]) -> Result:
    if not by or result.verdict is not Verdict.DIVERGED:
        return result
    text = {Verdict.PASS: dml.CAPTURE_AT_FAULT, Verdict.DIVERGED: dml.CAPTURE_NOT_AT_FAULT}.get(verdicts[by])
    if text is None:
        return result
    return msgspec.structs.replace(result, remedy=f"{text.format(name=by)} {result.remedy}".rstrip())
