"""What one variant tells about another that came out wrong."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from smoke.backends import dml
from smoke.backends.selection import Planned
from smoke.parity.verdicts import Verdict
from smoke.report.results import Result


def added(results: Sequence[Result], plan: Sequence[Planned]) -> list[Result]:
    """Return the results, each that DIVERGED with what those variants came to that explain it, in the remedy."""
    explained = {f"{item.backend.name}:{item.variant.explains}": item.name for item in plan if item.variant.explains}
    verdicts = {f"{result.backend}:{result.variant}": result.verdict for result in results}
    return [_with(result, explained.get(f"{result.backend}:{result.variant}", ""), verdicts) for result in results]


def _with(result: Result, by: str, verdicts: dict[str, Verdict]) -> Result:
    if not by or result.verdict is not Verdict.DIVERGED:
        return result
    text = {Verdict.PASS: dml.CAPTURE_AT_FAULT, Verdict.DIVERGED: dml.CAPTURE_NOT_AT_FAULT}.get(verdicts[by])
    if text is None:
        return result
    return msgspec.structs.replace(result, remedy=f"{text.format(name=by)} {result.remedy}".rstrip())
