"""Rules about ONNX Runtime, GenAI and DirectML: what must be where, export what, and speak which API version."""

from __future__ import annotations

from collections.abc import Iterator

from recipes.audit.findings import Family, Finding, Severity
from recipes.audit.readers.binary import Binary, Reading
from recipes.audit.readers.wheel import Wheel
from recipes.audit.surroundings import RUNTIMES, Context, runtime_requirements

_FAMILY = Family(title="ONNX Runtime, GenAI and DirectML")

_GENAI_LIBRARIES = ("onnxruntime-genai.dll", "libonnxruntime-genai.so")
_RUNTIME_LIBRARIES = ("onnxruntime.dll", "libonnxruntime.so")
_GENAI_EXPORTS = ("OgaCreateModel", "OgaCreateTokenizer", "OgaCreateGeneratorParams", "OgaCreateGenerator",
                  "OgaGenerator_GenerateNextToken", "OgaDestroyModel")  # fmt: skip
_CAPI = "onnxruntime/capi"
_FIRST_ORDINAL = 1

EXPORTS = _FAMILY.rule(
    "exports-missing",
    Severity.ERROR,
    "Expected functions are exported",
    "GenAI's library exports OgaCreateModel and its companions, onnxruntime exports OrtGetApiBase, at ordinal 1 in its "
    "Windows DLL because GenAI imports it by that ordinal, and an extension module exports PyInit_<its name>.",
    "The library was built from other sources or with other options than its name says; build it again.",
)
DECOY = _FAMILY.rule(
    "decoy-runtime",
    Severity.ERROR,
    "One onnxruntime, not two",
    "A wheel that requires an onnxruntime distribution must not carry an onnxruntime library of its own: whichever is "
    "loaded first wins, and DirectML or the right API version may be gone.",
    "Leave the library out of the wheel; the required distribution brings it.",
)
PLACE = _FAMILY.rule(
    "directml-place",
    Severity.ERROR,
    "DirectML and D3D12Core are where GenAI looks for them",
    "GenAI loads D3D12Core.dll from the folder of onnxruntime-genai.dll, and onnxruntime.dll and DirectML.dll from "
    "onnxruntime/capi/ of the paired distribution. Elsewhere they are not found and an older system version is used, "
    "or none (0x887A0036).",
    "Put D3D12Core.dll beside onnxruntime-genai.dll, and DirectML.dll beside onnxruntime.dll in onnxruntime/capi/.",
)
API = _FAMILY.rule(
    "api-version",
    Severity.ERROR,
    "The pair speaks one ORT API version",
    "GenAI's library asks onnxruntime for the API version that it was compiled with, a constant in its machine code. "
    "On Windows an onnxruntime that offers less makes the import crash; on Linux GenAI steps down, to 18 at least. "
    "What an onnxruntime offers is read from its code too, and is the second number of its version.",
    "Pair it with an onnxruntime of at least that version, or build GenAI against the headers of the paired one.",
)
FLOOR = _FAMILY.rule(
    "api-floor",
    Severity.WARNING,
    "The requirement excludes onnxruntimes that are too old",
    "A lower bound below the compiled API version lets pip keep an installed onnxruntime that GenAI cannot use.",
    "Raise the lower bound of the requirement to the compiled API version, or pin it exactly.",
)
UNKNOWN = _FAMILY.rule(
    "api-unknown",
    Severity.INFO,
    "The ORT API version can be read",
    "The constant was not found where compilers put it, or several were; nothing is guessed, and nothing is compared.",
    "Run the pair once: `invoke smoke` shows whether it loads.",
)
AGILITY = _FAMILY.rule(
    "agility-version",
    Severity.ERROR,
    "D3D12Core.dll has the Agility SDK version that GenAI asks for",
    "GenAI passes a constant SDK version to CreateDeviceFactory; a D3D12Core.dll of another version is refused, and "
    "GenAI falls back to the system's Direct3D.",
    "Take D3D12Core.dll from the Microsoft.Direct3D.D3D12 package of that version.",
)


def genai_library(wheel: Wheel) -> Binary | None:
    """Return GenAI's library in the wheel."""
    return next((b for n in _GENAI_LIBRARIES if (b := wheel.binary_named(n)) and not b.problem), None)


def runtime_library(wheel: Wheel) -> Binary | None:
    """Return onnxruntime's library in the wheel."""
    healthy = (b for b in wheel.binaries.values() if not b.problem)
    return next((b for b in healthy if b.name.lower().startswith(_RUNTIME_LIBRARIES)), None)


def exports(wheel: Wheel, _context: Context) -> Iterator[Finding]:
    """Check that libraries export what others need of them."""
    for path, binary in sorted(wheel.binaries.items()):
        if binary.problem:
            continue
        wanted: tuple[str, ...] = ()
        if binary.name.lower() in _GENAI_LIBRARIES:
            wanted = _GENAI_EXPORTS
        elif binary.name.lower().startswith(_RUNTIME_LIBRARIES):
            wanted = ("OrtGetApiBase",)
        elif binary.name.endswith((".pyd", "-linux-gnu.so", "-linux-musl.so", ".abi3.so")):
            wanted = (f"PyInit_{binary.name.split('.')[0]}",)
        missing = [name for name in wanted if name not in binary.exports]
        if missing:
            yield EXPORTS.finding(wheel.file, f"does not export {', '.join(missing)}", where=path)
        ordinal = binary.exports.get("OrtGetApiBase", _FIRST_ORDINAL)
        if binary.name.lower() == "onnxruntime.dll" and ordinal != _FIRST_ORDINAL:  # others are not linked with it
            yield EXPORTS.finding(wheel.file, f"exports OrtGetApiBase at ordinal {ordinal} instead of 1", where=path)


