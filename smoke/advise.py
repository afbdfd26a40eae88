"""Which backend to use for a model on this machine: by what was measured here, else by what its devices make likely.

Nothing is loaded, downloaded or run: the facts about the machine, the size of the model and the last smoke report are
all there is. A row says which of them it rests on.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from smoke import npu
from smoke.npu import Npu
from smoke.results import Report, Result
from smoke.verdicts import Verdict
from wheelhouse.facts import Adapter, Facts
from wheelhouse.files import human_size
from wheelhouse.paths import cache_dir

INTEL, NVIDIA = 0x8086, 0x10DE
HALF, QUARTER = 2.0, 0.6
"""Bytes per parameter in fp16, and in int4 with its scales and an embedding that stays in fp16 or int8."""
HEADROOM = 1.3
"""Memory that a runtime takes, as a multiple of the weights: they, the cache of keys and values, work space."""

DOCS_NPU = "docs.openvino.ai, OpenVINO GenAI on NPU"
DOCS_GPU = "docs.openvino.ai, GPU device"
ONNXRUNTIME = "onnxruntime.ai, execution providers"
OURS = "docs/wine.md"


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


def advise(facts: Facts, npus: Sequence[Npu], need: Need, report: Report | None) -> list[Advice]:
    """Return the ways to run the model, the best first: what was measured, what is expected, what is not possible."""
    guessed = [_cuda(facts, need), _dml(facts, need), _gpu(facts, need), _npu(npus, need), *_cpu(facts, need)]
    measured = {f"{result.backend}:{result.variant}": result for result in report.results} if report else {}
    found = [_measured(measured[a.backend], a) if a.backend in measured else a for a in guessed]
    found += [
        _measured(measured[name], None)
        for name in measured.keys() - {a.backend for a in guessed}
        if _counts(measured[name])
    ]
    order = list(Basis)
    return sorted(found, key=lambda a: (order.index(a.basis), -(a.tokens_per_s or 0.0), a.rank, a.backend))


def _counts(result: Result) -> bool:
    return result.verdict not in {Verdict.SKIPPED, Verdict.FELL_BACK} and result.backend != "reference"


def _measured(result: Result, guess: Advice | None) -> Advice:
    """Return what a smoke result says about a way; one that was not run leaves the guess as it was."""
    name = f"{result.backend}:{result.variant}"
    if not _counts(result) and guess is not None:
        return guess
    rate = result.performance.tokens_per_s
    rank = guess.rank if guess else 99
    if result.verdict is Verdict.PASS:
        memory = human_size(result.performance.peak_memory_bytes or 0)
        why = f"PASS on {result.device}; {memory} of memory"
        return Advice(
            backend=name, basis=Basis.MEASURED, why=why, rank=rank, tokens_per_s=rate, source="the last smoke report"
        )
    why = f"{result.verdict.value} here: {result.reason.splitlines()[0] if result.reason else 'see the report'}"
    return Advice(backend=name, basis=Basis.IMPOSSIBLE, why=why, rank=rank, source="the last smoke report")


def _hardware(facts: Facts) -> list[Adapter]:
    return [a for a in facts.windows.adapters if not a.software and not a.remote] if facts.windows else []


def _fits(adapters: Iterable[Adapter], room: int) -> Adapter | None:
    """Return the adapter with the most memory of its own, among those that can hold `room` bytes."""
    able = [a for a in adapters if a.dedicated_memory + a.shared_memory >= room]
    return max(able, key=lambda a: (a.dedicated_memory, a.shared_memory), default=None)


def _impossible(backend: str, rank: int, why: str, source: str = "") -> Advice:
    return Advice(backend=backend, basis=Basis.IMPOSSIBLE, why=why, rank=rank, source=source)


def _expected(backend: str, rank: int, why: str, source: str) -> Advice:
    return Advice(backend=backend, basis=Basis.EXPECTED, why=why, rank=rank, source=source)


def _cuda(facts: Facts, need: Need) -> Advice:
    from smoke import cuda

    reason = cuda.obstacle() if facts.system == "linux" else ""
    if facts.windows is not None and not any(a.vendor_id == NVIDIA for a in _hardware(facts)):
        reason = "There is no NVIDIA adapter."
    if reason:
        return _impossible("cuda:int4", 0, reason, ONNXRUNTIME)
    why = f"an NVIDIA GPU with its own kernels; needs {human_size(need.room(QUARTER))} of its memory"
    return _expected("cuda:int4", 0, why, ONNXRUNTIME)


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
        return _impossible("dml:int4", 1, why, ONNXRUNTIME)
    memory = human_size(best.dedicated_memory or best.shared_memory)
    return _expected(
        "dml:int4", 1 if best.dedicated_memory >= need.room(QUARTER) else 3, f"{best.name} with {memory}", ONNXRUNTIME
    )


def _gpu(facts: Facts, need: Need) -> Advice:
    known = facts.openvino is not None and any(name.startswith("GPU") for name in facts.openvino)
    nodes = [d for d in facts.devices if d.kind == "gpu" and d.vendor_id == INTEL and d.usable]
    adapter = _fits([a for a in _hardware(facts) if a.vendor_id == INTEL], need.room(QUARTER))
    if not (known or nodes or adapter):
        return _impossible("openvino:gpu-int4", 2, "There is no Intel GPU that can be used.", DOCS_GPU)
    name = adapter.name if adapter else "an Intel GPU"
    return _expected("openvino:gpu-int4", 2, f"{name}, with Intel's own kernels", DOCS_GPU)


def _npu(npus: Sequence[Npu], need: Need) -> Advice:
    if not npus:
        why = "There is no NPU; `invoke npu-check` says whether the model would compile for one."
        return _impossible("npu:int4", 4, why, DOCS_NPU)
    driver = f", driver {npus[0].driver}" if npus[0].driver else ""
    why = f"{npus[0].name}{driver}: little power, static prompt lengths; {human_size(need.room(QUARTER))} of memory"
    return _expected("npu:int4", 4, why, DOCS_NPU)


def _cpu(facts: Facts, need: Need) -> list[Advice]:
    room, free = need.room(QUARTER), facts.memory.total
    features = ", ".join(
        f for f in facts.cpu.features or () if f.startswith(("amx", "avx512_vnni", "avx_vnni", "i8mm"))
    )
    with_what = f"{facts.cpu.usable} cores{f' with {features}' if features else ''}"
    if room > free:
        why = f"needs {human_size(room)} of memory, the machine has {human_size(free)}"
        return [_impossible("openvino:int4", 5, why), _impossible("ort-cpu:int4", 6, why)]
    why = f"{with_what}; needs {human_size(room)} of {human_size(free)}"
    return [
        _expected("openvino:int4", 5, why, DOCS_GPU.replace("GPU", "CPU")),
        _expected("ort-cpu:int4", 6, why, ONNXRUNTIME),
    ]


def last_report(model: str, folder: Path | None = None) -> Report | None:
    """Return the newest smoke report about `model` in the cache, or None."""
    files = sorted(
        (folder or cache_dir("reports")).glob("*/report.json"), key=lambda p: p.stat().st_mtime, reverse=True
    )
    for file in files:
        try:
            report = msgspec.json.decode(file.read_bytes(), type=Report)
        except (OSError, msgspec.MsgspecError):  # of an older version, or cut off
            continue
        if report.model.name == model:
            return report
    return None


def conclusion(found: Sequence[Advice], need: Need, npus: Sequence[Npu]) -> str:
    """Return what to do, in one sentence or two."""
    best = found[0]
    if best.basis is Basis.IMPOSSIBLE:
        return f"Nothing here can run {need.name}: take a smaller model."
    if best.basis is Basis.MEASURED:
        rate = f", {best.tokens_per_s:.1f} tokens/s" if best.tokens_per_s else ""
        return f"Use {best.backend}: the fastest that passed here{rate}."
    hint = " An NPU saves power rather than time." if npus else ""
    measure = f"`invoke smoke --all-backends --model {need.name}` measures."
    return f"{best.backend} is likely the best; nothing was measured here yet: {measure}{hint}"


def need_of(model: str) -> Need:
    """Return what a model needs, by its recipe or else its folder. Raise UsageError or InputError."""
    from smoke import catalogue
    from smoke.catalogue import HubModel
    from smoke.models import resolve, safetensors

    if model in catalogue.model_names():
        recipe = catalogue.model(model)
        return Need(name=model, parameters=recipe.size // (2 if isinstance(recipe.source, HubModel) else 4))
    folder = resolve(model).folder
    return Need(name=model, parameters=sum(safetensors.parameters(file) for file in folder.glob("*.safetensors")))


def tell(model: str) -> None:
    """Do what `invoke advise` says: print the conclusion, then the table."""
    from rich import box
    from rich.table import Table

    from wheelhouse import console, host

    need, npus = need_of(model), npu.devices()
    found = advise(host.gather(), npus, need, last_report(model))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("backend", "basis", "tokens/s", "why", "command", "source"):
        table.add_column(column, overflow="fold")
    for row in found:
        rate = f"{row.tokens_per_s:.1f}" if row.tokens_per_s else ""
        command = "" if row.basis is Basis.IMPOSSIBLE else row.command(model)
        table.add_row(row.backend, row.basis.value, rate, row.why, command, row.source)
    console.result(conclusion(found, need, npus))
    console.result(table)
