"""Rules about the file name, METADATA and WHEEL: three places that say the same things."""

from __future__ import annotations

import re
from collections.abc import Iterator

from recipes.audit.findings import Family, Finding, Severity
from recipes.audit.readers.wheel import Wheel
from recipes.audit.surroundings import Context

_FAMILY = Family(title="Name and metadata")
_MAX_TAG_LINES, _MAX_TAG_LENGTH = 500, 160
_CPYTHON = re.compile(r"cp3(\d+)")
_EXTENSION = re.compile(r"\.(?:cpython-|cp)(\d{2,}t?)[a-z]*-[^.]*\.(?:so|pyd)$")
_WHEEL_VERSION = re.compile(r"1\.\d+")

FILENAME = _FAMILY.rule(
    "filename-invalid",
    Severity.ERROR,
    "The file name is that of a wheel",
    "NAME-VERSION(-BUILD)?-PYTHON-ABI-PLATFORM.whl is all that pip looks at to choose a file.",
    "Do not rename wheels; download or build it again.",
)
METADATA = _FAMILY.rule(
    "metadata-missing",
    Severity.ERROR,
    "METADATA and WHEEL are there",
    "A wheel has exactly one .dist-info folder, with METADATA and WHEEL in it.",
    "Build the wheel again.",
)
INVALID = _FAMILY.rule(
    "metadata-invalid",
    Severity.ERROR,
    "METADATA can be understood",
    "Name, Version and every Requires-Dist follow the packaging standards; installers refuse others.",
    "Correct the field in the project's metadata and build the wheel again.",
)
MISMATCH = _FAMILY.rule(
    "metadata-mismatch",
    Severity.ERROR,
    "File name, folder and METADATA agree",
    "Name and version are the same in the file name, the name of the .dist-info folder and METADATA. pip refuses a "
    "wheel where they differ.",
    "Build the wheel again; do not rename wheels.",
)
TAGS = _FAMILY.rule(
    "tags-mismatch",
    Severity.ERROR,
    "File name and WHEEL have the same tags",
    "The Tag lines of WHEEL are the compressed tags of the file name. A difference means that the file was renamed, or "
    "repacked for another platform by name only.",
    "Build the wheel again for that platform; to change tags use `python -m wheel tags`.",
)
FORMAT = _FAMILY.rule(
    "wheel-format",
    Severity.ERROR,
    "WHEEL's format is known and fits the tags",
    "Wheel-Version is 1.x, and a wheel with a platform tag says Root-Is-Purelib: false, so that its binaries are "
    "installed where binaries belong.",
    "Correct WHEEL through the build backend's settings and build the wheel again.",
)


PYTHON = _FAMILY.rule(
    "requires-python",
    Severity.WARNING,
    "Requires-Python fits the tag",
    "METADATA says which Pythons the wheel is for, and the Python of a cp3XY tag is among them. Without it resolvers "
    "take the wheel for every Python; with a contradiction no installer takes it. An error in wheels that are built "
    "here, and where the tag is excluded.",
    "Set `requires-python` in the project's metadata and build the wheel again.",
)
ANY = _FAMILY.rule(
    "any-with-binaries",
    Severity.ERROR,
    "Wheels for any platform carry no libraries",
    "A wheel tagged any is installed on every system and processor; its libraries load on one of them.",
    "Tag the wheel for the platform of its libraries, one wheel for each.",
)


def naming(wheel: Wheel, _context: Context) -> Iterator[Finding]:
    """Check the file name, the presence of the metadata, and that they agree."""
    if wheel.named is None:
        yield FILENAME.finding(wheel.file, "is not a valid name for a wheel")
    if not wheel.readable:
        return
    if not wheel.dist_info:
        folders = sorted({p.split("/")[0] for p in wheel.members if ".dist-info/" in p})
        found = (
            f"has {len(folders)} .dist-info folders: {', '.join(folders)}" if folders else "has no .dist-info folder"
        )
        yield METADATA.finding(wheel.file, found)
        return
    for name in ("METADATA", "WHEEL"):
        if f"{wheel.dist_info}/{name}" not in wheel.members:
            yield METADATA.finding(wheel.file, f"has no {name}", where=f"{wheel.dist_info}/{name}")
    yield from _metadata(wheel)
    yield from _tags(wheel)
    yield from _format(wheel)


