"""The host's own Wine in place of a Debian root: Wine 10 or newer, if it passes the same self-test.

Sessions then run in an overlay of the host's root file system, so that they change nothing there either.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import msgspec

from smoke.wine import places
from smoke.wine.places import Ground
from smoke.wine.recipe import WineRecipe
from wheelhouse import steps
from wheelhouse.errors import ToolchainError, UnsupportedError
from wheelhouse.files import sha256_file, write_atomic
from wheelhouse.process import Command, run
from wheelhouse.steps import Step

OLDEST = 10
"""The first Wine whose Direct3D 12 DirectML accepts, our d3d12.dll in front of it. On Wine 8 GenAI does not import."""
PATH = "/usr/bin:/usr/sbin:/bin:/sbin"
"""Where sessions look for programs: process_one.py has the same."""
PROGRAMS = {
    "Xvfb": "xvfb",
    "x86_64-w64-mingw32-gcc": "gcc-mingw-w64-x86-64-win32",
    "gcc": "gcc",
    "cmake": "cmake",
    "make": "make",
}
"""Programs besides Wine, and Debian's packages of them."""
LIBRARIES = (
    "usr/lib/x86_64-linux-gnu/wine/x86_64-windows",  # Debian and its children
    "usr/lib64/wine/x86_64-windows",  # Fedora, openSUSE
    "usr/lib/wine/x86_64-windows",  # Arch
    "opt/wine-*/lib64/wine/x86_64-windows",  # WineHQ's packages
    "opt/wine-*/lib/wine/x86_64-windows",
)
DRIVERS = ("usr/share/vulkan/icd.d/lvp_icd*.json", "etc/vulkan/icd.d/lvp_icd*.json")
_REMEDY = "Without --host-wine `invoke wine-setup` makes a runtime with a Wine of its own."


class HostWine(Ground, frozen=True, kw_only=True):
    """The host as what the runtime stands on, and its Wine's version as Wine says it."""

    version: str


def find(tree: Path = Path("/")) -> HostWine:
    """Return this machine's own Wine. Raise UnsupportedError without one that is new enough, ToolchainError when
    something else is missing.
    """
    version = _version()
    missing = [package for program, package in PROGRAMS.items() if shutil.which(program, path=PATH) is None]
    vulkan = _first(tree, DRIVERS)
    if not vulkan:
        missing.append("mesa-vulkan-drivers")
    if missing:
        raise ToolchainError(
            f"To use this machine's own Wine {version}, these are missing: {', '.join(missing)}.",
            remedy=f"`apt-get install {' '.join(missing)}` or their like. {_REMEDY}",
        )
    windows = _first(tree, tuple(f"{folder}/d3d12.dll" for folder in LIBRARIES))
    if not windows:
        raise UnsupportedError(f"This machine's Wine {version} has no 64-bit Direct3D 12 (d3d12.dll).", remedy=_REMEDY)
    return HostWine(tree=str(tree), version=version, windows=str(Path(windows).parent), vulkan=vulkan)


def _version() -> str:
    if shutil.which("wine", path=PATH) is None:
        raise UnsupportedError("This machine has no Wine of its own.", remedy=_REMEDY)
    command = Command(argv=("wine", "--version"), env={"PATH": PATH, "WINEDEBUG": "-all"}, timeout=60)
    said = " ".join(run(command, log=places.log("wine-version"), echo=False, check=False).tail)
    match = re.search(r"wine-((\d+)\.[0-9A-Za-z.-]+)", said)
    if match is None:
        raise UnsupportedError(f"This machine's Wine does not say its version: '{said[:80]}'.", remedy=_REMEDY)
    if int(match[2]) < OLDEST:
        raise UnsupportedError(
            f"This machine's own Wine is {match[1]}; DirectML needs {OLDEST}.0 or newer.", remedy=_REMEDY
        )
    return match[1]


def _first(tree: Path, patterns: tuple[str, ...]) -> str:
    found = (path for pattern in patterns for path in sorted(tree.glob(pattern)))
    return next((f"/{path.relative_to(tree)}" for path in found), "")


def recorded() -> HostWine | None:
    """Return the host's Wine that the runtime was made with, or None: it has a Debian root, or there is none."""
    try:
        return msgspec.json.decode((places.root() / places.HOST).read_bytes(), type=HostWine)
    except (OSError, msgspec.MsgspecError, ValueError, RecursionError):
        return None


def step(wine: HostWine) -> Step:
    """Return the step that notes the host's Wine. It is another when Wine's Direct3D was replaced."""
    library = wine.libraries / "d3d12.dll"
    inputs = {
        "version": wine.version,
        "libraries": wine.windows,
        "driver": wine.vulkan,
        "d3d12.dll": sha256_file(library) if library.is_file() else "absent",
    }
    return Step(name="the host's own Wine", output=places.root(), inputs=inputs)


def ensure(wine: HostWine) -> None:
    """Note the host's Wine as what the runtime stands on, unless it is."""
    wanted = step(wine)

    def make(folder: Path) -> None:
        write_atomic(folder / places.HOST, msgspec.json.encode(wine))
        lines = "".join(f"{name.replace(' ', '-')} {value}\n" for name, value in wanted.inputs.items())
        write_atomic(folder / places.PACKAGES, lines)

    steps.ensure(wanted, make, quiet_when_fresh=True)


def tested(recipe: WineRecipe) -> tuple[str, ...]:
    """Return the Wine versions that our d3d12.dll accepts: the host's own is left to the self-test."""
    wine = recorded()
    return (*recipe.tested_wine, wine.version) if wine else recipe.tested_wine
