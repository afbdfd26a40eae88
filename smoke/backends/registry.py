"""Every backend that can be proven, and its variants. To add one: an engine file in worker/ and an entry in BACKENDS.

An entry whose environment needs more than pins brings a `Source` of its own (see dml.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from smoke.backends import cuda, dml, npu, twins, webgpu, webgpu_variants, webgpu_wine
from smoke.backends.variants import REFERENCE, Backend, Pinned, Variant
from smoke.environments import pinned
from smoke.parity import gates
from wheelhouse.paths import ROOT

WORKER = ROOT / "smoke" / "worker"

_GUIDE = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": "1", "CACHE_DIR": ""}
"""OpenVINO properties of its guide for one user at a time; without a cache on the disk, every run compiles anew."""


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
                    against=REFERENCE if name == "fp16" else twins.of("openvino-int4"),
                    options=_openvino(exact=name == "fp16"),
                    if_present=device != "CPU",
                    tokens_only=tokens_only,
                )
            )
    return tuple(found)


_ORT_CPU = (
    Variant(name="fp32", export="cpu-fp32", gate=gates.FP32),
    Variant(name="int4", export="cpu-int4", gate=gates.INT4, against=twins.of("cpu-int4")),
    # What DirectML would load, computed by the CPU provider: checks the models where there is no DirectML.
    Variant(name="dml-fp16", export="dml-fp16", gate=gates.FP16),
    Variant(name="dml-int4", export="dml-int4", gate=gates.INT4_FP16, against=twins.of("dml-int4")),
    Variant(
        name="webgpu-int4",
        export="webgpu-int4",
        gate=gates.INT4,
        against=twins.of("webgpu-int4"),
        unasked=webgpu.why_not_unasked,
    ),
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
        against=twins.of("openvino-npu-int4"),
        options={"route": "optimum"},
        unasked=npu.why_not_unasked,
    ),
    # OpenVINO's advice above a billion parameters; NPU compilers refuse some widths in groups.
    Variant(
        name="int4-channel",
        export="openvino-npu-int4-channel",
        device="NPU",
        gate=gates.INT4,
        against=twins.of("openvino-npu-int4-channel"),
        options={"route": "optimum"},
        unasked=npu.why_not_unasked,
    ),
    Variant(
        name="genai-int4",
        export="openvino-npu-int4",
        device="NPU",
        gate=gates.INT4,
        against=twins.of("openvino-npu-int4"),
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
        called="transformers in float32",
        summary="transformers, float32, CPU",
        engine=WORKER / "engine_transformers.py",
        source=Pinned(name=pinned.MAIN),
        variants=(Variant(name="fp32", gate=gates.GOLDEN),),
    ),
    Backend(
        name=twins.BACKEND,
        summary="the reference with an int4 export's weights",
        engine=WORKER / "engine_twin.py",
        source=Pinned(name=pinned.MAIN),
        variants=tuple(Variant(name=kind, export=kind, gate=gates.QUANTISED, is_base=True) for kind in twins.KINDS),
    ),
    Backend(
        name="ort-cpu",
        called="ONNX Runtime on the CPU",
        summary="ONNX Runtime GenAI, CPU provider",
        engine=WORKER / "engine_ort_genai.py",
        source=Pinned(name=pinned.ORT, packages=("onnxruntime", "onnxruntime-genai")),
        variants=_ORT_CPU,
    ),
    Backend(
        name="dml",
        called="DirectML",
        summary="ONNX Runtime GenAI, DirectML",
        engine=WORKER / "engine_ort_genai_dml.py",
        source=dml.source(),
        variants=tuple(
            Variant(
                name=f"{name}{dml.NO_GRAPH if explains else ''}",
                export=f"dml-{name}",
                device="DirectML",
                gate=gate,
                against=against,
                libraries=("directml",),
                options=dml.WITHOUT_CAPTURE if explains else {},
                explains=name if explains else "",
            )
            for explains in (False, True)
            for name, gate, against in (
                ("fp16", gates.FP16, "ort-cpu:dml-fp16"),  # one graph on two execution providers
                ("int4", gates.INT4_FP16, twins.of("dml-int4")),
            )
        ),
    ),
    Backend(
        name="webgpu",
        called="WebGPU",
        summary="ONNX Runtime GenAI, WebGPU plug-in",
        engine=WORKER / "engine_ort_genai_webgpu.py",
        source=webgpu.WebGpuSource(),
        variants=webgpu_variants.on_webgpu(),
    ),
    Backend(
        name="webgpu-wine",
        called="WebGPU beside DirectML",
        summary="the Windows plug-in beside the DirectML pair, in Wine",
        engine=WORKER / "engine_ort_genai_webgpu.py",
        source=webgpu_wine.WineWebGpuSource(),
        # Of Direct3D 12 Wine lacks what Dawn begins with (docs/webgpu.md).
        variants=webgpu_variants.on_webgpu(webgpu_wine.why_not_unasked, provider_options={"dawnBackendType": "Vulkan"})[
            :3
        ],
    ),
    Backend(
        name="cuda",
        called="CUDA",
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
                against=against,
                libraries=("onnxruntime_providers_cuda",),
            )
            for name, gate, against in (
                ("fp16", gates.FP16, REFERENCE),
                ("int4", gates.INT4, twins.of("cuda-int4")),
            )
        ),
    ),
    Backend(
        name="openvino",
        called="OpenVINO",
        summary="OpenVINO by optimum-intel",
        engine=WORKER / "engine_openvino.py",
        source=Pinned(name=pinned.MAIN),
        variants=_openvino_variants(("GPU",)),
    ),
    Backend(
        name="openvino-genai",
        called="OpenVINO GenAI",
        summary="OpenVINO GenAI's LLMPipeline",
        engine=WORKER / "engine_openvino_genai.py",
        source=Pinned(name=pinned.MAIN),
        variants=_openvino_variants(("GPU",), tokens_only=True),
    ),
    Backend(
        name="npu",
        called="OpenVINO on an NPU",
        summary="OpenVINO's NPU device",
        engine=WORKER / "engine_npu.py",
        source=Pinned(name=pinned.MAIN),
        variants=_NPU,
    ),
    Backend(
        name="npu-legacy",
        called="Intel's archived NPU library",
        summary="intel-npu-acceleration-library (archived)",
        engine=WORKER / "engine_npu_legacy.py",
        source=Pinned(name=pinned.NPU_LEGACY),
        variants=tuple(
            Variant(name=name, device="NPU", gate=gate, options={"dtype": name}, unasked=npu.why_not_legacy)
            # It quantises as it loads: there is no export whose weights could be read.
            for name, gate in (("fp16", gates.FP16), ("int8", gates.QUANTISED), ("int4", gates.QUANTISED))
        ),
    ),
)
