"""What a machine's devices make likely for a model: nothing is loaded, downloaded or run.

Every statement has a source: the machine itself, the documentation of a runtime, or a measurement of this project.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from smoke.backends.npu import Npu
from smoke.exports import needs
from smoke.exports.exporters import EXPORTERS
from wheelhouse.files import human_size
from wheelhouse.machine.facts import Adapter, Facts

INTEL, NVIDIA = 0x8086, 0x10DE
HALF, QUARTER = 2.0, 0.6
"""Bytes per parameter in fp16, and in int4 with its scales and an embedding that stays in fp16 or int8."""
HEADROOM = 1.3
"""Memory that a runtime takes, as a multiple of the weights: they, the cache of keys and values, work space."""

RUNTIME = {"openvino:int4": 900_000_000, "ort-cpu:int4": 250_000_000}
"""Memory that a process takes besides the model on the CPU, measured with SmolLM2-135M (README.md)."""

DOCS_NPU = "docs.openvino.ai: OpenVINO GenAI on NPU"
DOCS_GPU = "docs.openvino.ai: GPU device"
DOCS_CPU = "docs.openvino.ai: CPU device"
DOCS_DML = "onnxruntime.ai: DirectML Execution Provider"
DOCS_WEBGPU = "docs/webgpu.md"
DOCS_CUDA = "onnxruntime.ai: CUDA Execution Provider"
MEASURED_ONCE = "README.md, measured with SmolLM2"
OURS = "docs/wine.md"
HERE = "this machine (`invoke doctor`)"


class Basis(enum.StrEnum):
    """What a row rests on."""

    MEASURED = "measured here"
    EXPECTED = "expected"
    IMPOSSIBLE = "not possible"


@dataclass(frozen=True, kw_only=True)
class Need:
    """What a model needs: its name and its number of parameters (0: unknown)."""

    name: str
    parameters: int

    def room(self, bytes_per_parameter: float) -> int:
        """Return the memory that it takes with such weights, in bytes."""
        return int(self.parameters * bytes_per_parameter * HEADROOM)


@dataclass(frozen=True, kw_only=True)
class Advice:
    """One way to run the model. `rank` orders ways that were not measured, the best first; `source`: who says so."""

    backend: str
    basis: Basis
    why: str
    rank: int
    tokens_per_s: float | None = None
    source: str = ""

    def command(self, model: str) -> str:
        """Return the command that runs the model this way."""
        return f'invoke generate "…" --backend {self.backend} --model {model}'


def guesses(facts: Facts, npus: Sequence[Npu], need: Need) -> list[Advice]:
    """Return for every way to run the model what is expected of it here, or why it is not possible."""
    return [
        _cuda(facts, need),
        _dml(facts, need),
        _webgpu(facts, need),
        _gpu(facts, need),
        _npu(facts, npus, need),
        _cpu(facts, need, "ort-cpu:int4", 5, "cpu-int4", MEASURED_ONCE),
        _cpu(facts, need, "openvino:int4", 6, "openvino-int4", DOCS_CPU),
    ]


def _hardware(facts: Facts) -> list[Adapter]:
    return [a for a in facts.windows.adapters if not a.software and not a.remote] if facts.windows else []


def _fits(adapters: Iterable[Adapter], room: int) -> Adapter | None:
    """Return the adapter with the most memory of its own, among those that can hold `room` bytes."""
    able = [a for a in adapters if a.dedicated_memory + a.shared_memory >= room]
    return max(able, key=lambda a: (a.dedicated_memory, a.shared_memory), default=None)


def _impossible(backend: str, rank: int, why: str, source: str = HERE) -> Advice:
    return Advice(backend=backend, basis=Basis.IMPOSSIBLE, why=why, rank=rank, source=source)


def _expected(backend: str, rank: int, why: str, source: str) -> Advice:
    return Advice(backend=backend, basis=Basis.EXPECTED, why=why, rank=rank, source=source)


def _export_note(facts: Facts, need: Need, kind: str) -> str:
    """Return what to know about the export that a way begins with: "" where this machine's memory holds it."""
    taken = needs.memory(need.parameters, EXPORTERS[kind])
    if taken <= facts.memory.total:
        return ""
    return f"; its export, once, takes about {human_size(taken)} of memory, more than there is here"


