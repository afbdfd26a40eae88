"""The variants of WebGPU, wherever its plug-in runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from smoke.backends import webgpu
from smoke.backends.variants import REFERENCE, Variant
from smoke.parity import gates

_WEBGPU = (
    # The CPU provider's own graph: same weights, token for token.
    ("fp32", "cpu-fp32", gates.FP32, REFERENCE, None),
    ("fp16", "webgpu-fp16", gates.FP16, REFERENCE, webgpu.why_no_f16),
    # The same graph on the CPU provider, which is held to the graph's twin.
    ("int4", "webgpu-int4", gates.INT8_ACTIVATIONS, "ort-cpu:webgpu-int4", None),
    ("int4-graph", "webgpu-int4-graph", gates.INT8_ACTIVATIONS, "ort-cpu:webgpu-int4", webgpu.why_no_graph),
)


def on_webgpu(unasked: Callable[[], str] | None = None, **options: Any) -> tuple[Variant, ...]:
    """Return the variants; `unasked` in place of each one's own, `options` in addition to it."""
    return tuple(
        Variant(
            name=name,
            export=export,
            device="WebGPU",
            gate=gate,
            against=against,
            libraries=("onnxruntime_providers_webgpu",),
            unasked=unasked or own,
            options={"f16": name == "fp16", **options},
        )
        for name, export, gate, against, own in _WEBGPU
    )
