"""Rules about imports: everything a binary needs to be loaded comes from a known place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from recipes.audit.findings import Family, Finding, Severity
from recipes.audit.libraries import beyond_python, declared, is_linux_system, is_runtime, is_system
from recipes.audit.readers.binary import Binary, Import
from recipes.audit.readers.wheel import Wheel
from recipes.audit.surroundings import RUNTIMES, Context, canonical, runtime_requirements

_FAMILY = Family(title="Imports")
_FIRST_WINDOWS_10 = 10240
_ONLY_IMPORT = "OrtGetApiBase"
_RUNTIME_PACKAGES = ("msvc-runtime",)

UNKNOWN = _FAMILY.rule(
    "import-unknown",
    Severity.ERROR,
    "Every imported library has a known source",
    "A library that a binary imports is in the wheel, in the paired wheel, in a required distribution known to carry "
    "it, part of the operating system, a driver or Python. Others are missing on the user's machine: 'DLL load "
    "failed', 'cannot open shared object file'. The lists are in recipes/audit/windows.toml and in auditwheel's "
    "policies. For wheels of other projects with requirements of their own it is a warning.",
    "Put the library into the wheel, require the distribution that carries it, or declare it in "
    "recipes/audit/windows.toml when Windows has it.",
)
DELAYED = _FAMILY.rule(
    "import-delayed",
    Severity.INFO,
    "Late imports with no known source",
    "A delay-loaded library is looked for when it is first used; the program starts without it.",
    "Make sure that the feature which needs the library is optional.",
)
SYMBOL = _FAMILY.rule(
    "import-symbol",
    Severity.ERROR,
    "Imported symbols exist",
    "Names and ordinals imported from a library in the wheel or in its pair are exported there. GenAI imports "
    "OrtGetApiBase from onnxruntime.dll by ordinal: another function at that ordinal would be called in its place.",
    "Build both wheels from sources that belong together.",
)
LATE = _FAMILY.rule(
    "import-delayed-missing",
    Severity.ERROR,
    "Late imports that another distribution carries are required",
    "A delay-loaded library that a known distribution carries, or any that a wheel of ours loads late, is in the "
    "wheel, in its pair or brought by a requirement. The package imports without it and ends the process at first use.",
    "Require the distribution that carries the library, or put it into the wheel.",
)
MSVC = _FAMILY.rule(
    "msvc-runtime",
    Severity.INFO,
    "The Visual C++ runtime it needs",
    "Binaries linked with the dynamic Visual C++ runtime need at least the runtime of their linker's version. Python "
    "carries vcruntime140.dll but not msvcp140.dll and the others, so wheels that need those say so here; an older "
    "copy (conda's, say) fails with 'A dynamic link library (DLL) initialization routine failed'.",
    "Install the current Visual C++ Redistributable, or `pip install msvc-runtime`.",
)
WINDOWS = _FAMILY.rule(
    "windows-version",
    Severity.INFO,
    "The Windows it needs",
    "Some libraries are not in every Windows 10: see `needs_windows` in recipes/audit/windows.toml.",
    "Tell users which Windows the wheel needs.",
)


def imports(wheel: Wheel, context: Context) -> Iterator[Finding]:
    """Find a source for every imported library, and every symbol in it that can be looked up."""
    partners = context.partners(wheel)
    for path, binary in sorted(wheel.binaries.items()):
        for entry in binary.imports if not binary.problem else ():
            supplier = _supplier(wheel, partners, binary, entry)
            if supplier is not None:
                yield from _symbols(wheel, path, entry, supplier)
            elif not _known(wheel, partners, binary, entry):
                yield _missing(wheel, partners, path, entry)


def _supplier(wheel: Wheel, partners: tuple[Wheel, ...], binary: Binary, entry: Import) -> Binary | None:
    """Return the library itself when it is in the wheel or one of its partners."""
    for place in (wheel, *partners):
        for other in place.binaries.values():
            name = other.version if binary.format == "elf" and other.version == entry.library else other.name
            same = name.lower() == entry.library.lower() if binary.format == "pe" else name == entry.library
            if same and other.format == binary.format:
                return other
    return None


def _known(wheel: Wheel, partners: tuple[Wheel, ...], binary: Binary, entry: Import) -> bool:
    lists, name = declared(), entry.library
    if is_system(name) if binary.format == "pe" else is_linux_system(name):
        return True
    if binary.format == "pe" and (is_runtime(name) or (entry.delayed and name.lower() in lists.at_run_time)):
        return True
    carriers = lists.provided.get(name.lower() if binary.format == "pe" else name, ())
    present = {p.name for p in partners}
    required = {canonical(r) for r in (wheel.metadata.requirements if wheel.metadata else ())}
    return any(c in required and c not in present for c in carriers)


def _missing(wheel: Wheel, partners: tuple[Wheel, ...], path: str, entry: Import) -> Finding:
    where = "neither in the wheel nor in " + (
        ", ".join(p.file for p in partners) or "a required distribution known for it"
    )
    if entry.delayed and (wheel.own or entry.library.lower() in declared().provided):
        return LATE.finding(wheel.file, f"loads {entry.library} late, which is {where}", where=path)
    if entry.delayed:
        return DELAYED.finding(wheel.file, f"loads {entry.library} late, which is {where}", where=path)
    elsewhere = not wheel.own and wheel.metadata is not None and wheel.metadata.requirements
    unrelated = elsewhere and not runtime_requirements(wheel) and wheel.name not in RUNTIMES
    severity = Severity.WARNING if unrelated else None
    message = f"imports {entry.library}, which is {where}, and not part of the system"
    return UNKNOWN.finding(wheel.file, message, where=path, severity=severity)


def _symbols(wheel: Wheel, path: str, entry: Import, supplier: Binary) -> Iterator[Finding]:
    """Check names and ordinals against the supplier's exports (its whole table was read, or it has a problem)."""
    if supplier.problem or not entry.symbols or not supplier.exports:
        return
    by_ordinal = {ordinal: name for name, ordinal in supplier.exports.items()}
    missing = [s for s in entry.symbols if s not in (supplier.exports if isinstance(s, str) else by_ordinal)]
    numbers = [s for s in entry.symbols if isinstance(s, int)]
    if entry.library.lower() == "onnxruntime.dll" and len(numbers) == 1 and by_ordinal.get(numbers[0]) != _ONLY_IMPORT:
        yield _misdirected(wheel, path, numbers[0], by_ordinal)
    elif missing:
        shown = ", ".join(f"ordinal {s}" if isinstance(s, int) else s for s in missing[:5])
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        message = f"imports {shown}{more} from {entry.library}, which does not export that"
        yield SYMBOL.finding(wheel.file, message, where=path)