def _cuda(facts: Facts, need: Need) -> Advice:
    from smoke.backends import cuda

    reason = cuda.obstacle() if facts.system == "linux" else ""
    if facts.windows is not None and not any(a.vendor_id == NVIDIA for a in _hardware(facts)):
        reason = "There is no NVIDIA adapter."
    if reason:
        return _impossible("cuda:int4", 0, reason)
    why = f"an NVIDIA GPU with its own kernels; needs {human_size(need.room(QUARTER))} of its memory"
    return _expected("cuda:int4", 0, why + _export_note(facts, need, "cuda-int4"), DOCS_CUDA)


def _dml(facts: Facts, need: Need) -> Advice:
    if facts.windows is None:
        why = (
            "DirectML needs Windows; in Wine it proves results, on software Direct3D at a fraction of the CPU's speed."
        )
        return _impossible("dml:int4", 1, why, OURS)
    adapters = _hardware(facts)
    best = _fits(adapters, need.room(QUARTER))
    if best is None:
        named = ", ".join(a.name for a in adapters)
        why = f"{named} cannot hold {human_size(need.room(QUARTER))}." if named else "There is no DirectX 12 adapter."
        return _impossible("dml:int4", 1, why)
    own = best.dedicated_memory >= need.room(QUARTER)
    memory = f"{human_size(best.dedicated_memory)} of its own" if own else f"{human_size(best.shared_memory)} shared"
    why = f"{best.name}, memory: {memory}; needs {human_size(need.room(QUARTER))}"
    return _expected("dml:int4", 1 if own else 3, why + _export_note(facts, need, "dml-int4"), DOCS_DML)


def _webgpu(facts: Facts, need: Need) -> Advice:
    found = facts.webgpu
    if found is None or found.problem:
        return _impossible("webgpu:int4", 1, found.problem if found else "WebGPU was not looked for.")
    if found.software:
        why = f"Only {found.adapter} is here, which proves results at a fraction of the CPU's speed."
        return _impossible("webgpu:int4", 1, why, DOCS_WEBGPU)
    name, rank = found.adapter, 1
    if facts.windows is not None:
        best = _fits(_hardware(facts), need.room(QUARTER))
        if best is None:
            why = f"No DirectX 12 adapter here can hold {human_size(need.room(QUARTER))}."
            return _impossible("webgpu:int4", 1, why)
        name, rank = best.name, 1 if best.dedicated_memory >= need.room(QUARTER) else 3
    why = f"{name}, by DirectML's successor; needs {human_size(need.room(QUARTER))} of its memory"
    return _expected("webgpu:int4", rank, why + _export_note(facts, need, "webgpu-int4"), DOCS_WEBGPU)


def _gpu(facts: Facts, need: Need) -> Advice:
    known = facts.openvino is not None and any(name.startswith("GPU") for name in facts.openvino)
    nodes = [d for d in facts.devices if d.kind == "gpu" and d.vendor_id == INTEL and d.usable]
    adapter = _fits([a for a in _hardware(facts) if a.vendor_id == INTEL], need.room(QUARTER))
    if not (known or nodes or adapter):
        return _impossible("openvino:gpu-int4", 2, "There is no Intel GPU that can be used.")
    name = adapter.name if adapter else "an Intel GPU"
    why = f"{name}, with Intel's own kernels; needs {human_size(need.room(QUARTER))} of its memory"
    return _expected("openvino:gpu-int4", 2, why + _export_note(facts, need, "openvino-int4"), DOCS_GPU)


def _npu(facts: Facts, npus: Sequence[Npu], need: Need) -> Advice:
    if not npus:
        why = "There is no NPU; `invoke npu-check` says whether the model would compile for one."
        return _impossible("npu:int4", 4, why)
    driver = f", driver {npus[0].driver}" if npus[0].driver else ""
    why = f"{npus[0].name}{driver}: little power, static prompt lengths; {human_size(need.room(QUARTER))} of memory"
    return _expected("npu:int4", 4, why + _export_note(facts, need, "openvino-npu-int4"), DOCS_NPU)


def _cpu(facts: Facts, need: Need, backend: str, rank: int, kind: str, source: str) -> Advice:
    room, total = need.room(QUARTER) + RUNTIME[backend], facts.memory.total
    features = ", ".join(
        f for f in facts.cpu.features or () if f.startswith(("amx", "avx512_vnni", "avx_vnni", "i8mm"))
    )
    with_what = f"the processor: {facts.cpu.usable} cores{f' with {features}' if features else ''}"
    if room > total:
        why = f"needs about {human_size(room)} of memory, the machine has {human_size(total)}"
        return _impossible(backend, rank, why)
    why = f"{with_what}; needs about {human_size(room)} of {human_size(total)}"
    return _expected(backend, rank, why + _export_note(facts, need, kind), source)
