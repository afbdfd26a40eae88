"""What is built, where, and for whom: the target, the host, the options, and the folders a build uses."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Literal, cast

from recipes.spec.schema import Recipe
from recipes.spec.schema_parts import OsName, TargetName
from wheelhouse.errors import UnsupportedError, UsageError, nearest
from wheelhouse.paths import ROOT, cache_dir, third_party_dir, wheels_dir
from wheelhouse.processes.quoting import Shell

Arch = Literal["x64", "arm64"]

_MACHINES: dict[str, Arch] = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}
FOREIGN_ROOT = PureWindowsPath(r"C:\dml-wheelhouse")
"""Where a transcript pretends the checkout to be when it is made for Windows on another system."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """An operating system and processor that wheels are built for."""

    os: OsName
    arch: Arch

    @property
    def name(self) -> TargetName:
        """The name that recipes use, as 'windows-x64'."""
        return cast("TargetName", f"{self.os}-{self.arch}")

    @property
    def wheel_platform(self) -> str:
        """The platform tag of a wheel, as 'win_amd64'; on Linux without a promise about the C library."""
        names = {"windows-x64": "win_amd64", "windows-arm64": "win_arm64"}
        return names.get(self.name, f"linux_{'x86_64' if self.arch == 'x64' else 'aarch64'}")


def parse_target(name: str) -> Target:
    """Return the target of that name. Raise UsageError when there is none."""
    known = ("windows-x64", "windows-arm64", "linux-x64", "linux-arm64")
    if name not in known:
        raise UsageError(f"There is no target '{name}'. {nearest(name, known)}")
    system, arch = name.split("-")
    return Target(os=cast("OsName", system), arch=cast("Arch", arch))


def host_target() -> Target:
    """Return this machine as a target. Raise UnsupportedError for systems that nothing is built on."""
    system = {"win32": "windows", "linux": "linux"}.get(sys.platform)
    arch = _MACHINES.get(platform.machine().lower())
    if system is None or arch is None:
        raise UnsupportedError(
            f"Nothing is built on {sys.platform}, {platform.machine()}.",
            remedy="Use Windows or Linux on x86-64 or ARM64; `--plan --target windows-x64` works everywhere.",
        )
    return Target(os=cast("OsName", system), arch=arch)


def choose_target(recipe: Recipe, *, target: str = "", arch: str = "", host: Target | None = None) -> Target:
    """Return what to build: `target` if given, else the host's system (or the recipe's first), else `arch` on it.

    Raise UsageError for a target that the recipe does not have.
    """
    here = host or host_target()
    if target:
        chosen = parse_target(target)
    else:
        systems = [name.split("-")[0] for name in recipe.targets]
        system = here.os if here.os in systems or not systems else systems[0]
        chosen = parse_target(f"{system}-{arch or here.arch}")
    if chosen.name not in recipe.targets:
        raise UsageError(
            f"Recipe '{recipe.name}' is not for {chosen.name}. {nearest(chosen.name, recipe.targets)}".rstrip(),
        )
    return chosen


def cross_compiles(recipe: Recipe, target: Target, host: Target) -> bool:
    """Whether the host compiles for Windows without being one, because the recipe names a compiler that can."""
    return bool(recipe.toolchain.cross_compiler) and (host.os, target.os) == ("linux", "windows")


def require_buildable(recipe: Recipe, target: Target, host: Target) -> None:
    """Raise UnsupportedError when the host cannot compile for the target; nothing has been downloaded by then."""
    if target.os == host.os == "windows" or target == host or cross_compiles(recipe, target, host):
        return
    if target.os == "windows":
        raise UnsupportedError(
            f"Recipe '{recipe.name}' compiles for Windows, and the DirectML sources compile with Visual Studio only.",
            remedy="Here you can: `invoke build-dml --lane published` (the same wheels from published binaries), "
            "`invoke build` with a recipe that has this system among its targets, or `--plan` for the transcript; "
            "or run this command on a Windows machine or runner.",
        )
    raise UnsupportedError(
        f"This {host.name} machine cannot compile for {target.name}.", remedy=f"Run it on {target.name}."
    )


OrtOrigin = Literal["build", "published", "given"]


@dataclass(frozen=True, kw_only=True)
class BuildOptions:
    """What the user chose: Pythons ("3.12"; empty: the recipe's), where ONNX Runtime comes from, how to fetch.

    `source_mirror` replaces "https://github.com/" in every repository's address; `jobs` 0 leaves it to the tools.
    `recipe` is the name or file that was given, for commands that name it again.
    """

    pythons: tuple[str, ...] = ()
    ort: OrtOrigin = "build"
    ort_home: Path | None = None
    source_mirror: str = ""
    jobs: int = 0
    recipe: str = ""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The folders of a build, as the build's host names them: one place for each step's result."""

    third_party: PurePath
    work: PurePath
    wheels: PurePath
    patches: PurePath
    overlay: PurePath

    def source(self, name: str, pin: str) -> PurePath:
        """Return the checkout of a source: its name and enough of its pin to keep two apart."""
        return self.third_party / f"{name}-{_short(pin)}"

    def dependency(self, name: str, pin: str) -> PurePath:
        """Return the folder of a configure-time dependency."""
        return self.third_party / "deps" / f"{name}-{_short(pin)}"


def _short(pin: str) -> str:
    return pin.removeprefix("tag ").replace("/", "-") if pin.startswith("tag ") else pin[:10]


def real_layout(recipe: Recipe, target: Target) -> Layout:
    """Return where a build on this machine keeps its things."""
    overlay = ROOT / "recipes" / "overlay" / "core"
    return Layout(
        third_party=third_party_dir(),
        work=cache_dir("build", f"{recipe.name}-{target.name}"),
        wheels=wheels_dir(),
        patches=ROOT / "third_party" / "patches",
        overlay=overlay,
    )


def foreign_layout(recipe: Recipe, target: Target) -> Layout:
    """Return the same folders for a transcript that is read on another system."""
    root: PurePath = FOREIGN_ROOT if target.os == "windows" else PurePosixPath("/home/you/dml-wheelhouse")
    return Layout(
        third_party=root / "third_party",
        work=root / ".cache" / "build" / f"{recipe.name}-{target.name}",
        wheels=root / "wheels",
        patches=root / "third_party" / "patches",
        overlay=root / "recipes" / "overlay" / "core",
    )


def shell_of(os_name: OsName) -> Shell:
    """Return the shell that a transcript for this system is written for."""
    return "cmd" if os_name == "windows" else "posix"
