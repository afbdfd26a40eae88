"""Wheels that an environment needs and no index has for this platform: compiled here from a pinned sdist.

`recipes/environments/NAME.toml` names the sdist and a CMake project in this folder that packs it. The result is kept
by the hashes of both; which compiler made it is not part of that, because any result will do.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from pathlib import Path

from smoke.environments import pip
from smoke.environments.environment_recipes import CompiledSdist
from wheelhouse import manifests, steps
from wheelhouse.console import task
from wheelhouse.errors import ToolchainError, UnsupportedError
from wheelhouse.files import remove_tree, sha256_tree, verified
from wheelhouse.paths import cache_dir
from wheelhouse.steps import Step
from wheelhouse.unpacking import unpack

_PROJECTS = Path(__file__).parent
_COMPILERS = ("c++", "g++", "clang++")


def needed(source: CompiledSdist) -> bool:
    """Say whether this platform has to compile; elsewhere the index has a wheel."""
    return sys.platform == source.platform


def built(source: CompiledSdist) -> Path | None:
    """Return the wheel if it is there, whole and up to date, without making anything."""
    step = _step(source)
    if steps.why_to_run(step) is not None or manifests.damage(step.output) is not None:
        return None
    return _wheel_in(step.output)


def obstacle(source: CompiledSdist) -> ToolchainError | UnsupportedError | None:
    """Return why this machine cannot compile the wheel, or None. It starts nothing."""
    if platform.machine() not in source.machines:
        return UnsupportedError(
            f"{source.package} runs on {', '.join(source.machines)} only, and this machine is {platform.machine()}.",
            remedy="Its code uses that processor's vector instructions; there is no other version of it.",
        )
    compiler = os.environ.get("CXX", "").split()[:1]
    if not any(shutil.which(name) for name in (*compiler, *_COMPILERS)):
        return ToolchainError(
            f"{source.package} has to be compiled here, and there is no C++ compiler.",
            remedy="Install one (Debian, Ubuntu: `apt install g++`).",
        )
    return None


def wheel(source: CompiledSdist) -> Path:
    """Return the wheel, compiling it first unless it is there.

    Raise UnsupportedError (another processor), ToolchainError (no compiler, no pip), NetworkError (the sdist or what
    its build requires cannot be fetched), IntegrityError (another file than the pinned one) or StepFailedError.
    """
    step = _step(source)

    def make(partial: Path) -> None:
        if problem := obstacle(source):
            raise problem
        _build(source, _unpacked(source, partial / "sdist"), partial)
        remove_tree(partial / "sdist")
        manifests.write(partial)

    steps.ensure(step, make, quiet_when_fresh=True, damage=manifests.damage)
    return _wheel_in(step.output)


def _step(source: CompiledSdist) -> Step:
    project = _PROJECTS / source.project
    return Step(
        name=f"wheel of {source.package} {source.version}",
        output=cache_dir("compiled", f"{source.package}-{source.version}"),
        inputs={
            "sdist": source.sha256,
            "CMake project": sha256_tree(project),
            "platform": f"{sys.platform} {platform.machine()}",
            "epoch": str(source.epoch),
        },
    )


def _unpacked(source: CompiledSdist, folder: Path) -> Path:
    """Return the sdist's folder. pip runs its setup.py while downloading, so pip itself must check the hash first."""
    folder.mkdir()
    archive = pip.download(f"{source.package}=={source.version}", folder, sha256=source.sha256)
    unpack(verified(archive, source.sha256, remedy="Use PyPI itself, or find out why."), folder)
    return next(path for path in folder.iterdir() if path.is_dir())


def _build(source: CompiledSdist, sdist: Path, output: Path) -> None:
    settings = (f"--config-settings=cmake.define.SDIST={sdist}",)
    with task(f"compiling {source.package} {source.version}") as shown:
        # The files in the wheel get this time: the same sources make the same wheel, and so the same environment.
        variables = {"SOURCE_DATE_EPOCH": str(source.epoch)}
        pip.build(_PROJECTS / source.project, output, settings, variables=variables, shown=shown)


def _wheel_in(folder: Path) -> Path:
    return next(folder.glob("*.whl"))
