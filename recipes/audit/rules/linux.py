"""Rules about Linux libraries: where they look for others, and which systems they run on."""

from __future__ import annotations

import re
from collections.abc import Iterator

from recipes.audit.findings import Family, Finding, Severity
from recipes.audit.libraries import is_loader, policies
from recipes.audit.readers.binary import Binary
from recipes.audit.readers.wheel import Wheel
from recipes.audit.surroundings import Context

_FAMILY = Family(title="Linux")
_ARCHITECTURES = {"x64": "x86_64", "arm64": "aarch64", "x86": "i686", "arm": "armv7l"}
_POLICY = re.compile(r"((?:manylinux|musllinux)(?:_\d+_\d+|\d+))_\w+$")
_PORTABLE = ("$ORIGIN", "${ORIGIN}")

RUNPATH = _FAMILY.rule(
    "runpath-absolute",
    Severity.ERROR,
    "RUNPATH is relative",
    "Folders in RPATH and RUNPATH begin with $ORIGIN. An absolute one is a folder of the build machine: it is "
    "searched on every machine, where anybody may put a library into it; an empty one means the current directory.",
    "Link with -Wl,-rpath,'$ORIGIN' and without the build folders (CMake: INSTALL_RPATH, BUILD_WITH_INSTALL_RPATH).",
)
LEVEL = _FAMILY.rule(
    "manylinux-level",
    Severity.ERROR,
    "The manylinux level is as tagged",
    "No library needs a newer GLIBC, GLIBCXX, CXXABI… than the level in the tag has, by auditwheel's policies. "
    "Otherwise pip installs the wheel on systems where it cannot be loaded ('version GLIBC_2.34 not found'). The "
    "functions __isoc23_strtol and its like are glibc 2.38's, whatever version they are asked for by.",
    "Build in the container of that level, or tag the wheel with the level it needs (`auditwheel show`).",
)
ORPHAN = _FAMILY.rule(
    "symbol-version-orphan",
    Severity.ERROR,
    "Each needed symbol version has a library that brings it",
    "A symbol version is wanted from a library by name. That library must be in DT_NEEDED, or the loader may not have "
    "it when it looks ('version not found', or an assertion in ld.so); and where it lies in the wheel or its pair, it "
    "must define that version.",
    "Link with the library that has the symbol (-Wl,--no-undefined shows what is missing), and rename it with patchelf "
    "in both places.",
)
UNTAGGED = _FAMILY.rule(
    "linux-unportable",
    Severity.INFO,
    "Plain linux tags promise nothing",
    "A linux_x86_64 wheel runs on systems at least as new as the one it was built on; PyPI does not accept it.",
    "Build in a manylinux container to give it to others.",
)


def runpath(wheel: Wheel, _context: Context) -> Iterator[Finding]:
    """Check every folder of RPATH and RUNPATH."""
    for path, binary in sorted(wheel.binaries.items()):
        for value in binary.rpaths:
            bad = [part for part in value.split(":") if not part.startswith(_PORTABLE)]
            if bad:
                shown = ", ".join(part or "(empty: the current directory)" for part in bad)
                yield RUNPATH.finding(wheel.file, f"searches {shown}", where=path)


def level(wheel: Wheel, _context: Context) -> Iterator[Finding]:
    """Compare the symbol versions that libraries need with those of the tag's policy."""
    known = policies()
    named = {m[1] for platform in wheel.platforms if (m := _POLICY.search(platform))}
    wanted = [known[name] for name in named if name in known]
    native = {p: b for p, b in sorted(wheel.binaries.items()) if b.format == "elf" and not b.problem}
    if wanted:
        strictest = max(wanted, key=lambda p: p.priority)  # priorities rise as levels become older
        for path, binary in native.items():
            versions = strictest.symbol_versions.get(_ARCHITECTURES.get(binary.machine, ""), {})
            newer = _newer(binary, versions)
            if "GLIBC" in versions and "2.38" not in versions["GLIBC"]:
                newer += [f"{name} of GLIBC_2.38" for name in binary.c23]
            if newer:
                message = f"needs {', '.join(newer)}, which {strictest.name} does not have"
                yield LEVEL.finding(wheel.file, message, where=path)
    elif native and any(p.startswith("linux_") for p in wheel.platforms):
        highest = max((b for b in native.values()), key=_glibc)
        yield UNTAGGED.finding(
            wheel.file, f"needs glibc {'.'.join(map(str, _glibc(highest)))} or newer", where=highest.path
        )


def suppliers(wheel: Wheel, context: Context) -> Iterator[Finding]:
    """Look for the library that every needed symbol version is to come from."""
    beside = {b.version or b.name: b for w in (wheel, *context.partners(wheel)) for b in w.binaries.values()}
    for path, binary in sorted(wheel.binaries.items()):
        needed = {entry.library for entry in binary.imports}
        for library, version in binary.suppliers:
            if library not in needed and not is_loader(library):
                message = f"wants {version} from {library or 'a library without a name'}, which is not in its DT_NEEDED"
                yield ORPHAN.finding(wheel.file, message, where=path)
            elif (found := beside.get(library)) and not found.problem and version not in found.defines:
                message = f"wants {version} from {library}, which does not define that"
                yield ORPHAN.finding(wheel.file, message, where=path)


def _newer(binary: Binary, versions: dict[str, list[str]]) -> list[str]:
    """Return the needed versions, of symbol sets that the policy knows, that it does not allow."""
    split = [need.partition("_") for need in binary.needs if "_" in need]
    return [f"{name}_{version}" for name, _, version in split if name in versions and version not in versions[name]]


def _glibc(binary: Binary) -> tuple[int, ...]:
    found = (re.fullmatch(r"GLIBC_([\d.]+)", need) for need in binary.needs)
    return max((tuple(int(part) for part in m[1].split(".") if part) for m in found if m), default=(0,))


CHECKS = (runpath, level, suppliers)
