"""Rules about what must be there once, together or declared: DirectML beside its onnxruntime, Python's requirements."""

from __future__ import annotations

import re
from collections.abc import Iterator

from recipes.audit.findings import Family, Finding, Severity
from recipes.audit.needed_modules import brings, needed_modules
from recipes.audit.readers.binary import Binary
from recipes.audit.readers.wheel import Wheel
from recipes.audit.surroundings import RUNTIMES, Context, canonical, runtime_requirements

_FAMILY = Family(title="What must be together")
_OLDEST, _TODAYS = (1, 8), (1, 15)

BESIDE = _FAMILY.rule(
    "directml-beside",
    Severity.ERROR,
    "DirectML.dll lies beside the onnxruntime.dll that loads it",
    "onnxruntime.dll loads DirectML.dll late, from its own folder first. Without one there, Windows' own is taken, "
    "which is older than today's graphs; one for another processor cannot be loaded. ONNX Runtime needs DirectML 1.8, "
    "the graphs of today's model builders 1.15 (a warning).",
    "Put the DirectML.dll of the Microsoft.AI.DirectML package, for the same processor, beside onnxruntime.dll.",
)
TWO = _FAMILY.rule(
    "two-runtimes",
    Severity.ERROR,
    "A pair has one onnxruntime library",
    "Whichever of two is loaded first serves both wheels: DirectML or the right API version may be gone, and which "
    "one it is depends on the order of imports.",
    "Leave the library out of all wheels but one.",
)
UNDECLARED = _FAMILY.rule(
    "import-undeclared",
    Severity.ERROR,
    "What the package imports at once is required",
    "A package whose import raises ImportError without another distribution names that one in Requires-Dist; otherwise "
    "an installer leaves an installation that cannot be imported.",
    "Add the distribution to the requirements.",
)


def directml(wheel: Wheel, _context: Context) -> Iterator[Finding]:
    """Check the DirectML.dll beside every onnxruntime.dll that loads one."""
    for path, runtime in sorted(wheel.binaries.items()):
        if runtime.name.lower() != "onnxruntime.dll" or not runtime.imported_from("directml.dll"):
            continue
        beside = [b for b in wheel.binaries.values() if b.name.lower() == "directml.dll" and b.folder == runtime.folder]
        if not beside and wheel.name not in RUNTIMES and not runtime_requirements(wheel):  # other rules say so there
            yield BESIDE.finding(wheel.file, "loads DirectML.dll, which is not beside it", where=path)
        for library in beside:
            yield from _fitting(wheel, runtime, library)


def _fitting(wheel: Wheel, runtime: Binary, library: Binary) -> Iterator[Finding]:
    if library.problem or runtime.problem:
        return
    if library.machine != runtime.machine:
        message = f"is for {library.machine}, the onnxruntime.dll beside it for {runtime.machine}"
        yield BESIDE.finding(wheel.file, message, where=library.path)
    found = re.match(r"(\d+)\.(\d+)", library.version)
    version = (int(found[1]), int(found[2])) if found else None
    if version is not None and version < _TODAYS:
        severity = Severity.ERROR if version < _OLDEST else Severity.WARNING
        wanted = _OLDEST if version < _OLDEST else _TODAYS
        message = f"is DirectML {library.version}, older than {wanted[0]}.{wanted[1]}"
        yield BESIDE.finding(wheel.file, message, where=library.path, severity=severity)


def runtimes(wheel: Wheel, context: Context) -> Iterator[Finding]:
    """Look for a second onnxruntime library, in the wheel or in one that is installed with it."""
    own = _runtimes_in(wheel)
    if len(own) > 1:
        yield TWO.finding(wheel.file, f"carries {len(own)} onnxruntime libraries: {', '.join(own)}", where=own[0])
    for partner in context.partners(wheel):
        theirs = _runtimes_in(partner)
        once = not context.paired or wheel.file < partner.file
        if own and theirs and once:
            yield TWO.finding(wheel.file, f"is in {partner.file} too, as {theirs[0]}", where=own[0])


def _runtimes_in(wheel: Wheel) -> list[str]:
    names = ("onnxruntime.dll", "libonnxruntime.so")
    return sorted(p for p, b in wheel.binaries.items() if b.name.lower() == names[0] or b.name.startswith(names[1]))


def undeclared(wheel: Wheel, _context: Context) -> Iterator[Finding]:
    """Find modules that the package cannot be imported without, and that nothing it requires brings."""
    if wheel.metadata is None:
        return
    required = {canonical(r) for r in wheel.metadata.requirements}
    inside = {path.split("/")[0].removesuffix(".py").split(".")[0] for path in wheel.members}
    said: set[str] = set()
    for path, module in needed_modules(wheel.texts):
        if module in inside or module in said:
            continue
        found = _windows_runtime(required) or bool(set(RUNTIMES) & required)
        if not (found if module == "onnxruntime" else brings(required, module)):
            said.add(module)
            message = f"raises ImportError without '{module}', which METADATA does not require"
            yield UNDECLARED.finding(wheel.file, message, where=path)


def _windows_runtime(required: set[str]) -> bool:
    others = ("genai", "extensions", "ep-")
    return any(name.startswith("onnxruntime-") and not any(o in name for o in others) for name in required)


CHECKS = (directml, runtimes, undeclared)
