"""Writes what every Hugging Face folder has, for the converters beside it; they are started by their paths."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

WHOLE = "model.safetensors"
SHARD = 1_000_000_000
"""Bytes of weights in one file, so that no model has to fit into memory as a whole."""


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write JSON that people can read."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")


def write_model(
    folder: Path,
    config: dict[str, Any],
    tensors: Iterable[tuple[str, np.ndarray]],
    generation: Mapping[str, Any] | None = None,
) -> None:
    """Write configuration and weights; the ids of special tokens once more, where generation looks for them.

    Of `tensors` only a file of SHARD bytes is held in memory at a time. `generation` is what generation_config.json
    says otherwise than config.json.
    """
    print("writing", flush=True)
    write_json(folder / "config.json", config)
    ids = {k: config[k] for k in config if k.endswith("_token_id")}
    write_json(folder / "generation_config.json", {**ids, **(generation or {})})
    shards = [_written(folder / f"{number}.part", shard) for number, shard in enumerate(_shards(tensors))]
    if len(shards) == 1:
        (folder / "0.part").rename(folder / WHOLE)
        return
    names = [f"model-{number:05}-of-{len(shards):05}.safetensors" for number in range(1, len(shards) + 1)]
    for number, name in enumerate(names):
        (folder / f"{number}.part").rename(folder / name)
    held = {tensor: name for name, (_, known) in zip(names, shards, strict=True) for tensor in known}
    total = sum(size for size, _ in shards)
    write_json(folder / f"{WHOLE}.index.json", {"metadata": {"total_size": total}, "weight_map": held})


def _shards(tensors: Iterable[tuple[str, np.ndarray]]) -> Iterator[dict[str, np.ndarray]]:
    """Yield the tensors in files of SHARD bytes at most, or of one tensor that is larger."""
    shard: dict[str, np.ndarray] = {}
    size = 0
    for name, value in tensors:
        if shard and size + value.nbytes > SHARD:
            yield shard
            shard, size = {}, 0
        shard[name] = value
        size += value.nbytes
    yield shard


def _written(path: Path, shard: dict[str, np.ndarray]) -> tuple[int, list[str]]:
    """Write a file; return the bytes and the names of its tensors, and let go of them."""
    save_file(shard, str(path), metadata={"format": "pt"})
    path.chmod(0o644)  # safetensors writes for the owner alone
    return sum(value.nbytes for value in shard.values()), list(shard)
