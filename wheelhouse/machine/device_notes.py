"""Which devices the smoke test will find, and what is missing where one is there but cannot be used."""

from __future__ import annotations

from collections.abc import Iterator

from wheelhouse.machine.facts import Device, Facts

INTEL = 0x8086
OPTIONAL = frozenset({"cuda", "dml", "npu-legacy", "webgpu"})
"""Environments of one backend each: without them that backend is skipped, and the others run."""
ON_DEMAND = frozenset({"cuda", "npu-legacy", "webgpu"})
"""Environments that no ordinary run makes: that they are not there is no news."""
_LINUX = (
    ("NPU", "libze_intel_npu.so.1", "Intel's linux-npu-driver"),
    ("GPU", "libOpenCL.so.1", "intel-opencl-icd and ocl-icd-libopencl1"),
)
"""OpenVINO's name of a device, the library that its plugin loads, what carries that library."""


def notes(facts: Facts) -> Iterator[str]:
    """Yield a line per environment that is not made yet and per device that will be skipped."""
    for name, state in facts.environments.items():
        if state.ready or (state.makeable and name in ON_DEMAND) or (name == "dml" and facts.system != "win32"):
            continue
        if state.makeable:
            yield f"environment '{name}' is not made yet: {state.remedy or state.reason}"
        elif name in OPTIONAL:
            yield f"environment '{name}', for its own backend only, cannot be made: {state.reason} {state.remedy}"
    if facts.windows is not None and all(a.software for a in facts.windows.adapters):
        problem = f" ({facts.windows.adapters_problem})" if facts.windows.adapters_problem else ""
        yield f"no hardware DirectX adapter{problem}: backend dml will be skipped"
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
