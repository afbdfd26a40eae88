"""Which devices the smoke test will find, and what is missing where one is there but cannot be used."""

from __future__ import annotations

from collections.abc import Container, Iterator

from wheelhouse.machine.facts import Device, Facts

INTEL = 0x8086
DIRECTML = "dml"
"""The environment of what this is all about: on Windows it is news when it is not there."""
_LINUX = (
    ("NPU", "libze_intel_npu.so.1", "Intel's linux-npu-driver"),
    ("GPU", "libOpenCL.so.1", "intel-opencl-icd and ocl-icd-libopencl1"),
)
"""OpenVINO's name of a device, the library that its plugin loads, what carries that library."""


def notes(facts: Facts, own: Container[str]) -> Iterator[str]:
    """Yield a line per environment that is not made yet and per device that will be skipped.

    `own` are the environments of one backend each: without them that backend is skipped, and the others run.
    """
    for name, state in facts.environments.items():
        if (
            state.ready
            or (state.makeable and name in own and name != DIRECTML)
            or (name == DIRECTML and facts.system != "win32")
        ):
            continue
        if state.makeable:
            yield f"environment '{name}' is not made yet: {state.remedy or state.reason}"
        elif name in own:
            yield f"environment '{name}', for its own backend only, cannot be made: {state.reason} {state.remedy}"
    if facts.windows is not None and all(a.software for a in facts.windows.adapters):
        problem = f" ({facts.windows.adapters_problem})" if facts.windows.adapters_problem else ""
        yield f"no hardware DirectX adapter{problem}: backend dml will be skipped, see lane directml"
    if facts.system == "linux":
        yield "DirectML on Linux runs in Wine, on software Direct3D: see lane wine"
        for name, library, package in _LINUX:
            nodes = [d for d in facts.devices if d.kind == name.lower() and d.vendor_id == INTEL]
            yield from _linux(name, nodes, facts.libraries.get(library, False), f"{library} is not: install {package}")
    elif facts.openvino is not None and "NPU" not in facts.openvino:
        yield "OpenVINO sees no NPU: it will be skipped (Intel's NPU driver comes with Windows Update)"


def _linux(name: str, nodes: list[Device], library: bool, lacking: str) -> Iterator[str]:
    if not nodes:
        yield f"no Intel {name}: OpenVINO on {name} will be skipped"
    elif not any(node.usable for node in nodes):
        yield f"the Intel {name} is there, but this user may not open {nodes[0].node}: add the user to group render"
    elif not library:
        yield f"the Intel {name} is there, but {lacking}"