def _misdirected(wheel: Wheel, path: str, ordinal: int, names: Mapping[int, str]) -> Finding:
    """Return the finding for GenAI's one import from onnxruntime.dll when its number stands for something else."""
    found = names.get(ordinal, "nothing")
    message = f"imports ordinal {ordinal} from onnxruntime.dll, which is {found} there and not {_ONLY_IMPORT}"
    return SYMBOL.finding(wheel.file, message, where=path)


def windows_needs(wheel: Wheel, context: Context) -> Iterator[Finding]:
    """State the Visual C++ runtime and the Windows build that the binaries need."""
    native = [b for b in wheel.binaries.values() if b.format == "pe" and not b.problem]
    required = {canonical(r) for r in (wheel.metadata.requirements if wheel.metadata else ())}
    carried = {b.name.lower() for place in (wheel, *context.partners(wheel)) for b in place.binaries.values()}
    needing = [
        b
        for b in native
        if b.runtime and any(beyond_python(i.library) and i.library.lower() not in carried for i in b.imports)
    ]
    if needing and not required.intersection(_RUNTIME_PACKAGES):
        newest = max(needing, key=lambda b: b.runtime or (0, 0))
        major, minor = newest.runtime or (0, 0)
        names = sorted({i.library.upper() for b in needing for i in b.imports if is_runtime(i.library)})
        message = f"needs the Visual C++ runtime {major}.{minor:02} or newer ({', '.join(names)})"
        yield MSVC.finding(wheel.file, message, where=newest.path)
    floors = declared().needs_windows
    wanted = {
        n: floors[n] for b in native for n in (b.name.lower(), *(i.library.lower() for i in b.imports)) if n in floors
    }
    if wanted and max(wanted.values()) > _FIRST_WINDOWS_10:
        name = max(wanted, key=lambda n: wanted[n])
        yield WINDOWS.finding(wheel.file, f"needs Windows build {wanted[name]} or newer (for {name})")


CHECKS = (imports, windows_needs)
