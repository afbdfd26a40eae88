"""Rules about licences."""

from __future__ import annotations

import re
from collections.abc import Iterator

from recipes.audit.findings import Family, Finding, Severity
from recipes.audit.readers.wheel import Wheel
from recipes.audit.surroundings import Context

_FAMILY = Family(title="Licences")
_LICENCE = re.compile(r"(^|[/._-])(licen[cs]es?|copying|unlicense)([._-]|/|$)", re.IGNORECASE)
_NOTICES = re.compile(r"third.?party.?notices?|thirdpartylicenses|(^|/)notices?([._-]|$)", re.IGNORECASE)

LICENCE = _FAMILY.rule(
    "licence-missing",
    Severity.WARNING,
    "The licence is in the wheel",
    "Nearly every licence asks that its text goes with each copy. An error in wheels that are built here.",
    "Add the licence file (PEP 639: `license-files`), and take over those of the binaries that were packed in.",
)
NOTICES = _FAMILY.rule(
    "notices-missing",
    Severity.WARNING,
    "Third-party notices go with ONNX Runtime's binaries",
    "onnxruntime and GenAI link dozens of libraries statically; ThirdPartyNotices.txt carries their licences. An "
    "error in wheels that are built here.",
    "Copy ThirdPartyNotices.txt from the source or the published wheel into the package.",
)


def legal(wheel: Wheel, _context: Context) -> Iterator[Finding]:
    """Look for licence texts and notices by their usual names."""
    if not wheel.readable or not wheel.dist_info:
        return
    severity = Severity.ERROR if wheel.own else None
    if not any(_LICENCE.search(path) and wheel.members[path].size for path in wheel.members):
        yield LICENCE.finding(wheel.file, "carries no licence text", severity=severity)
    native = any(b.name.lower().startswith(("onnxruntime", "libonnxruntime")) for b in wheel.binaries.values())
    if native and not any(_NOTICES.search(path) and wheel.members[path].size for path in wheel.members):
        yield NOTICES.finding(wheel.file, "carries no third-party notices", severity=severity)


CHECKS = (legal,)