def _metadata(wheel: Wheel) -> Iterator[Finding]:
    where = f"{wheel.dist_info}/METADATA"
    metadata = wheel.metadata
    if metadata is None:
        return
    for problem in metadata.problems:
        yield INVALID.finding(wheel.file, problem, where=where)
    if wheel.named is None or not metadata.name or metadata.version is None:
        return
    if (wheel.named.name, wheel.named.version) != (metadata.name, metadata.version):
        theirs, ours = f"{metadata.name} {metadata.version}", f"{wheel.named.name} {wheel.named.version}"
        yield MISMATCH.finding(wheel.file, f"is {theirs} by METADATA and {ours} by its file name", where=where)
        return
    folder = wheel.dist_info.removesuffix(".dist-info").split("-")
    if len(folder) != 2 or _normal(folder[0]) != metadata.name or _version(folder[1]) != str(metadata.version):
        message = f"is {metadata.name} {metadata.version} by METADATA, not what the folder {wheel.dist_info} says"
        yield MISMATCH.finding(wheel.file, message, where=where)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _version(text: str) -> str:
    from packaging.version import InvalidVersion, Version

    try:
        return str(Version(text.replace("_", "-")))
    except InvalidVersion:
        return ""


def _tags(wheel: Wheel) -> Iterator[Finding]:
    written = wheel.headers.get("tag", ())
    if wheel.named is None or f"{wheel.dist_info}/WHEEL" not in wheel.members:
        return
    expanded = {tag for text in written[:_MAX_TAG_LINES] for tag in _expanded(text)}
    named = {str(tag) for tag in wheel.named.tags}
    if expanded != named:
        here = ", ".join(sorted(expanded)[:6]) or "nothing"
        message = f"is tagged {', '.join(sorted(named)[:6])} by its file name and {here} by WHEEL"
        yield TAGS.finding(wheel.file, message, where=f"{wheel.dist_info}/WHEEL")


def _expanded(text: str) -> set[str]:
    """Return the tags of one Tag line; a line that is no tag, or would stand for thousands, stands for itself."""
    from packaging.tags import parse_tag

    if text.count("-") != 2 or len(text) > _MAX_TAG_LENGTH:
        return {text[:_MAX_TAG_LENGTH]}
    try:
        return {str(tag) for tag in parse_tag(text)}
    except ValueError:
        return {text}


def _format(wheel: Wheel) -> Iterator[Finding]:
    where = f"{wheel.dist_info}/WHEEL"
    if where not in wheel.members:
        return
    version = next(iter(wheel.headers.get("wheel-version", ("",))))
    if not _WHEEL_VERSION.fullmatch(version):
        yield FORMAT.finding(wheel.file, f"has Wheel-Version '{version[:20]}', not 1.x", where=where)
    pure = next(iter(wheel.headers.get("root-is-purelib", ("",)))).lower() == "true"
    if pure and wheel.binaries and wheel.platforms and "any" not in wheel.platforms:
        message = "says Root-Is-Purelib: true although it carries binaries for a platform"
        yield FORMAT.finding(wheel.file, message, where=where)


def pythons(wheel: Wheel, _context: Context) -> Iterator[Finding]:
    """Compare Requires-Python with the tags."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    tagged = {m[1] for t in wheel.named.tags if (m := _CPYTHON.fullmatch(t.interpreter))} if wheel.named else set()
    if wheel.metadata is None or not tagged:
        return
    where, written = f"{wheel.dist_info}/METADATA", wheel.metadata.requires_python
    if not written:
        severity = Severity.ERROR if wheel.own else None
        yield PYTHON.finding(wheel.file, "has no Requires-Python", where=where, severity=severity)
        return
    try:
        allowed = SpecifierSet(written)
    except InvalidSpecifier:
        yield INVALID.finding(wheel.file, f"has a Requires-Python that is not valid: '{written[:60]}'", where=where)
        return
    excluded = sorted(minor for minor in tagged if not allowed.contains(f"3.{minor}.99", prereleases=True))
    if excluded:
        message = f"is tagged for Python 3.{excluded[0]}, which its Requires-Python '{written[:60]}' excludes"
        yield PYTHON.finding(wheel.file, message, where=where, severity=Severity.ERROR)


def libraries(wheel: Wheel, _context: Context) -> Iterator[Finding]:
    """Look for libraries in a wheel that is for any platform; extension modules are the machine rule's."""
    if wheel.platforms != {"any"}:
        return
    found = sorted(p for p in wheel.binaries if not _EXTENSION.search(p))
    if found:
        yield ANY.finding(wheel.file, f"is tagged for any platform and carries {len(found)} libraries", where=found[0])


CHECKS = (naming, pythons, libraries)
