"""What each lane needs of a machine: pure functions over recorded facts, one per lane; they start nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PureWindowsPath
from typing import Literal

from msgspec import Struct

from smoke.backends.registry import BACKENDS
from wheelhouse.files import human_size
from wheelhouse.machine import device_notes
from wheelhouse.machine.facts import Facts, Readiness, Tool
from wheelhouse.machine.host_windows import numbers
from wheelhouse.paths import CLONE_SHORTER, SWITCH, too_long

State = Literal["ready", "missing", "impossible"]

ROOM = {
    "published": 500_000_000,
    "git-cpu": 4_000_000_000,
    "git-dml": 40_000_000_000,
    "smoke": 8_000_000_000,
    "wine": 4_000_000_000,
}
"""Bytes that each lane needs below the cache, with some to spare; git-dml is an estimate."""
MEMORY_PER_COMPILER = 1_100_000_000
"""Bytes: the largest translation unit of GenAI v0.15.2 was measured at 965 MiB."""
SMOKE_MEMORY = 4_000_000_000
BELOW_CHECKOUT = 122
"""Characters of the longest path in it: what `pip install -e .` puts into `.venv`; a wheel being written has 96."""
OLDEST_COMPILER = 11
"""Major version of GCC or Clang whose C++20 is enough."""


class Gap(Struct, frozen=True, kw_only=True):
    """Something that a lane lacks, and what to do about it."""

    what: str
    remedy: str


class Lane(Struct, frozen=True, kw_only=True):
    """One lane: "ready", "missing" something (the gaps say what), or "impossible" here (the first gap says why)."""

    name: str
    purpose: str
    state: State
    gaps: tuple[Gap, ...] = ()
    notes: tuple[str, ...] = ()


def _lane(name: str, purpose: str, gaps: Iterator[Gap], notes: tuple[str, ...] = ()) -> Lane:
    found = tuple(gaps)
    return Lane(name=name, purpose=purpose, state="missing" if found else "ready", gaps=found, notes=notes)


def _impossible(name: str, purpose: str, what: str, remedy: str) -> Lane:
    return Lane(name=name, purpose=purpose, state="impossible", gaps=(Gap(what=what, remedy=remedy),))


def published(facts: Facts) -> Lane:
    """Judge the published lane: pip and room are all it needs."""

    def gaps() -> Iterator[Gap]:
        if facts.this_python.pip is False:
            yield Gap(what=f"{facts.this_python.path} has no pip, which downloads and packs", remedy=_pip_remedy(facts))
        yield from _room(facts, "published")
        yield from _short(facts)

    return _lane("published", "the DirectML pair from PyPI's binaries (`invoke build-dml --lane published`)", gaps())


def _pip_remedy(facts: Facts) -> str:
    debian = " (Debian, Ubuntu: `apt install python3-venv python3-pip` first)" if facts.system == "linux" else ""
    return f"`python -m ensurepip --upgrade`{debian}."


def _room(facts: Facts, lane: str) -> Iterator[Gap]:
    free = facts.disk.get("cache", 0)
    if free < ROOM[lane]:
        yield Gap(
            what=f"{human_size(free)} free below the cache, {human_size(ROOM[lane])} needed",
            remedy="Free some, or set DML_WHEELHOUSE_CACHE to a folder on a larger disk.",
        )


def _short(facts: Facts) -> Iterator[Gap]:
    if facts.windows is None or facts.windows.long_paths or "checkout" not in facts.places:
        return
    if wrong := too_long(PureWindowsPath(facts.places["checkout"]), BELOW_CHECKOUT):
        yield Gap(what=wrong, remedy=f"{CLONE_SHORTER}, or {SWITCH}.")


_GIT_CPU = "GenAI compiled from source for this system's CPU (`invoke build --recipe FILE`)"


def git_cpu(facts: Facts, cmake: str) -> Lane:
    """Judge compiling GenAI for this system's CPU."""
    if facts.system not in {"linux", "win32"}:
        return _impossible("git-cpu", _GIT_CPU, f"nothing is compiled on {facts.system}", "Use Linux or Windows.")
    machine = "arm64" if facts.machine.lower() in {"aarch64", "arm64"} else "x64"

    def gaps() -> Iterator[Gap]:
        yield from _sources(facts, cmake)
        yield from (_visual_studio(facts, (machine,)) if facts.system == "win32" else _compiler(facts))
        yield from _room(facts, "git-cpu")

    return _lane("git-cpu", _GIT_CPU, gaps(), _parallel_note(facts))


def _parallel_note(facts: Facts) -> tuple[str, ...]:
    fit = max(1, int(facts.memory.available / MEMORY_PER_COMPILER))
    if fit >= facts.cpu.usable:
        return ()
    free = human_size(facts.memory.available)
    return (f"{free} of memory are enough for {fit} compilers at a time, not for {facts.cpu.usable}: `--jobs {fit}`",)


def _sources(facts: Facts, cmake: str) -> Iterator[Gap]:
    if "git" not in facts.tools:
        remedy = "`winget install Git.Git`." if facts.system == "win32" else "Debian, Ubuntu: `apt install git`."
        yield Gap(what="git", remedy=remedy)
    tool = facts.tools.get("cmake")
    if tool is None or _older(tool, cmake):
        found = f", found {tool.version} ({tool.path})" if tool else ""
        yield Gap(
            what=f"CMake {cmake} or newer{found}", remedy=f"`pip install 'cmake>={cmake}'` into this environment."
        )
    if "ninja" not in facts.tools:
        yield Gap(what="Ninja", remedy="`pip install ninja` into this environment.")


