"""Writes what every Hugging Face folder has, for the converters beside it; they are started by their paths."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write JSON that people can read."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_model(
    folder: Path, config: dict[str, Any], tensors: dict[str, np.ndarray], generation: Mapping[str, Any] | None = None
) -> None:
    """Write configuration and weights; the ids of special tokens once more, where generation looks for them.

    `generation` is what generation_config.json says otherwise than config.json.
    """
    print("writing", flush=True)
    write_json(folder / "config.json", config)
    ids = {k: config[k] for k in config if k.endswith("_token_id")}
    write_json(folder / "generation_config.json", {**ids, **(generation or {})})
    target = folder / "model.safetensors"
    save_file(tensors, str(target), metadata={"format": "pt"})
    target.chmod(0o644)  # safetensors writes for the owner alone
