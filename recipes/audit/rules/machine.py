"""Rules about what a binary was made for: the processor and the Python of the wheel's tags."""

from __future__ import annotations

import re
from collections.abc import Iterator

from recipes.audit.findings import Family, Finding, Severity
from recipes.audit.libraries import python_of
from recipes.audit.readers.binary import Binary
from recipes.audit.readers.wheel import Wheel
from recipes.audit.surroundings import Context

_FAMILY = Family(title="Machine and Python")
_EXTENSION = re.compile(r"\.(?:cpython-|cp)(\d{2,}t?)[a-z]*-[^.]*\.(?:so|pyd)$")
_NAMED_FOR = re.compile(r"-(win_amd64|win_arm64|win32)\.pyd$")
_PLATFORMS = (
    (re.compile(r"win_amd64$"), ("pe", "x64")),
    (re.compile(r"win_arm64$"), ("pe", "arm64")),
    (re.compile(r"win32$"), ("pe", "x86")),
    (re.compile(r"linux.*_x86_64$"), ("elf", "x64")),
    (re.compile(r"linux.*_aarch64$"), ("elf", "arm64")),
    (re.compile(r"linux.*_i686$"), ("elf", "x86")),
    (re.compile(r"linux.*_armv7l$"), ("elf", "arm")),
)

MALFORMED = _FAMILY.rule(
    "binary-malformed",
    Severity.ERROR,
    "Libraries are whole",
    "Every .dll, .pyd and .so can be parsed and is as long as its headers say. A truncated library is not seen until "
    "it is loaded on the user's machine.",
    "Build the wheel again, and verify the hash of the binary that went into it.",
)
MACHINE = _FAMILY.rule(
    "machine-mismatch",
    Severity.ERROR,
    "Libraries are for the tagged processor",
    "A library for another processor or system cannot be loaded: 'is not a valid Win32 application', 'wrong ELF "
    "class'. ARM64EC says x64 in its header but runs on ARM64 Windows only.",
    "Take the library from the build for this wheel's platform, or correct the platform tag.",
)
PYTHON = _FAMILY.rule(
    "python-mismatch",
    Severity.ERROR,
    "Extension modules are for the tagged Python",
    "The Python in an extension's file name, and the python3XY.dll it imports, are those of the wheel's Python tag; "
    "otherwise the import fails with 'DLL load failed' or 'No module named'.",
    "Compile the extension with the Python of the tag, or correct the tag.",
)


def machine(wheel: Wheel, _context: Context) -> Iterator[Finding]:
    """Check every library's health, processor and Python."""
    wanted = {made for platform in wheel.platforms for pattern, made in _PLATFORMS if pattern.search(platform)}
    for path, binary in sorted(wheel.binaries.items()):
        if binary.problem:
            yield MALFORMED.finding(wheel.file, binary.problem, where=path)
            continue
        if wanted and (binary.format, binary.machine) not in wanted:
            kind = "Windows" if binary.format == "pe" else "Linux"
            tags = ", ".join(sorted(wheel.platforms))
            message = f"is made for {kind} on {binary.machine}, the wheel is tagged {tags}"
            yield MACHINE.finding(wheel.file, message, where=path)
            continue
        suffix = _NAMED_FOR.search(binary.name)
        if suffix and wheel.platforms.isdisjoint({suffix[1], "any"}):
            message = f"is named for {suffix[1]}: Python on {', '.join(sorted(wheel.platforms))} does not look for it"
            yield MACHINE.finding(wheel.file, message, where=path)
            continue
        yield from _python(wheel, binary)


def _python(wheel: Wheel, binary: Binary) -> Iterator[Finding]:
    if wheel.named is None:
        return
    if "any" in wheel.platforms:
        if _EXTENSION.search(binary.name):
            message = f"is an extension module for one platform, the wheel is tagged {next(iter(wheel.named.tags))}"
            yield MACHINE.finding(wheel.file, message, where=binary.path)
        return
    accepted = {_python_of_tag(tag.interpreter, tag.abi) for tag in wheel.named.tags}
    found = _EXTENSION.search(binary.name)
    named = found[1] if found else ""
    imported = next((p for i in binary.imports if (p := python_of(i.library))), "")
    for made_for, how in ((named, "by its name"), (imported, "by the Python library it imports")):
        if made_for and made_for != "3" and made_for not in accepted:
            tags = ", ".join(sorted({f"{t.interpreter}-{t.abi}" for t in wheel.named.tags}))
            message = f"is made for Python {made_for[0]}.{made_for[1:]} {how}, the wheel is tagged {tags}"
            yield PYTHON.finding(wheel.file, message, where=binary.path)
            return


def _python_of_tag(interpreter: str, abi: str) -> str:
    """Return the one Python that a tag stands for, "312", "313t"; "" for tags that stand for several."""
    if abi.startswith("cp"):
        return abi.removeprefix("cp").rstrip("mu")
    return interpreter.removeprefix("cp") if abi == "none" and interpreter.startswith("cp") else ""


CHECKS = (machine,)
