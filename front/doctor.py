"""`invoke doctor`: what this machine has, whether each lane can be taken, and what would have to be done if not.

The facts come from smoke/advice/survey.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec
from msgspec import Struct

from front import directml_lane, lane_checks, webgpu_lane, wheel_floors
from front.lane_checks import Lane
from front.wheel_floors import Floor
from recipes.spec.load import available, load
from smoke.advice import survey
from wheelhouse.files import human_size
from wheelhouse.machine.facts import Facts
from wheelhouse.machine.host_windows import numbers
from wheelhouse.paths import wheels_dir

MARKS = {"ready": "✓", "missing": "✗", "impossible": "-"}


class Report(Struct, frozen=True, kw_only=True):
    """What `invoke doctor --json` prints."""

    schema: int
    facts: Facts
    lanes: tuple[Lane, ...]
    warnings: tuple[str, ...]


def diagnose() -> Report:
    """Gather this machine's facts and judge every lane over them."""
    facts = survey.collect()
    return examine(facts, cmake=_oldest_cmake(), floors=wheel_floors.of(wheels_dir(), facts.machine))


def _oldest_cmake() -> str:
    """Return the CMake that satisfies every recipe that compiles."""
    recipes = [load(name) for name in available()]
    return max((r.toolchain.cmake for r in recipes if r.genai is not None), key=numbers, default="0")


def examine(facts: Facts, *, cmake: str, floors: Sequence[Floor] = ()) -> Report:
    """Judge every lane over the facts.

    `cmake` is the oldest CMake that the sources take, as in the recipes; `floors`: the Windows that the wheels need.
    """
    lanes = (
        lane_checks.published(facts),
        lane_checks.git_cpu(facts, cmake),
        lane_checks.git_dml(facts, cmake),
        lane_checks.smoke(facts),
        lane_checks.wine(facts),
        directml_lane.directml(facts, floors),
        webgpu_lane.webgpu(facts),
    )
    return Report(schema=1, facts=facts, lanes=lanes, warnings=tuple(warnings(facts)))


def warnings(facts: Facts) -> Iterator[str]:
    """Yield what bites whatever one does: flavours of ONNX Runtime that overwrite each other, a stray DLL."""
    checks: tuple[tuple[str, Callable[[str], bool]], ...] = (
        ("onnxruntime", lambda name: not name.startswith("onnxruntime-genai") and "extensions" not in name),
        ("onnxruntime_genai", lambda name: name.startswith("onnxruntime-genai")),
    )
    for module, belongs in checks:
        flavours = [p for p in facts.onnxruntimes if belongs(p.name)]
        if len(flavours) > 1:
            names = " and ".join(f"{p.name} {p.version}" for p in flavours)
            yield (
                f"{names} are installed together; all are the Python package '{module}', so one has overwritten the "
                f"other. Uninstall all of them, then install one."
            )
    if facts.windows is not None and facts.windows.system_onnxruntime:
        yield (
            f"System32 has an onnxruntime.dll {facts.windows.system_onnxruntime}: a program that does not name the "
            "folder of its own gets that one (onnxruntime-genai#935). Leave it, it is Windows' own: put yours beside "
            "the program's .exe, or load it by its whole path, as the wheels do."
        )


def to_json(report: Report) -> str:
    """Return the report as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(report), indent=1).decode()


def to_text(report: Report) -> str:
    """Return the report for people."""
    sections = (_machine(report.facts), _found(report.facts), *(_lane_text(lane) for lane in report.lanes))
    parts = ["\n".join(lines) for lines in sections if lines]
    return "\n\n".join([*parts, *(f"warning: {text}" for text in report.warnings)])


def _machine(facts: Facts) -> list[str]:
    features = "unknown" if facts.cpu.features is None else " ".join(facts.cpu.features) or "none of interest"
    return [
        f"System   {facts.name}, {facts.machine}",
        f"CPU      {facts.cpu.model}, {facts.cpu.usable} usable; {features}",
        f"Memory   {human_size(facts.memory.total)}, {human_size(facts.memory.available)} available",
        *(
            f"Disk     {human_size(free)} free for the {place} {facts.places.get(place, '')}".rstrip()
            for place, free in facts.disk.items()
        ),
    ]


def _found(facts: Facts) -> list[str]:
    rows = [("Python", f"{facts.this_python.version} (this one)", facts.this_python.path)]
    rows += [("Python", p.version, p.path) for p in facts.pythons]
    rows += [(tool.name, tool.version or "version unknown", tool.path) for tool in facts.tools.values()]
    rows += [(d.kind.upper(), f"{d.vendor_id:04x}:{d.device_id:04x} {d.driver}", d.node) for d in facts.devices]
    if facts.windows is not None:
        rows += [(s.name, s.version, f"{s.path} ({', '.join(s.compilers)})") for s in facts.windows.visual_studios]
        rows += [("Windows SDK", s.version, "") for s in facts.windows.sdks]
        rows += [
            ("DirectX", a.vendor, f"{a.name}, {human_size(a.dedicated_memory)}{' (software)' * a.software}")
            for a in facts.windows.adapters
        ]
    rows += [("OpenVINO", device, name) for device, name in (facts.openvino or {}).items()]
    rows += [("package", p.version, p.name) for p in facts.onnxruntimes]
    return [f"{name:<12} {version:<20} {place}".rstrip() for name, version, place in rows]


def _lane_text(lane: Lane) -> list[str]:
    lines = [f"{MARKS[lane.state]} {lane.name}: {lane.purpose}"]
    lines += [f"    {gap.what.rstrip('.')}. {gap.remedy}" for gap in lane.gaps]
    return lines + [f"    note: {note}" for note in lane.notes]
