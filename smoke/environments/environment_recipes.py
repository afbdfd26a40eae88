"""What recipes/environments may say, and reading it: one TOML file per environment, decoded strictly."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from wheelhouse import strict_toml
from wheelhouse.errors import RecipeError
from wheelhouse.paths import ROOT
from wheelhouse.strict_toml import Bytes, PythonVersion, Sha256

ENVIRONMENTS = ROOT / "recipes" / "environments"

Pin = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]+==[A-Za-z0-9.!+_]+( *;.+)?$")]


class CompiledSdist(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A package that has no wheel for `platform` (as in sys.platform): compiled there from its sdist on PyPI.

    `project` names the CMake project in smoke/environments/compiled that packs it; `machines` are the processors it
    can run on, as platform.machine() calls them; `epoch` is the time of the files in the wheel, in seconds since 1970.
    """

    package: str
    version: str
    sha256: Sha256
    """Of the sdist."""
    project: str
    platform: str
    machines: tuple[str, ...]
    epoch: Annotated[int, Meta(gt=0)]


class EnvironmentRecipe(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A virtual environment as exact pins.

    `packages` is the whole closure, installed without dependency resolution, so that nothing unpinned can slip in.
    `resolved` is installed afterwards with its dependencies: packages whose builds differ by platform in what they
    need (torch with CUDA). Where wheels are given, they take the place of the packages named in `replaceable`.
    """

    label: str
    """For people: what is in it."""
    python: PythonVersion
    """Minor version of the Python that the pins were verified with."""
    also: tuple[PythonVersion, ...] = ()
    """Others for which an index has a wheel of every pin, for each system where the environment can be made."""
    size: Bytes
    """Bytes that it takes on the disk."""
    deepest: Annotated[int, Meta(gt=0)]
    """Characters of its longest path on Windows, below its folder; of a folder's path SHORT_NAME more."""
    packages: tuple[Pin, ...]
    resolved: tuple[Pin, ...] = ()
    replaceable: tuple[str, ...] = ()
    compiled: CompiledSdist | None = None
    impossible: dict[str, str] = msgspec.field(default_factory=dict)
    """Where it cannot be made, as "win32-arm64" (sys.platform and processor), and why: a sentence."""
    variables: dict[str, str] = msgspec.field(default_factory=dict)
    """Environment variables of every process that runs in it."""


def environment_names() -> list[str]:
    """Return the names in recipes/environments."""
    return strict_toml.names(ENVIRONMENTS)


def environment(name: str) -> EnvironmentRecipe:
    """Return an environment's recipe. Raise UsageError when there is none, RecipeError when it is wrong."""
    recipe = strict_toml.named(ENVIRONMENTS, name, EnvironmentRecipe, "environment")
    pinned = [pin.split("==")[0].strip().lower() for pin in recipe.packages + recipe.resolved]
    twice = sorted({package for package in pinned if pinned.count(package) > 1})
    if twice:
        raise RecipeError(f"{ENVIRONMENTS / name}.toml pins {', '.join(twice)} more than once.", remedy="Keep one pin.")
    return recipe
