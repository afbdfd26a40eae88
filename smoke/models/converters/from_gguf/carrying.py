"""Can a GGUF file be carried over? Answered from its header, with the standard library alone."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import architectures, header, rope, words
from .fields import Fields, RefusedError
from .header import TYPES, GgufFile, Tensor
from .table import Architecture


@dataclass(frozen=True)
class Plan:
    """What becomes of a file: config.json, the tokenizer, and the tensors by their Hugging Face names."""

    architecture: Architecture
    config: Mapping[str, Any]
    words: words.Words
    ends: tuple[int, ...]
    """Ids that end an answer."""
    names: Mapping[str, Tensor]
    zeros: Mapping[str, int]
    """Biases that the class has and the file lacks (where it has others): their lengths."""


def plan(path: Path) -> Plan:
    """Return what becomes of a file. Raise DamagedError, RefusedError (what is left out, by name) or OSError."""
    found = header.read(path)
    fields = Fields(found.fields)
    known = architectures.of(fields)
    tokenizer = words.of(fields, known.tokenizers)
    factors = {t.name: _values(path, t) for t in found.tensors if t.name in rope.FACTORS}
    tensors = [tensor for tensor in found.tensors if tensor.name not in rope.FACTORS]
    names = {architectures.hf_name(known, tensor.name): tensor for tensor in tensors}
    config = architectures.config(fields, tied="lm_head.weight" not in names, factors=factors)
    biased = known.attention_bias and any(name.endswith(".bias") for name in names)
    if biased:
        config["attention_bias"] = True
    ends = architectures.ends(fields, known, tokenizer)
    unseen = architectures.leftover(fields)
    if unseen is not None:
        raise RefusedError(f"Its key {unseen} = {_shown(found, unseen)} is not known for {known.class_name}")
    zeros = _zeros(names, config) if biased else {}
    return Plan(known, config, tokenizer, ends, names, zeros)


def _zeros(names: Mapping[str, Tensor], config: Mapping[str, Any]) -> dict[str, int]:
    """Return the biases that stand for those of a kind that no layer has: the class has all four kinds, or none."""
    heads, pairs, head = (config[k] for k in ("num_attention_heads", "num_key_value_heads", "head_dim"))
    lengths = {"q_proj": heads * head, "k_proj": pairs * head, "v_proj": pairs * head, "o_proj": config["hidden_size"]}
    return {
        f"model.layers.{layer}.self_attn.{part}.bias": length
        for part, length in lengths.items()
        if not any(name.endswith(f"self_attn.{part}.bias") for name in names)
        for layer in range(min(config["num_hidden_layers"], len(names)))
    }


def _values(path: Path, tensor: Tensor) -> tuple[float, ...]:
    if TYPES[tensor.kind][0] != "F32" or len(tensor.shape) != 1 or tensor.size > 1 << 16:
        raise RefusedError(f"The tensor '{tensor.name}' is not a short list of float32")
    with path.open("rb") as stream:
        stream.seek(tensor.start)
        found = struct.unpack(f"<{tensor.shape[0]}f", stream.read(tensor.size))
    if not all(0 < value < math.inf for value in found):
        raise RefusedError(f"The tensor '{tensor.name}' holds something else than numbers above zero")
    return found


def _shown(found: GgufFile, name: str) -> str:
    return f"{found.fields[name]!r:.60}"
