"""What `invoke doctor` reports: the machine's facts, with what recipes need and which environments there are."""

from __future__ import annotations

from dataclasses import asdict

import msgspec

from smoke.backends import dml, webgpu
from smoke.environments import environment_recipes, pinned
from smoke.wine import namespace
from smoke.wine.environment import WineSource
from wheelhouse.errors import InputError, UnsupportedError, WheelhouseError
from wheelhouse.machine import host
from wheelhouse.machine.facts import Facts, Readiness, WebGpu
from wheelhouse.paths import log_dir
from wheelhouse.process import run


def collect() -> Facts:
    """Gather the facts of this machine, with the state of our environments and of the Wine runtime."""
    states = {name: pinned.status(name) for name in environment_recipes.environment_names()}
    if isinstance(native := dml.source(), dml.NativeWindows):
        states[dml.ENVIRONMENT] = native.status()  # made of a pair of wheels, whose Python is chosen there
    return msgspec.structs.replace(
        host.gather(),
        environments={name: msgspec.convert(asdict(state), Readiness) for name, state in states.items()},
        wine=_wine(),
        webgpu=webgpu_adapter(),
        openvino=_openvino() if states[pinned.MAIN].ready else None,
    )


def _wine() -> Readiness:
    """Return whether DirectML runs in Wine at once, or whether the runtime can be set up here."""
    obstacle = namespace.obstacle()
    if obstacle is not None:
        return Readiness(ready=False, makeable=False, reason=obstacle.message, remedy=obstacle.remedy)
    state = WineSource().status()
    return Readiness(ready=state.ready, makeable=True, reason=state.reason, remedy=state.remedy)


def webgpu_adapter() -> WebGpu:
    """Return what WebGPU would compute on here; no driver is loaded."""
    try:
        adapter = webgpu.choose()
    except (InputError, UnsupportedError) as error:
        return WebGpu(problem=error.message, remedy=error.remedy)
    return WebGpu(adapter=adapter.label, software=adapter.software, remedy=webgpu.what_would_change(adapter))


def _openvino() -> dict[str, str] | None:
    """Ask OpenVINO, in the environment that has it, for its devices: name to full name. None when it fails."""
    lines: list[str] = []
    command = pinned.prepare(pinned.MAIN).command("-c", _LIST_DEVICES, timeout=60)
    try:
        run(command, log=log_dir() / "doctor" / "openvino.log", echo=False, on_line=lines.append)
        return msgspec.json.decode(lines[-1], type=dict[str, str])
    except (WheelhouseError, msgspec.DecodeError, ValueError, RecursionError, IndexError):
        return None


_LIST_DEVICES = """
import json, openvino
core = openvino.Core()
print(json.dumps({name: core.get_property(name, "FULL_DEVICE_NAME") for name in core.available_devices}))
"""
