"""The providers whose operators are measured: how each suite is called, where it runs, what its table has to say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from smoke.backends import dml, webgpu
from smoke.environments.source import Source

VARIANT = "operators"


@dataclass(frozen=True, kw_only=True)
class Target:
    """One suite. `provider` is the worker's name for it, `execution_provider` ONNX Runtime's, `device` the reports'."""

    name: str
    provider: str
    execution_provider: str
    device: str
    source: Callable[[], Source]
    note: str
    native: bool = True
    """Whether the CPU provider's own errors are looked at, too: not in Wine, where each session costs a second."""

    @property
    def summary(self) -> str:
        """Return what it does, for a list."""
        return f"single operators on {self.device}, against the CPU provider"


TARGETS = (
    Target(
        name="dml-ops",
        provider="dml",
        execution_provider="DmlExecutionProvider",
        device="DirectML",
        source=dml.source,
        native=False,
        note="'no shader': DirectML has the operator at this size as a DXIL shader only, which Wine's Direct3D cannot "
        "compile, so nothing is known of it here.",
    ),
    Target(
        name="webgpu-ops",
        provider="webgpu",
        execution_provider="WebGpuExecutionProvider",
        device="WebGPU",
        source=webgpu.WebGpuSource,
        note="'no f16': the adapter has no 16-bit floats, so nothing is known of it here.",
    ),
)
"""In the order in which they run."""
