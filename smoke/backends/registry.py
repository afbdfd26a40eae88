"""Every backend that can be proven, and its variants. To add one: an engine file in worker/ and an entry in BACKENDS.

An entry whose environment needs more than pins brings a `Source` of its own (see dml.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from smoke.backends import cuda, dml, npu
from smoke.environments import directml_pair, pinned
from smoke.environments.source import Environment, Readiness, Source
from smoke.parity import gates
from smoke.parity.gates import Gate
from wheelhouse.paths import ROOT

WORKER = ROOT / "smoke" / "worker"
REFERENCE = "reference:fp32"

_GUIDE = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": "1", "CACHE_DIR": ""}
"""OpenVINO properties of its guide for one user at a time; without a cache on the disk, every run compiles anew."""


@dataclass(frozen=True, kw_only=True)
class Pinned:
    """The environment of recipes/environments/NAME.toml; `packages` are those that a user's wheels may replace."""

    name: str
    packages: tuple[str, ...] = ()

    def status(self) -> Readiness:
        """See Source."""
        return pinned.status(self.name)

    def prepare(self, wheels: Sequence[Path]) -> Environment:
        """See Source."""
        return pinned.prepare(self.name, wheels=wheels)

    def takes(self, wheel: Path) -> bool:
        """See Source."""
        return directml_pair.package_of(wheel) in self.packages


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One way to run a backend: what is loaded, on which device, and which gate its dump has to pass against what.

    `export` "" means the Hugging Face folder itself. `against` names another backend's variant. With `if_present`,
    the variant runs unasked only where an earlier result has seen its device. `tokens_only`: the runtime shows no
    logits, so that single choices have to do. `libraries`: see judge.Expectation.

    `unasked` returns why the variant is skipped here when it was not named ("": it is not). `announced`: its name says
    that it runs on another device than the one it is about, so that FELL_BACK is its best verdict and no fault.
    """

    name: str
    gate: Gate
    export: str = ""
    device: str = "CPU"
    options: Mapping[str, Any] = field(default_factory=dict)
    against: str = REFERENCE
    if_present: bool = False
    libraries: tuple[str, ...] = ()
    tokens_only: bool = False
    unasked: Callable[[], str] | None = None
    announced: bool = False


@dataclass(frozen=True, kw_only=True)
class Backend:
    """A runtime: its engine (a file), its environment, its variants."""

    name: str
    summary: str
    engine: Path
    source: Source
    variants: tuple[Variant, ...]


def _openvino(*, exact: bool) -> Mapping[str, Any]:
    return {"config": _GUIDE, "exact": exact}


def _openvino_variants(devices: Sequence[str], *, tokens_only: bool = False) -> tuple[Variant, ...]:
    """Make the fp16 and int4 variants of OpenVINO on the CPU, and on `devices` where they are present."""
    found = []
    for device in ("CPU", *devices):
        prefix = "" if device == "CPU" else f"{device.lower()}-"
        for name, gate in (("fp16", gates.FP16), ("int4", gates.INT4)):
            found.append(
                Variant(
                    name=prefix + name,
                    export=f"openvino-{name}",
                    device=device,
                    gate=gate,
                    options=_openvino(exact=name == "fp16"),
                    if_present=device != "CPU",
                    tokens_only=tokens_only,
                )
            )
    return tuple(found)


_ORT_CPU = (
    Variant(name="fp32", export="cpu-fp32", gate=gates.FP32),
    Variant(name="int4", export="cpu-int4", gate=gates.INT4),
    # What DirectML would load, computed by the CPU provider: checks the models where there is no DirectML.
    Variant(name="dml-fp16", export="dml-fp16", gate=gates.FP16),
    Variant(name="dml-int4", export="dml-int4", gate=gates.INT4),
)

_NPU = (
    # The two ways that OpenVINO documents, with its settings for NPUs.
    Variant(name="fp16", export="openvino-fp16", device="NPU", gate=gates.FP16, options={"route": "optimum"}),
    # Without an NPU, fp16 alone is tried: it gets the runtime's reason, and an export for nothing is saved.
    Variant(
        name="int4",
        export="openvino-npu-int4",
        device="NPU",
        gate=gates.INT4,
        options={"route": "optimum"},
        unasked=npu.why_not_unasked,
    ),
    # OpenVINO's advice above a billion parameters; NPU compilers refuse some widths in groups.
    Variant(
        name="int4-channel",
        export="openvino-npu-int4-channel",
        device="NPU",
        gate=gates.INT4,
        options={"route": "optimum"},
        unasked=npu.why_not_unasked,
    ),
    Variant(
        name="genai-int4",
        export="openvino-npu-int4",
        device="NPU",
        gate=gates.INT4,
        options={"route": "genai"},
        tokens_only=True,
        unasked=npu.why_not_unasked,
    ),
    # The transformations and static shapes of an NPU, computed by the CPU: what would be wrong there is wrong here.
    Variant(
        name="npuw-cpu",
        export="openvino-fp16",
        device="NPU",
        gate=gates.FP16,
        options={"route": "optimum", "on": "CPU"},
        announced=True,
    ),
)

BACKENDS: tuple[Backend, ...] = (
    Backend(
        name="reference",
        summary="transformers, float32, CPU",
        engine=WORKER / "engine_transformers.py",
        source=Pinned(name=pinned.MAIN),
        variants=(Variant(name="fp32", gate=gates.GOLDEN),),
    ),
    Backend(
        name="ort-cpu",
        summary="ONNX Runtime GenAI, CPU provider",
        engine=WORKER / "engine_ort_genai.py",
        source=Pinned(name=pinned.ORT, packages=("onnxruntime", "onnxruntime-genai")),
        variants=_ORT_CPU,
    ),
    Backend(
        name="dml",
        summary="ONNX Runtime GenAI, DirectML",
        engine=WORKER / "engine_ort_genai_dml.py",
        source=dml.source(),
        # One graph on two execution providers: the same weights, whatever their precision.
        variants=tuple(
            Variant(
                name=name,
                export=f"dml-{name}",
                device="DirectML",
                gate=gates.FP16,
                against=f"ort-cpu:dml-{name}",
                libraries=("directml",),
            )
            for name in ("fp16", "int4")
        ),
    ),
    Backend(
        name="cuda",
        summary="ONNX Runtime GenAI, CUDA",
        engine=WORKER / "engine_ort_genai.py",
        source=cuda.CudaSource(),
        variants=tuple(
            Variant(
                name=name,
                export=f"cuda-{name}",
                device="CUDA",
                gate=gate,
                options={"provider": "cuda"},
                libraries=("onnxruntime_providers_cuda",),
            )
            for name, gate in (("fp16", gates.FP16), ("int4", gates.INT4))
        ),
    ),
    Backend(
        name="openvino",
        summary="OpenVINO by optimum-intel",
        engine=WORKER / "engine_openvino.py",
        source=Pinned(name=pinned.MAIN),
        variants=_openvino_variants(("GPU",)),
    ),
    Backend(
        name="openvino-genai",
        summary="OpenVINO GenAI's LLMPipeline",
        engine=WORKER / "engine_openvino_genai.py",
        source=Pinned(name=pinned.MAIN),
        variants=_openvino_variants(("GPU",), tokens_only=True),
    ),
    Backend(
        name="npu",
        summary="OpenVINO's NPU device",
        engine=WORKER / "engine_npu.py",
        source=Pinned(name=pinned.MAIN),
        variants=_NPU,
    ),
    Backend(
        name="npu-legacy",
        summary="intel-npu-acceleration-library (archived)",
        engine=WORKER / "engine_npu_legacy.py",
        source=Pinned(name=pinned.NPU_LEGACY),
        variants=tuple(
            Variant(name=name, device="NPU", gate=gate, options={"dtype": name}, unasked=npu.why_not_legacy)
            for name, gate in (("fp16", gates.FP16), ("int8", gates.INT4), ("int4", gates.INT4))
        ),
    ),
)