def _older(tool: Tool, minimum: str) -> bool:
    """Whether the tool is too old for certain: one that does not tell its version is given the benefit of the doubt."""
    found = numbers(tool.version)
    return bool(found) and found < numbers(minimum)


def _compiler(facts: Facts) -> Iterator[Gap]:
    tool = facts.tools.get("c++")
    if tool is None:
        yield Gap(what="a C++ compiler (c++)", remedy="Debian, Ubuntu: `apt install g++`; or set CXX.")
    elif _older(tool, str(OLDEST_COMPILER)):
        yield Gap(
            what=f"a compiler with C++20: {tool.path} is version {tool.version}",
            remedy=f"Install GCC {OLDEST_COMPILER} or newer and set CXX.",
        )
    if facts.this_python.headers is False:
        yield Gap(what="the C headers of this Python", remedy="Debian, Ubuntu: `apt install python3-dev`.")


_GIT_DML = "the DirectML pair compiled from source (`invoke build-dml --lane git --recipe FILE`)"


def git_dml(facts: Facts, cmake: str) -> Lane:
    """Judge compiling the DirectML pair."""
    if facts.system != "win32":
        return _impossible(
            "git-dml",
            _GIT_DML,
            f"DirectML compiles on Windows only, this is {facts.system}",
            "Take the published lane; `--lane git --recipe FILE --plan` prints what a Windows machine would run.",
        )

    def gaps() -> Iterator[Gap]:
        yield from _sources(facts, cmake)
        yield from _visual_studio(facts, ("x64",))
        yield from _sdk(facts)
        if facts.windows is not None and facts.windows.long_paths is False:
            yield Gap(
                what="long paths are off, and the build's paths exceed 260 characters",
                remedy=f"{SWITCH}; and `git config --global core.longpaths true`.",
            )
        yield from _room(facts, "git-dml")

    notes = _parallel_note(facts)
    studios = facts.windows.visual_studios if facts.windows else ()
    if not any("arm64" in s.compilers for s in studios):
        notes += ("no ARM64 compiler: `--arch arm64` needs Visual Studio's component VC.Tools.ARM64",)
    return _lane("git-dml", _GIT_DML, gaps(), notes)


def _visual_studio(facts: Facts, architectures: tuple[str, ...]) -> Iterator[Gap]:
    studios = facts.windows.visual_studios if facts.windows else ()
    for architecture in architectures:
        if not any(architecture in s.compilers and numbers(s.version)[:1] >= (17,) for s in studios):
            found = "; found " + ", ".join(f"{s.name} {s.version}" for s in studios) if studios else ""
            yield Gap(
                what=f"Visual Studio 2022 or newer with a C++ compiler for {architecture}{found}",
                remedy="`winget install Microsoft.VisualStudio.2022.BuildTools`, then add 'Desktop development with "
                "C++' in the Visual Studio Installer.",
            )


def _sdk(facts: Facts) -> Iterator[Gap]:
    found = facts.windows.sdks if facts.windows else ()
    if not any(s.hardware_id_parts for s in found):
        have = f"; found {', '.join(s.version for s in found)}" if found else ""
        yield Gap(
            what=f"a Windows SDK whose dxcore_interface.h declares DXCoreHardwareIDParts{have}",
            remedy="Install a newer Windows 11 SDK (10.0.26100) with the Visual Studio Installer.",
        )


def smoke(facts: Facts) -> Lane:
    """Judge the smoke test, and note which devices it will find."""

    own = {backend.name for backend in BACKENDS}  # an environment that is called as a backend serves it alone

    def gaps() -> Iterator[Gap]:
        if facts.this_python.venv is False:
            yield Gap(what="this Python cannot make virtual environments", remedy=_pip_remedy(facts))
        for name, state in facts.environments.items():
            if name not in own and not state.ready and not state.makeable:
                yield Gap(what=f"environment '{name}': {state.reason}", remedy=state.remedy)
        if facts.memory.total < SMOKE_MEMORY:
            yield Gap(
                what=f"{human_size(facts.memory.total)} of memory, the default model needs {human_size(SMOKE_MEMORY)}",
                remedy="Use `--model tiny-phi3`, or a machine with more.",
            )
        if not any(e.ready for e in facts.environments.values()):
            yield from _room(facts, "smoke")

    purpose = "a model through every backend, compared (`invoke smoke --all-backends`)"
    return _lane("smoke", purpose, gaps(), tuple(device_notes.notes(facts, own)))


def wine(facts: Facts) -> Lane:
    """Judge DirectML on Linux."""
    purpose = "real DirectML on Linux without a GPU (`invoke wine-setup`)"
    if facts.system != "linux" or facts.machine != "x86_64":
        remedy = "On Windows, `invoke smoke --backend dml` uses the system's own DirectML."
        return _impossible("wine", purpose, f"needs Linux on x86_64, this is {facts.system} {facts.machine}", remedy)
    state = facts.wine or Readiness(ready=False, makeable=False, reason="not looked at", remedy="Run `invoke doctor`.")

    def gaps() -> Iterator[Gap]:
        if not state.ready and not state.makeable:
            yield Gap(what=state.reason, remedy=state.remedy)
        if not state.ready:
            yield from _room(facts, "wine")

    notes = () if state.ready or not state.makeable else (f"not ready yet: {state.reason} {state.remedy}".strip(),)
    return _lane("wine", purpose, gaps(), notes)
