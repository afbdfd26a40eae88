"""What recipes/wine/*.toml may say, and reading them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from wheelhouse import strict_toml
from wheelhouse.paths import ROOT
from wheelhouse.strict_toml import Bytes, PythonVersion, Sha256

RECIPE = ROOT / "recipes" / "wine" / "trixie.toml"
LOCK = RECIPE.with_suffix(".lock")
NPU_COMPILER = RECIPE.with_name("npu-compiler.toml")
WEBGPU_PLUGIN = RECIPE.with_name("webgpu-plugin.toml")
PAIRS = RECIPE.with_name("pairs.toml")
SHIM = Path(__file__).resolve().parent / "shim"

Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9.+-]*$")]


class WindowsPython(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """Where the embeddable Windows Python is: a folder of a zip archive in an sdist on PyPI."""

    package: str
    version: str
    filename: str
    sha256: Sha256
    member: str
    folder: str
    minor: PythonVersion


class Wheel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """One wheel on PyPI, by its hash."""

    package: str
    version: str
    filename: str
    sha256: Sha256


class WineRecipe(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """The whole runtime. `download` and `size` are in bytes."""

    label: str
    suite: Name
    architecture: Name
    packages: Annotated[tuple[Name, ...], Meta(min_length=1)]
    download: Bytes
    size: Bytes
    tested_wine: Annotated[tuple[str, ...], Meta(min_length=1)]
    decisive: tuple[Name, ...]
    python: WindowsPython
    wheels: tuple[Wheel, ...]


@cache
def load() -> WineRecipe:
    """Return the recipe. Raise RecipeError when it is wrong."""
    return strict_toml.load(RECIPE, WineRecipe)


class WheelsRecipe(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Windows wheels of one purpose, for the Python of this runtime."""

    wheels: tuple[Wheel, ...]


def npu_compiler() -> tuple[Wheel, ...]:
    """Return the wheels that hold Intel's NPU compiler. Raise RecipeError when their recipe is wrong."""
    return strict_toml.load(NPU_COMPILER, WheelsRecipe).wheels


def webgpu_plugin() -> tuple[Wheel, ...]:
    """Return WebGPU's plug-in for Windows. Raise RecipeError when its recipe is wrong."""
    return strict_toml.load(WEBGPU_PLUGIN, WheelsRecipe).wheels


class PairsRecipe(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Halves of DirectML pairs on PyPI, for the Python of this runtime; `made`: the recipe whose pair is one more."""

    made: Name
    wheels: tuple[Wheel, ...]


def pairs() -> PairsRecipe:
    """Return the halves of pairs to try with each other. Raise RecipeError when their recipe is wrong."""
    return strict_toml.load(PAIRS, PairsRecipe)
