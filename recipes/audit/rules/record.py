"""Rules about RECORD: the list of files with their hashes that installers verify and uninstall by."""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from collections.abc import Iterator

from recipes.audit.findings import Family, Finding, Severity
from recipes.audit.readers.metadata import RecordLine
from recipes.audit.readers.wheel import Wheel
from recipes.audit.surroundings import Context

_FAMILY = Family(title="RECORD")
_STRONG = ("sha256", "sha384", "sha512")

MISSING = _FAMILY.rule(
    "record-missing",
    Severity.ERROR,
    "There is a RECORD",
    "A wheel without RECORD cannot be verified, installed or uninstalled.",
    "Build the wheel again; do not edit wheels with a ZIP tool.",
)
FORM = _FAMILY.rule(
    "record-form",
    Severity.ERROR,
    "RECORD is well formed",
    "Every line has a path, a hash of SHA-256 or stronger and a size; no path occurs twice.",
    "Build the wheel again with a current build backend.",
)
MISMATCH = _FAMILY.rule(
    "record-mismatch",
    Severity.ERROR,
    "RECORD tells the truth",
    "Hash and size of every file are those that RECORD states. A difference means that the file was changed after the "
    "wheel was made.",
    "Do not install this wheel. If you changed it on purpose, repack it so that RECORD is written anew.",
)
UNLISTED = _FAMILY.rule(
    "record-unlisted",
    Severity.ERROR,
    "No file outside RECORD",
    "A file that RECORD does not list is installed unverified, and stays behind when the package is removed.",
    "Repack the wheel so that RECORD is written anew, or remove the file.",
)
ABSENT = _FAMILY.rule(
    "record-absent",
    Severity.ERROR,
    "No entry without a file",
    "RECORD lists a file that the wheel does not carry: something was lost.",
    "Build the wheel again.",
)


def record(wheel: Wheel, _context: Context) -> Iterator[Finding]:
    """Compare RECORD with what the archive holds."""
    if not wheel.readable or not wheel.dist_info:
        return  # reported by `metadata-missing`
    own = f"{wheel.dist_info}/RECORD"
    if wheel.record is None:
        yield MISSING.finding(wheel.file, "has no RECORD", where=own)
        return
    exempt = {own, f"{own}.jws", f"{own}.p7s"}
    listed = {line.path: line for line in wheel.record}
    yield from _form(wheel, exempt)
    for path in sorted(wheel.members.keys() - listed.keys() - exempt):
        yield UNLISTED.finding(wheel.file, "is not listed in RECORD", where=path)
    for path in sorted(p for p in listed.keys() - wheel.members.keys() - exempt if p):
        yield ABSENT.finding(wheel.file, "is listed in RECORD but is not in the wheel", where=path)
    for path in sorted(listed.keys() & wheel.members.keys() - exempt):
        yield from _compare(wheel, listed[path])


def _form(wheel: Wheel, exempt: set[str]) -> Iterator[Finding]:
    lines = wheel.record or ()
    for line in lines:
        if line.problem:
            yield FORM.finding(wheel.file, f"RECORD {line.problem}", where=line.path)
        elif line.path not in exempt and line.algorithm not in _STRONG:
            what = f"uses {line.algorithm}, which is too weak" if line.algorithm else "gives no hash"
            yield FORM.finding(wheel.file, f"RECORD {what} for this file", where=line.path)
    for path, count in Counter(line.path for line in lines if not line.problem).items():
        if count > 1:
            yield FORM.finding(wheel.file, f"RECORD lists it {count} times", where=path)


def _compare(wheel: Wheel, line: RecordLine) -> Iterator[Finding]:
    member = wheel.members[line.path]
    if not member.sha256:
        return  # it could not be read, which is reported already
    if line.size is not None and line.size != member.size:
        message = f"has {member.size} bytes where RECORD says {line.size}"
        yield MISMATCH.finding(wheel.file, message, where=line.path)
    elif line.algorithm == "sha256" and _hex(line.digest) != member.sha256:
        message = f"has SHA-256 {member.sha256} where RECORD says {_hex(line.digest) or line.digest}"
        yield MISMATCH.finding(wheel.file, message, where=line.path)


def _hex(digest: str) -> str:
    """Return a digest in hexadecimal from RECORD's URL-safe base64 without padding, "" when it is not that."""
    try:
        return base64.urlsafe_b64decode(digest + "=" * (-len(digest) % 4)).hex()
    except (binascii.Error, ValueError):
        return ""


CHECKS = (record,)
