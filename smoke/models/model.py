"""A model, once it is found or made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Model:
    """A Hugging Face folder (config.json, *.safetensors, tokenizer.json) and the SHA-256 over its contents."""

    name: str
    folder: Path
    key: str
    label: str
