"""Rules about building twice and getting the same bytes; asked of wheels that are built here."""

from __future__ import annotations

from collections.abc import Iterator

from recipes.audit.findings import Family, Finding, Severity
from recipes.audit.readers.wheel import Wheel
from recipes.audit.surroundings import Context

_FAMILY = Family(title="Reproducibility")

TIMES = _FAMILY.rule(
    "timestamps",
    Severity.ERROR,
    "Members have one time",
    "Every member has the time SOURCE_DATE_EPOCH, so that two builds of the same inputs are the same file. Asked only "
    "of wheels that are built here.",
    "Build with SOURCE_DATE_EPOCH set, as `invoke build` does.",
)
ORDER = _FAMILY.rule(
    "member-order",
    Severity.ERROR,
    "Members are in a fixed order",
    "Members come sorted by path, with .dist-info last (installers and pip read it from the end) and RECORD the very "
    "last; the order of a directory listing differs between machines. Asked only of wheels that are built here.",
    "Pack the wheel with sorted paths.",
)


def reproducible(wheel: Wheel, _context: Context) -> Iterator[Finding]:
    """Check times and order of the members of a wheel of ours."""
    if not wheel.own or not wheel.readable or not wheel.dist_info:
        return
    times = sorted({m.time for m in wheel.members.values()})
    if len(times) > 1:
        first, last = ("{:04}-{:02}-{:02} {:02}:{:02}:{:02}".format(*t) for t in (times[0], times[-1]))
        yield TIMES.finding(wheel.file, f"has members of {len(times)} different times, from {first} to {last}")
    names = list(wheel.members)
    inside = [n for n in names if n.startswith(f"{wheel.dist_info}/")]
    outside = [n for n in names if n not in set(inside)]
    record = f"{wheel.dist_info}/RECORD"
    expected = [*sorted(outside), *sorted(n for n in inside if n != record), *([record] if record in inside else [])]
    if names != expected and names != sorted(names):
        at = next(name for name, wanted in zip(names, expected, strict=True) if name != wanted)
        yield ORDER.finding(wheel.file, "has its members in no fixed order: this one is out of place", where=at)


CHECKS = (reproducible,)
