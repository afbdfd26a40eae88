"""One check of a model folder: every file is held against the others, and what comes out are its facts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from msgspec.structs import replace

from smoke.models.check import config as configuration
from smoke.models.check import layouts, tokenizer, weights
from smoke.models.check.folder_facts import Facts, Sizes
from smoke.models.check.generation import Generation
from smoke.models.check.generation import load as load_generation
from smoke.models.check.numbers import EMBEDDING, HEAD
from smoke.models.check.quantised import refuse_packed
from smoke.models.check.tokenizer import Tokenizer
from smoke.models.check.values import Values
from smoke.models.check.weights import Stored, Weights
from wheelhouse.errors import InputError

HARMLESS: Mapping[str, str] = {
    r"\.rotary_emb\.inv_freq$": "computed from the configuration",
    r"\.attn\.(masked_)?bias$": "the mask of older models, a table of ones",
}
"""Tensors that a file may hold beyond the architecture's (a pattern of their names), and why."""
_MIXED = "The weights and config.json are of two models, or the file was written incompletely: get both again."


def facts_of(folder: Path) -> Facts:
    """Return what is known about the model in a folder, by its files alone; nothing in it is run.

    Raise InputError for the first thing that cannot be right, with the file, the key or tensor, and the value.
    """
    if not (folder / "config.json").is_file():
        raise weights.no_model(folder, f"{folder} has no config.json.")
    adapter = next((n for n in ("adapter_config.json", "adapter_model.safetensors") if (folder / n).is_file()), None)
    if adapter is not None and (folder / weights.SINGLE).is_file():
        raise InputError(
            f"{folder} holds a whole model and a LoRA adapter ({adapter}), which is not part of it.",
            remedy="Merge it (peft: merge_and_unload); if the model without it is meant, move the adapter elsewhere.",
        )
    config = configuration.load(folder)
    sizes = configuration.sizes(config)
    configuration.details(config, sizes.vocabulary)
    text = tokenizer.load(folder, sizes.vocabulary)
    generation = load_generation(folder, config, sizes.vocabulary)
    found = weights.find(folder)
    if configuration.family_of(config) is None and "tie_word_embeddings" not in config:
        sizes = replace(sizes, tied=HEAD not in found.tensors)  # the class decides; these weights are saved by it
    _require_layout(found, config, sizes)
    positions = configuration.context(config)
    return Facts(
        architecture=configuration.architecture(config),
        family=config.text("model_type"),
        sizes=sizes,
        context=positions,
        sliding_window=configuration.window(config),
        rope=configuration.rope(config, sizes.head_width, positions),
        ends=generation.ends,
        begin=text.begin,
        template=text.template_size > 0,
        template_size=text.template_size,
        tokens=text.tokens,
        parameters=sum(stored.tensor.parameters for stored in found.tensors.values()),
        dtypes=_dtypes(found),
        files=found.files,
        bytes=sum((folder / file).stat().st_size for file in found.files),
        own_code={**text.own_code, **tokenizer.own_code(config)},
        asks=generation.asks,
        notes=_notes(folder, text, sizes, generation),
    )


def _dtypes(found: Weights) -> tuple[str, ...]:
    """Return the types of the weights, that of most numbers first."""
    counted: Counter[str] = Counter()
    for stored in found.tensors.values():
        counted[stored.tensor.dtype] += stored.tensor.parameters
    return tuple(kind for kind, _ in counted.most_common())


def _require_layout(found: Weights, config: Values, sizes: Sizes) -> None:
    refuse_packed(found.folder, {name: stored.tensor.dtype for name, stored in found.tensors.items()})
    family = configuration.family_of(config)
    if family is None:
        return  # transformers is asked, once there is an environment (models/loading.py)
    expected = layouts.expected(family, sizes, config)
    compare(found.folder, expected, found.tensors, tied=sizes.tied)


def compare(folder: Path, expected: layouts.Shapes, tensors: Mapping[str, Stored], *, tied: bool) -> None:
    """Raise InputError for tensors that are missing, of another shape than config.json says, or not of the model."""
    missing = [name for name in expected if name not in tensors]
    if missing:
        raise InputError(
            f"{folder} lacks the tensor '{missing[0]}'{_more(missing)}: transformers would invent it"
            f"{_called_otherwise(missing[0], tensors)}.",
            remedy=_MIXED,
        )
    for name, shape in expected.items():
        stored = tensors[name].tensor.shape
        if stored != shape:
            raise InputError(
                f"{folder / tensors[name].file}: the tensor '{name}' is of {times(stored)}; by config.json it is of "
                f"{times(shape)}.",
                remedy=_MIXED,
            )
    beyond = [name for name in tensors if name not in expected and not _is_harmless(name, tensors, tied=tied)]
    if beyond:
        raise InputError(
            f"{folder / tensors[beyond[0]].file} holds the tensor '{beyond[0]}'{_more(beyond)}, which the architecture "
            "that config.json names does not have: it would be left out.",
            remedy=_MIXED,
        )


def _called_otherwise(name: str, tensors: Mapping[str, Stored]) -> str:
    """Return that a tensor is there under a longer name, as a wrapper (a trainer, a compiler, an adapter) saves it."""
    longer = next((other for other in tensors if other.endswith(f".{name}")), None)
    return f" (it has '{longer}': a wrapper around the model was saved in its place)" if longer else ""


def _is_harmless(name: str, tensors: Mapping[str, Stored], *, tied: bool) -> bool:
    if name == HEAD and tied and EMBEDDING in tensors:  # held against the embedding by value, in numbers.py
        return tensors[name].tensor.shape == tensors[EMBEDDING].tensor.shape
    return any(re.search(pattern, name) for pattern in HARMLESS)


def times(shape: tuple[int, ...]) -> str:
    """Return a shape as people write it."""
    return " x ".join(map(str, shape)) or "a single number"


def _more(names: list[str]) -> str:
    return f" (and {len(names) - 1} more)" if len(names) > 1 else ""


def _notes(folder: Path, text: Tokenizer, sizes: Sizes, generation: Generation) -> tuple[str, ...]:
    """Return what is unusual and no reason to refuse. Raise InputError when the tokenizer is of another model."""
    if text.largest >= sizes.vocabulary:
        raise InputError(
            f"{folder}: tokenizer.json has a token {text.largest}, the model's vocab_size is {sizes.vocabulary}.",
            remedy="The tokenizer is another model's: take the one that was published with the weights.",
        )
    notes = []
    if text.tokens > sizes.vocabulary:
        notes.append(f"added tokens from {sizes.vocabulary} on are beyond the vocabulary, and cannot be used")
    if not text.template_size:
        notes.append("it has no chat template: prompts are continued as plain text")
    if generation.asks:
        asked = ", ".join(f"{name} {value}" for name, value in generation.asks.items())
        notes.append(f"generation_config.json asks for {asked}: `generate` does so, comparisons are greedy")
    if not generation.ends:
        notes.append("it names no token that ends an answer")
    return tuple(notes)
