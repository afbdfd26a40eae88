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


NAMED = _FAMILY.rule(
    "licence-file-absent",
    Severity.ERROR,
    "Licence files that METADATA names are there",
    "Each License-File of METADATA is a file of the wheel: in .dist-info/licenses/ since METADATA 2.4, in "
    ".dist-info before.",
    "Add the file (PEP 639: `license-files`), or remove the field.",
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


def named(wheel: Wheel, _context: Context) -> Iterator[Finding]:
    """Look for the files that METADATA names."""
    for name in wheel.metadata.licence_files if wheel.metadata else ():
        places = {f"{wheel.dist_info}/licenses/{name}", f"{wheel.dist_info}/{name}"}
        places.add(f"{wheel.dist_info}/{name.rpartition('/')[2]}")  # setuptools before METADATA 2.4
        if places.isdisjoint(wheel.members):
            message = f"names the licence file {name[:80]}, which is not there"
            yield NAMED.finding(wheel.file, message, where=f"{wheel.dist_info}/METADATA")


CHECKS = (legal, named)
