"""What DirectML needs of this Windows: an adapter with a driver, a Windows that is new enough, and the C++ runtime."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

from front.lane_checks import Gap, Lane
from front.wheel_floors import Floor
from recipes.audit.libraries import declared
from wheelhouse.machine.facts import Adapter, Driver, Facts, Windows
from wheelhouse.machine.host_windows import numbers

NAME = "directml"
PURPOSE = "a model on this machine's own DirectX adapter (`invoke smoke --backend dml`)"
OLDEST = Floor(
    distribution="onnxruntime-directml", build=declared().needs_windows["directml.dll"], library="directml.dll"
)
"""The Windows that the DirectML.dll in ONNX Runtime's wheels needs, whoever made them."""
OLDEST_RUNTIME = "14.40"
"""Of msvcp140.dll. Programs from newer compilers crash in an older one at the first lock of a mutex."""
OLD_DRIVER_DAYS = 730
_DRIVER = "Install the newest driver from the maker of the GPU or the machine, or by Windows Update's optional updates."


def directml(facts: Facts, floors: Sequence[Floor] = (), today: dt.date | None = None) -> Lane:
    """Judge running DirectML on Windows itself; `floors` are those of the wheels that are there."""
    windows = facts.windows
    if windows is None:
        what = f"DirectML runs on Windows, this is {facts.system}"
        remedy = "On Linux, `invoke wine-setup` makes it run on software Direct3D: see lane wine."
        return Lane(name=NAME, purpose=PURPOSE, state="impossible", gaps=(Gap(what=what, remedy=remedy),))
    gaps = (*_adapter(windows), *_system(windows, floors), *_runtime(windows, facts.machine), *_environment(facts))
    notes = (*_drivers(windows, today or dt.datetime.now(tz=dt.UTC).date()), *_libraries(windows))
    return Lane(name=NAME, purpose=PURPOSE, state="missing" if gaps else "ready", gaps=gaps, notes=notes)


def _adapter(windows: Windows) -> Iterator[Gap]:
    hardware = [a for a in windows.adapters if not a.software]
    if not hardware:
        problem = f" ({windows.adapters_problem})" if windows.adapters_problem else ""
        yield Gap(what=f"a hardware DirectX adapter{problem}", remedy=_DRIVER)
    elif not any(_enough(adapter) for adapter in hardware):
        names = ", ".join(a.name for a in hardware)
        yield Gap(what=f"an adapter with Direct3D 12: {names} offers no feature level", remedy=_DRIVER)


def _enough(adapter: Adapter) -> bool:
    """Whether Direct3D 12 makes a device of it; facts that were written down before that was asked say nothing."""
    return bool(adapter.feature_level) or not adapter.driver


def _system(windows: Windows, floors: Sequence[Floor]) -> Iterator[Gap]:
    needs = {floor.distribution: floor for floor in (OLDEST, *floors)}
    for floor in needs.values():
        if 0 < windows.build < floor.build:
            yield Gap(
                what=f"Windows build {floor.build} or newer, for {floor.library} in {floor.distribution}; "
                f"this is build {windows.build}",
                remedy="Update Windows: the library does not load on older ones.",
            )


def _runtime(windows: Windows, machine: str) -> Iterator[Gap]:
    architecture = "arm64" if machine.lower() in {"arm64", "aarch64"} else "x64"
    remedy = f"`winget install Microsoft.VCRedist.2015+.{architecture}`, or `pip install msvc-runtime` into the Python."
    missing = [name for name, version in windows.vc_runtime.items() if not version]
    if missing:
        yield Gap(what=f"the C++ runtime: {', '.join(missing)} is not in System32", remedy=remedy)
        return
    version = windows.vc_runtime.get("msvcp140.dll", "")
    if numbers(version) and numbers(version) < numbers(OLDEST_RUNTIME):
        yield Gap(what=f"a newer C++ runtime than {version} (msvcp140.dll)", remedy=remedy)


def _environment(facts: Facts) -> Iterator[Gap]:
    state = facts.environments.get("dml")
    if state is not None and not state.ready and not state.makeable:
        yield Gap(what=state.reason, remedy=state.remedy)


def _drivers(windows: Windows, today: dt.date) -> Iterator[str]:
    for number, adapter in enumerate(windows.adapters):
        level = f", feature level {adapter.feature_level}" if adapter.feature_level else ""
        yield f"device_id {number}: {adapter.name}{' (software)' * adapter.software}{level}"
    for driver in windows.drivers:
        day = f" of {driver.date}" if driver.date else ""
        yield f"{driver.kind.upper()} driver: {driver.name}, {driver.version}{day}{_age(driver, today)}"


def _age(driver: Driver, today: dt.date) -> str:
    if not driver.date:
        return ""
    days = (today - dt.date.fromisoformat(driver.date)).days
    return f", more than two years old. {_DRIVER}" if days > OLD_DRIVER_DAYS else ""


def _libraries(windows: Windows) -> Iterator[str]:
    for place, library in enumerate(windows.directml):
        use = "this Python loads" if place == 0 else "there is also"
        yield f"DirectML.dll: {use} {library.version}, {library.path}"
