"""What WebGPU needs of a machine, and what it would compute on."""

from __future__ import annotations

from front.lane_checks import Gap, Lane
from wheelhouse.machine.facts import Facts, WebGpu

NAME = "webgpu"
PURPOSE = "WebGPU, DirectML's successor (`invoke smoke --backend webgpu`)"


def webgpu(facts: Facts) -> Lane:
    """Judge running WebGPU here."""
    found = facts.webgpu or WebGpu(problem="not looked at", remedy="Run `invoke doctor`.")
    hardware = [a for a in facts.windows.adapters if not a.software] if facts.windows else []
    if found.problem:
        return _missing(found.problem, found.remedy)
    if facts.windows is not None and not hardware:
        return _missing("a hardware DirectX adapter", "Install the GPU's driver.")
    state = facts.environments.get(NAME)
    if state is not None and not state.ready and not state.makeable:
        return _missing(state.reason, state.remedy)
    named = ", ".join(a.name for a in hardware)
    adapter = f"adapter: {found.adapter}{f' ({named})' if named else ''}"
    if found.software:
        adapter += ", which is software: it proves operators, not drivers or speed"
    return Lane(name=NAME, purpose=PURPOSE, state="ready", notes=(f"{adapter}. {found.remedy}".strip(),))


def _missing(what: str, remedy: str) -> Lane:
    return Lane(name=NAME, purpose=PURPOSE, state="missing", gaps=(Gap(what=what, remedy=remedy),))
