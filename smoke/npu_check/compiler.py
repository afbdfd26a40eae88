"""Where Intel's NPU compiler is: in OpenVINO's Windows wheel, so on Windows itself, or on Linux in Wine."""

from __future__ import annotations

import sys
from pathlib import Path

from msgspec import Struct

from smoke import environments
from smoke.environments import Environment, Readiness
from smoke.wine.recipe import Wheel
from wheelhouse import strict_toml
from wheelhouse.errors import UnsupportedError
from wheelhouse.paths import ROOT

RECIPE = ROOT / "recipes" / "wine" / "npu-compiler.toml"


class CompilerRecipe(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The Windows wheels that hold the compiler, for the Python of the Wine runtime."""

    wheels: tuple[Wheel, ...]


def load() -> CompilerRecipe:
    """Return the recipe. Raise RecipeError when it is wrong."""
    return strict_toml.load(RECIPE, CompilerRecipe)


def status() -> Readiness:
    """Say whether the compiler can be used here, without making anything."""
    system: str = sys.platform  # as a plain string: the type checker knows one system only
    if system == "win32":
        return environments.status(environments.MAIN)
    from smoke.wine import environment, namespace, recipe, setup

    problem = namespace.obstacle()
    if problem is not None:
        return Readiness(ready=False, makeable=False, reason=problem.message, remedy=problem.remedy)
    if not setup.finished(recipe.load()):
        reason = "Intel's NPU compiler exists for Windows only, and the Wine runtime is not set up."
        return Readiness(ready=False, makeable=False, reason=reason, remedy=environment.SETUP)
    return Readiness(ready=True, makeable=True)


def prepare() -> Environment:
    """Return the environment of the compiler, making it first unless it is there.

    Raise UnsupportedError where this host cannot, and what fetching wheels or setting Wine up may raise.
    """
    system: str = sys.platform
    if system == "win32":
        return environments.prepare(environments.MAIN)
    found = status()
    if not found.ready:
        raise UnsupportedError(found.reason, remedy=found.remedy)
    from smoke.wine import environment

    return environment.prepare(_fetched())


def _fetched() -> list[Path]:
    from recipes.downloads import IndexFile, fetch_index_files
    from smoke.wine import recipe

    minor = recipe.load().python.minor
    files = [
        IndexFile(
            package=wheel.package,
            version=wheel.version,
            filename=wheel.filename,
            sha256=wheel.sha256,
            python=minor,
            platform="win_amd64",
        )
        for wheel in load().wheels
    ]
    return list(fetch_index_files(files).values())