def layout(wheel: Wheel, _context: Context) -> Iterator[Finding]:
    """Check which of the runtime's libraries are in the wheel, and where."""
    runtime, genai = runtime_library(wheel), genai_library(wheel)
    if runtime is not None and runtime_requirements(wheel):
        required = ", ".join(str(r) for r in runtime_requirements(wheel))
        yield DECOY.finding(wheel.file, f"is carried although the wheel requires {required}", where=runtime.path)
    core = wheel.binary_named("D3D12Core.dll")
    if (
        genai is not None
        and genai.agility_asked is not None
        and any("directml" in str(r) for r in runtime_requirements(wheel))
    ):
        if core is None:
            yield _without_core(wheel, genai)
        elif core.folder != genai.folder:
            yield PLACE.finding(wheel.file, f"is not in {genai.folder}/, where GenAI looks for it", where=core.path)
    if wheel.name in RUNTIMES:
        for name in ("onnxruntime.dll", "DirectML.dll"):
            found = wheel.binary_named(name)
            if found is not None and found.folder != _CAPI:
                yield PLACE.finding(wheel.file, f"is not in {_CAPI}/, where GenAI looks for it", where=found.path)
        if wheel.name == "onnxruntime-directml" and not wheel.binary_named("DirectML.dll"):
            yield PLACE.finding(wheel.file, f"has no DirectML.dll in {_CAPI}/")


def _without_core(wheel: Wheel, genai: Binary) -> Finding:
    """Return the finding for a GenAI without D3D12Core.dll: no published wheel has one for ARM64 to take it from."""
    if genai.machine == "arm64":
        message = "has no D3D12Core.dll beside it: it warns, and takes the Direct3D 12 of Windows"
        return PLACE.finding(wheel.file, message, where=genai.path, severity=Severity.INFO)
    message = f"needs D3D12Core.dll beside it in {genai.folder}/, the wheel has none"
    return PLACE.finding(wheel.file, message, where=genai.path)


def api_version(wheel: Wheel, context: Context) -> Iterator[Finding]:
    """Compare the API version that GenAI asks for with what its onnxruntime offers."""
    genai = genai_library(wheel)
    if genai is None or genai.machine not in ("x64", "arm64"):
        return
    asked = genai.api_compiled or Reading(value=None, how="its code was not read")
    if asked.value is None:
        yield UNKNOWN.finding(wheel.file, f"the compiled API version is not known: {asked.how}", where=genai.path)
        return
    needed = asked.lowest or asked.value
    for partner in context.partners(wheel)[:1] if not context.paired else context.partners(wheel):
        runtime = runtime_library(partner)
        if runtime is not None:
            yield from _compare(wheel, genai, needed, partner, runtime)
    yield from _floor(wheel, genai, needed)


def _compare(wheel: Wheel, genai: Binary, needed: int, partner: Wheel, runtime: Binary) -> Iterator[Finding]:
    read = runtime.api_offered or Reading(value=None, how="its code was not read")
    by_version = partner.version.minor if partner.version and partner.version.major == 1 else None
    offered = read.value if read.value is not None else by_version
    if offered is None:
        message = f"the API version that {partner.file} offers is not known: {read.how}"
        yield UNKNOWN.finding(wheel.file, message, where=genai.path)
    elif needed > offered:
        source = read.how if read.value is not None else f"its version {partner.version}"
        message = f"needs ORT API {needed}, {partner.file} offers {offered} ({source})"
        yield API.finding(wheel.file, message, where=genai.path)


def _floor(wheel: Wheel, genai: Binary, needed: int) -> Iterator[Finding]:
    """Look whether a requirement admits a release 1.N with N below the needed API version."""
    for requirement in runtime_requirements(wheel):
        admitted = [n for n in range(1, needed) if any(requirement.specifier.contains(f"1.{n}.{p}") for p in range(6))]
        if admitted:
            message = f"requires '{requirement}', which admits 1.{admitted[-1]}, but asks for ORT API {needed}"
            yield FLOOR.finding(wheel.file, message, where=genai.path)


def agility(wheel: Wheel, _context: Context) -> Iterator[Finding]:
    """Compare the Agility SDK version that GenAI asks for with that of the D3D12Core.dll it is given."""
    genai, core = genai_library(wheel), wheel.binary_named("D3D12Core.dll")
    if genai is None or core is None or core.problem or genai.agility_asked is None:
        return
    asked, carried = genai.agility_asked.value, core.agility_carried
    if asked is not None and carried is not None and asked != carried:
        message = f"is Agility SDK {carried}, {genai.name} asks for {asked}"
        yield AGILITY.finding(wheel.file, message, where=core.path)


CHECKS = (exports, layout, api_version, agility)
