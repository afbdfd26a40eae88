"""Turns a GGUF file into a Hugging Face folder: float32 weights, config, right tokenizer.

Started as `python from_gguf FILE.gguf FOLDER` in an environment with gguf, numpy, safetensors and tokenizers.
transformers can read GGUF too, but makes a wrong tokenizer of it (more tokens than the model has, a BOS added, digits
not split) and takes ten times as long; here the tokenizer is rebuilt from the file's own fields.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType
from gguf.quants import dequantize
from hf_folder import write_json, write_model  # type: ignore[import-not-found]  # in the folder above, see __main__.py

from .carrying import Plan, plan
from .header import Tensor
from .tokenizing import tokenizer
from .words import settings


def unpermute(weight: np.ndarray, heads: int) -> np.ndarray:
    """Undo llama.cpp's interleaving of the rotary halves: rows (head, half, 2) become (head, 2, half)."""
    rows = weight.shape[0]
    halves = weight.reshape(heads, rows // heads // 2, 2, *weight.shape[1:])
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(weight.shape))


def weights(path: Path, made: Plan) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the tensors with their Hugging Face names, as float32; without what llama.cpp has changed in them."""
    heads = {"q_proj": made.config["num_attention_heads"], "k_proj": made.config["num_key_value_heads"]}
    content = np.memmap(path, dtype=np.uint8, mode="r")
    for name, tensor in made.names.items():
        value = _numbers(content, tensor)
        part = name.split(".")[-2]
        if made.architecture.interleaved and part in heads:
            value = unpermute(value, heads[part])
        if made.architecture.norm_less_one and name.endswith("norm.weight"):
            value = value - 1
        yield name, value
    for name, length in made.zeros.items():
        yield name, np.zeros(length, np.float32)


def _numbers(content: np.ndarray, tensor: Tensor) -> np.ndarray:
    kind = GGMLQuantizationType(tensor.kind)
    stored = content[tensor.start : tensor.start + tensor.size]
    rows = stored.reshape(*tensor.shape[:-1], -1)  # bytes: a row is a whole number of blocks
    try:
        value = dequantize(_typed(rows, kind), kind)
    except NotImplementedError as error:
        raise SystemExit(f"The tensor '{tensor.name}' is stored as {kind.name}, which gguf cannot read.") from error
    return np.ascontiguousarray(value.reshape(tensor.shape).astype(np.float32, copy=False))


def _typed(rows: np.ndarray, kind: GGMLQuantizationType) -> np.ndarray:
    plain = {"F32": "<f4", "F16": "<f2", "F64": "<f8"}.get(kind.name)
    return np.ascontiguousarray(rows).view(plain) if plain else rows


def main(arguments: Sequence[str]) -> int:
    """Convert the file named first into the folder named second."""
    source, folder = Path(arguments[0]), Path(arguments[1])
    made = plan(source)
    print("tokenizer", flush=True)
    known = made.architecture
    tokenizer(made.words, known.swallows).save(str(folder / "tokenizer.json"))
    context = int(made.config["max_position_embeddings"])
    described = settings(made.words, known.tokenizers[made.words.kind], context, known.template)
    write_json(folder / "tokenizer_config.json", described)
    print("weights", flush=True)
    ends = {"eos_token_id": list(made.ends)} if len(made.ends) > 1 else {}
    write_model(folder, dict(made.config), weights(source, made), ends)
    return 0
