"""Rules about wheels of one release for several processors: they are the same but for the processor."""

from __future__ import annotations

from collections.abc import Iterator

from recipes.audit.findings import Family, Finding, Severity
from recipes.audit.processor_twins import differences, side_of
from recipes.audit.readers.wheel import Wheel
from recipes.audit.surroundings import Context

_FAMILY = Family(title="Several processors")

TWIN = _FAMILY.rule(
    "twin-differs",
    Severity.ERROR,
    "Wheels for x64 and ARM64 are the same but for the processor",
    "Where the x64 and the ARM64 wheel of a release are audited together, their Python files are the same and their "
    "libraries export the same functions. Otherwise what was proven on one says little about the other. For wheels of "
    "other projects it is an info.",
    "Build both from the same sources, with the same options.",
)


def twins(wheel: Wheel, context: Context) -> Iterator[Finding]:
    """Compare an ARM64 wheel with the x64 one of the same release and Python among the audited wheels."""
    for other in context.wheels if _processor(wheel) == "arm64" else ():
        same = (other.name, other.version) == (wheel.name, wheel.version) and _processor(other) == "x64"
        if not same or not (wheel.readable and other.readable) or _pythons(wheel) != _pythons(other):
            continue
        for path, what in differences(side_of(other), side_of(wheel)):
            severity = None if wheel.own else Severity.INFO
            yield TWIN.finding(wheel.file, f"{what}, compared with {other.file}", where=path, severity=severity)


def _processor(wheel: Wheel) -> str:
    found = {p.rpartition("win_")[2] for p in wheel.platforms if p.startswith("win_")}
    return {"arm64": "arm64", "amd64": "x64"}.get(found.pop() if len(found) == 1 else "", "")


def _pythons(wheel: Wheel) -> set[tuple[str, str]]:
    return {(tag.interpreter, tag.abi) for tag in wheel.named.tags} if wheel.named else set()


CHECKS = (twins,)
