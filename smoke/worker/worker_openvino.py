"""What both OpenVINO engines need: the devices of this machine, and precision that can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import worker_engine

REMEDIES = {
    "GPU": "Install the GPU's OpenCL driver (on Linux: intel-opencl-icd, and be in the group 'render').",
    "NPU": "Install the NPU's driver (Linux: intel-driver-compiler-npu, intel-level-zero-npu; Windows: from Intel).",
}


def core() -> Any:
    """Return OpenVINO's Core, which also knows devices before anything is compiled."""
    import openvino

    return openvino.Core()


def devices() -> dict[str, str]:
    """Return the devices that OpenVINO finds, with their full names."""
    runtime = core()
    return {str(name): str(runtime.get_property(name, "FULL_DEVICE_NAME")) for name in runtime.available_devices}


def require_device(device: str) -> None:
    """Raise UnavailableError unless OpenVINO finds `device`.

    Asked for by name only: AUTO and AUTO:NPU,CPU silently run on the CPU where there is nothing else.
    """
    present = devices()
    if not any(name == device or name.split(".")[0] == device for name in present):
        raise worker_engine.UnavailableError(
            f"OpenVINO finds no {device} here (it finds {', '.join(present) or 'no device'}).",
            REMEDIES.get(device, "Ask for a device that OpenVINO finds."),
        )


def exact(device: str, config: dict[str, str]) -> list[str]:
    """Where `device` would compute in bfloat16 by default, put float32 into `config` and say so.

    bfloat16 keeps 8 significant bits: weights of float16 no longer give the reference's tokens, so nothing could be
    concluded from a difference.
    """
    if device != "CPU" or "INFERENCE_PRECISION_HINT" in config:
        return []
    if text(core().get_property(device, "INFERENCE_PRECISION_HINT")) != "bf16":
        return []
    config["INFERENCE_PRECISION_HINT"] = "f32"
    return ["computed in float32: this CPU's default for OpenVINO is bfloat16, too coarse to compare token by token"]


def text(value: object) -> str:
    """Return a property's value as OpenVINO writes it: an element type by its short name, the rest as text."""
    short = getattr(value, "get_type_name", None)
    return str(short()) if short else str(value).rsplit(".", maxsplit=1)[-1]


def describe(names: Sequence[str], evidence: str) -> dict[str, str]:
    """Return the description of the devices that OpenVINO reports to execute on."""
    known = devices()
    present = {name.split(".", maxsplit=1)[0] for name in known}
    absent = [name for name in names if name.split(".", maxsplit=1)[0] not in present]
    if absent:
        # The NPU plugin says NPU even where it has handed everything to the CPU.
        evidence = f"{evidence} says {','.join(absent)}, which is not on this machine"
        return {"name": f"not {','.join(absent)}", "description": "", "evidence": evidence}
    name = ",".join(names)
    described = {"name": name, "description": ", ".join(known.get(n, "") for n in names).strip(", ")}
    if any(n.startswith("NPU") for n in names):
        # On some NPU architectures garbage has been seen where others are right.
        described["architecture"] = str(core().get_property("NPU", "DEVICE_ARCHITECTURE"))
    return {**described, "evidence": evidence}
