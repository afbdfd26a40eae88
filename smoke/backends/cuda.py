"""CUDA's environment: where there is an NVIDIA driver, and how to start a Python that uses it."""

from __future__ import annotations

import ctypes.util
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from smoke.environments import pinned
from smoke.environments.source import Environment, Readiness
from wheelhouse.errors import UnsupportedError

ENVIRONMENT = "cuda"
PACKAGES = ("onnxruntime-gpu", "onnxruntime-genai-cuda")
LINUX_DEVICES = Path("/proc/driver/nvidia/gpus")
"""NVIDIA's kernel driver lists its devices here, a folder each."""


def obstacle() -> str:
    """Return why CUDA cannot be used on this machine, in words; "" when a driver is there. Loads nothing."""
    system: str = sys.platform  # as a plain string: the type checker knows one system only
    if system == "win32":
        found = (Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32" / "nvcuda.dll").is_file()
        return "" if found else "There is no NVIDIA driver (nvcuda.dll) on this machine."
    if system != "linux":
        return "CUDA exists for Linux and Windows only."
    if LINUX_DEVICES.is_dir() and any(LINUX_DEVICES.iterdir()):
        return ""
    # In a container the driver's library may be there without its folder in /proc.
    if ctypes.util.find_library("cuda") and Path("/dev/nvidiactl").exists():
        return ""
    return "There is no NVIDIA GPU with a driver on this machine."


@dataclass(frozen=True, kw_only=True)
class CudaSource:
    """Where backend `cuda` comes from: the pinned environment, on machines with an NVIDIA driver."""

    def status(self) -> Readiness:
        """See Source."""
        reason = obstacle()
        if reason:
            remedy = "Run the same command on a machine with an NVIDIA GPU and a driver for CUDA 13 (580 or newer)."
            return Readiness(ready=False, makeable=False, reason=reason, remedy=remedy)
        return pinned.status(ENVIRONMENT)

    def prepare(self, wheels: Sequence[Path]) -> Environment:
        """See Source."""
        status = self.status()
        if not status.ready and not status.makeable:
            raise UnsupportedError(status.reason, remedy=status.remedy)
        return pinned.prepare(ENVIRONMENT, wheels=wheels)

    def takes(self, wheel: Path) -> bool:
        """See Source."""
        return wheel.name.split("-", maxsplit=1)[0].lower().replace("_", "-") in PACKAGES
