"""What the keys and tensors of a GGUF file mean: each is carried, or known to change nothing, or refused by name.

What is left out silently makes another model, on which all backends agree.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from . import rope
from .fields import Fields, RefusedError
from .table import ARCHITECTURES, Architecture
from .words import CONTROL, Words

IRRELEVANT: Mapping[str, str] = {
    r"general\..*": "who made the file, from what, under which licence (general.type is looked at)",
    r"quantize\..*|imatrix\..*|mradermacher\..*": "how it was quantised: the tensors say so themselves",
    r"tokenizer\.ggml\.(fim|prefix|suffix|middle|sep|seperator|cls|mask)_?\w*token_id": "roles of tokens that are in "
    "the list of tokens",
    r"tokenizer\.ggml\.token_type_count": "never asked for here",
    r"tokenizer\.chat_templates?(\..*)?": "the default template is taken",
    r"tokenizer\.huggingface\.json": "the same tokenizer once more",
    r"\w+\.rope\.scaling\.finetuned": "how it was trained",
}
"""Keys (patterns of whole names) that change nothing, and why."""


def of(fields: Fields) -> Architecture:
    """Return the architecture of a file. Raise RefusedError when it is not known, or the file holds no whole model."""
    kind = fields("general.type", "model")
    if kind != "model":
        raise RefusedError(f"It holds no model but {kind!r:.40} (general.type)")
    parts = fields("split.count", 1)
    if parts not in {0, 1}:
        raise RefusedError(f"It is one of {parts!r:.20} parts (split.count): merge them with llama-gguf-split --merge")
    fields.seen |= {"split.no", "split.tensors.count"}
    known = ARCHITECTURES.get(fields.architecture)
    if known is None:
        names = ", ".join(sorted(ARCHITECTURES))
        raise RefusedError(f"It is of architecture '{fields.architecture:.40}'; known here are {names}")
    return known


def config(fields: Fields, *, tied: bool, factors: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """Return config.json. `tied`: no output layer is stored; `factors`: values of the tensors that scale positions.

    Raise RefusedError for a key that is of the wrong kind, contradicts another, or is neither used nor irrelevant.
    """
    known = of(fields)
    heads, hidden = fields.whole("attention.head_count"), fields.whole("embedding_length")
    head = fields.whole("attention.key_length", fields.whole("rope.dimension_count", max(hidden // heads, 1)))
    tokens = len(fields.texts("tokenizer.ggml.tokens"))
    fields.only("vocab_size", tokens)
    fields.only("attention.value_length", head)
    fields.only("rope.dimension_count", head)
    for name in ("expert_count", "expert_used_count"):
        if fields(fields.own(name), 0) != 0:
            raise RefusedError(f"{fields.own(name)} is {fields(fields.own(name))!r:.20}: a mixture of experts")
    made = {
        "architectures": [known.class_name],
        "model_type": known.model_type,
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": fields.token("bos", tokens),
        "eos_token_id": fields.token("eos", tokens),
        "pad_token_id": fields.token("padding", tokens),
        "head_dim": head,
        "hidden_act": "silu",
        "hidden_size": hidden,
        "initializer_range": 0.02,
        "intermediate_size": fields.whole("feed_forward_length"),
        "max_position_embeddings": fields.whole("context_length"),
        "num_attention_heads": heads,
        "num_hidden_layers": fields.whole("block_count"),
        "num_key_value_heads": fields.whole("attention.head_count_kv", heads),
        "rms_norm_eps": fields.number("attention.layer_norm_rms_epsilon"),
        "rope_scaling": rope.scaling(fields, factors),
        "rope_theta": fields.number("rope.freq_base", 10000.0),
        "tie_word_embeddings": tied,
        "torch_dtype": "float32",
        "use_cache": True,
        "vocab_size": tokens,
    }
    known.more(fields, made)
    names = list(made)
    return {name: made[name] for name in [*names[:7], *sorted(names[7:])]}


def hf_name(known: Architecture, name: str) -> str:
    """Return the Hugging Face name of a tensor: blk.3.attn_q.weight is model.layers.3.self_attn.q_proj.weight."""
    match = re.fullmatch(r"(?:blk\.(0|[1-9][0-9]{0,5})\.)?(\w+)\.(weight|bias)", name)
    if match is not None:
        layer, part, kind = match.groups()
        table = known.top if layer is None else known.block
        if part in table and (kind == "weight" or part in known.biased):
            return f"{table[part]}.{kind}" if layer is None else f"model.layers.{layer}.{table[part]}.{kind}"
    raise RefusedError(f"The tensor '{name:.80}' has no counterpart in {known.class_name}")


def gguf_name(known: Architecture, name: str) -> str:
    """Return what a GGUF file calls the tensor that Hugging Face calls `name`."""
    match = re.fullmatch(r"(?:model\.layers\.([0-9]+)\.)?(.+)\.(weight|bias)", name)
    if match is None:
        return name
    layer, part, kind = match.groups()
    table = known.top if layer is None else known.block
    found = next((own for own, theirs in table.items() if theirs == part), part)
    return f"{found}.{kind}" if layer is None else f"blk.{layer}.{found}.{kind}"


def leftover(fields: Fields) -> str | None:
    """Return a key of the model or the tokenizer that nobody has looked at and that is not known to be irrelevant."""
    for name in fields.names():
        counts = name.startswith((f"{fields.architecture}.", "tokenizer.", "adapter.", "split."))
        if counts and name not in fields.seen and not any(re.fullmatch(pattern, name) for pattern in IRRELEVANT):
            return name
    return None


def ends(fields: Fields, known: Architecture, words: Words) -> tuple[int, ...]:
    """Return the ids that end an answer: of a text, of a turn, of a message, and those of the architecture."""
    count = len(words.tokens)
    named = [fields.token(role, count) for role in ("eos", "eot", "eom")]
    own = [i for i, (token, kind) in enumerate(zip(words.tokens, words.types, strict=True))
           if kind == CONTROL and token in known.ends]  # fmt: skip
    return tuple(dict.fromkeys(number for number in (*named, *own) if number is not None))
