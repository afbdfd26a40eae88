"""Which variants run a graph that can be divided, and which other one it may be held to."""

from __future__ import annotations

from smoke.backends.registry import BACKENDS
from smoke.backends.variants import Backend, Variant

ENGINE = "engine_ort_genai"
"""What the names of engines begin with that run such graphs."""
OPENVINO = "engine_openvino.py"
"""The engine that runs whole models of OpenVINO."""
PLAIN = "fp32"
"""The variant of BESIDE that computes in float32."""
BESIDE = "ort-cpu"
"""The backend that others are held to."""


def has_graph(backend: Backend, variant: Variant) -> bool:
    """Say whether a variant runs a graph of ONNX Runtime GenAI."""
    return backend.engine.name.startswith(ENGINE) and bool(variant.export)


def has_blocks(backend: Backend, variant: Variant) -> bool:
    """Say whether a variant runs a model of OpenVINO that can be divided where an ONNX graph has the same values."""
    return backend.engine.name == OPENVINO and bool(variant.export) and variant.device == "CPU"


def held_to(backend: str, variant: str) -> str:
    """Return the variant by which one that is wrong is judged operator by operator; "" where there is none.

    The same graph on the CPU where that is a variant, else the graph in float32.
    """
    ours = next(((b, v) for b in BACKENDS for v in b.variants if (b.name, v.name) == (backend, variant)), None)
    if ours is None or not (has_graph(*ours) or has_blocks(*ours)):
        return ""
    cpu = next(b for b in BACKENDS if b.name == BESIDE)
    same = [v.name for v in cpu.variants if v.export == ours[1].export and cpu.name != backend]
    name = f"{cpu.name}:{same[0] if same else PLAIN}"
    return "" if name == f"{backend}:{variant}" else name
