"""Twins of int4 exports: the reference with an export's own weights, which those who run that export are held to."""

from __future__ import annotations

BACKEND = "twin"
KINDS = (
    "cpu-int4",
    "dml-int4",
    "cuda-int4",
    "webgpu-int4",
    "openvino-int4",
    "openvino-npu-int4",
    "openvino-npu-int4-channel",
)
"""Exports that have one."""


def of(kind: str) -> str:
    """Return the name of the twin of an export, as `Variant.against` takes it."""
    return f"{BACKEND}:{kind}"
