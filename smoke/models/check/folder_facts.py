"""What is known about a model before anything is made of it. Every later part takes its facts from here."""

from __future__ import annotations

from msgspec import Struct, field


class Rope(Struct, frozen=True, kw_only=True):
    """Rotary positions: `kind` as transformers calls it; `original` are the positions before they were scaled."""

    kind: str = "default"
    theta: float | None = None
    factor: float | None = None
    original: int | None = None


class Sizes(Struct, frozen=True, kw_only=True):
    """The numbers that decide the shapes of the weights; `inner` is the width inside the MLP."""

    layers: int
    hidden: int
    heads: int
    key_heads: int
    head_width: int
    inner: int
    vocabulary: int
    tied: bool
    """Whether the output layer is the embedding."""


class Facts(Struct, frozen=True, kw_only=True):
    """One model: what its files say, after they were held against each other."""

    architecture: str
    family: str
    """config.json's model_type."""
    sizes: Sizes
    context: int | None
    """Most positions that the model was made for; None: it does not say."""
    sliding_window: int | None
    rope: Rope
    ends: tuple[int, ...]
    """Ids that end an answer."""
    begin: str
    """What the tokenizer puts in front of a text, written out."""
    template: bool
    """Whether it has a chat template."""
    template_size: int = 0
    """Bytes of the chat template."""
    tokens: int
    """Of the tokenizer, the added ones included."""
    parameters: int
    dtypes: tuple[str, ...]
    files: tuple[str, ...]
    """With weights, relative to the folder."""
    bytes: int
    """Of these files."""
    own_code: dict[str, str] = field(default_factory=dict)
    """Classes that the folder brings as Python code: what it is for, and where."""
    asks: dict[str, str] = field(default_factory=dict)
    """What generation_config.json asks for beyond ids and lengths: a repetition penalty, sampling."""
    notes: tuple[str, ...] = ()
    """What a person should know and is no reason to refuse."""

    def widths(self) -> tuple[int, ...]:
        """Return the widths of the inputs of the linear layers."""
        sizes = self.sizes
        return (sizes.hidden, sizes.heads * sizes.head_width, sizes.inner)
