"""Rules about the SBOM and the provenance record of wheels that are built here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from recipes.audit.findings import Family, Finding, Severity
from recipes.audit.readers.wheel import Wheel
from recipes.audit.surroundings import Context
from recipes.bill.sbom import PROVENANCE_FORMAT, PROVENANCE_NAME, SBOM_NAME

_FAMILY = Family(title="SBOM and provenance")

MISSING = _FAMILY.rule(
    "sbom-missing",
    Severity.ERROR,
    "Our wheels carry an SBOM and a provenance record",
    "A CycloneDX document in .dist-info/sboms/ (PEP 770) and provenance.json say what a wheel was made from. Asked "
    "only of wheels that are built here.",
    "Build the wheel with `invoke build` or `invoke build-dml`, which write both.",
)
MISMATCH = _FAMILY.rule(
    "sbom-mismatch",
    Severity.ERROR,
    "SBOM and provenance describe this wheel",
    "Name and version are the wheel's, and the listed binaries are exactly those in it, with their hashes. Checked in "
    "every wheel that has an SBOM of ours.",
    "Build the wheel again; something was changed after the SBOM was written.",
)
COMMIT = _FAMILY.rule(
    "commit-mismatch",
    Severity.ERROR,
    "What is inside says the commit that it was built from",
    "ONNX Runtime's libraries name their commit (git-commit-id=), GenAI's Python does (__commit__). It is one of those "
    "that the recipe's lock pins, which the provenance record lists; otherwise the wheel is not what it says it is.",
    "Build it again from the locked commit, or correct `origin` in the recipe of a wheel that is packed again.",
)
_TOLD = re.compile(rb"""^__commit__\s*=\s*['"]([0-9a-f]{7,40})['"]""", re.MULTILINE)


def sbom(wheel: Wheel, _context: Context) -> Iterator[Finding]:
    """Compare the SBOM and the provenance record with the wheel."""
    if not wheel.readable or not wheel.dist_info:
        return
    for name, read in ((SBOM_NAME, _from_sbom), (PROVENANCE_NAME, _from_provenance)):
        where = f"{wheel.dist_info}/{name}"
        raw = wheel.texts.get(where)
        if raw is None:
            if wheel.own:
                yield MISSING.finding(wheel.file, f"has no {name}", where=where)
            continue
        try:
            identity, binaries = read(json.loads(raw))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            yield MISMATCH.finding(wheel.file, f"cannot be understood: {error!r:.100}", where=where)
            continue
        yield from _compare(wheel, where, identity, binaries)


def _from_sbom(document: Any) -> tuple[tuple[str, str], dict[str, str]]:
    if document["bomFormat"] != "CycloneDX":
        raise ValueError("it is not a CycloneDX document")
    subject = document["metadata"]["component"]
    files = [c for c in document.get("components", []) if c["type"] == "file"]
    hashes = {c["name"]: next(h["content"] for h in c["hashes"] if h["alg"] == "SHA-256") for c in files}
    return (str(subject["name"]), str(subject["version"])), hashes


def _from_provenance(document: Any) -> tuple[tuple[str, str], dict[str, str]]:
    if document["format"] != PROVENANCE_FORMAT:
        raise ValueError(f"its format is {document['format']!r}")
    hashes = {b["path"]: b["sha256"] for b in document["binaries"]}
    return (str(document["name"]), str(document["version"])), hashes


def _compare(wheel: Wheel, where: str, identity: tuple[str, str], listed: dict[str, str]) -> Iterator[Finding]:
    from packaging.utils import canonicalize_name

    if str(canonicalize_name(identity[0])) != wheel.name or identity[1] != str(wheel.version):
        message = f"describes {identity[0]} {identity[1]}, this is {wheel.name} {wheel.version}"
        yield MISMATCH.finding(wheel.file, message, where=where)
    for path in sorted(listed.keys() - wheel.members.keys()):
        yield MISMATCH.finding(wheel.file, f"lists {path}, which is not in the wheel", where=where)
    for path in sorted(wheel.binaries.keys() - listed.keys()):
        yield MISMATCH.finding(wheel.file, f"does not list {path}", where=where)
    for path in sorted(listed.keys() & wheel.members.keys()):
        if wheel.members[path].sha256 and wheel.members[path].sha256 != listed[path]:
            yield MISMATCH.finding(wheel.file, f"has another SHA-256 for {path}", where=where)


def commits(wheel: Wheel, _context: Context) -> Iterator[Finding]:
    """Compare the commits that the content tells with those of the provenance record."""
    raw = wheel.texts.get(f"{wheel.dist_info}/{PROVENANCE_NAME}")
    try:
        listed = [str(s["commit"]).lower() for s in json.loads(raw)["sources"]] if raw is not None else []
    except (ValueError, KeyError, TypeError, RecursionError):
        return  # `sbom` says so
    for path, commit in sorted(_told(wheel).items()):
        if listed and not any(one.startswith(commit) or commit.startswith(one) for one in listed if one):
            message = f"says that it was built from {commit}, the provenance record lists {', '.join(listed)}"
            yield COMMIT.finding(wheel.file, message, where=path)


def _told(wheel: Wheel) -> dict[str, str]:
    told = {path: binary.commit for path, binary in wheel.binaries.items() if binary.commit}
    return told | {path: m[1].decode() for path, text in wheel.texts.items() if (m := _TOLD.search(text))}


def commit_told(wheel: Wheel) -> str:
    """Return the commit that a wheel's content says it was built from, "" when it says none, or several."""
    told = set(_told(wheel).values())
    return told.pop() if len(told) == 1 else ""


CHECKS = (sbom, commits)
