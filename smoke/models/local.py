"""A Hugging Face folder of the user's: whether it can be used, and the hash of what it holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from smoke.models import safetensors
from smoke.models.model import Model
from wheelhouse import manifests
from wheelhouse.errors import InputError
from wheelhouse.files import sha256_bytes
from wheelhouse.paths import cache_dir

_RELEVANT = ("*.json", "*.safetensors", "*.jinja", "*.txt", "*.model", "*.py")
_INDEX = "model.safetensors.index.json"


def model(folder: Path) -> Model:
    """Return the model in `folder`. Raise InputError when it is incomplete or damaged.

    Its files are hashed once; later only those whose size or time of last change is another than before.
    """
    folder = folder.resolve()
    config = check(folder)
    files = sorted({path.name for pattern in _RELEVANT for path in folder.glob(pattern) if path.is_file()})
    memory = cache_dir("models", "folders", sha256_bytes(str(folder).encode())[:16] + ".json")
    key = manifests.content_hash(manifests.remember(folder, files, memory))
    return Model(name=folder.name, folder=folder, key=key, label=f"{config.get('model_type', 'model')} in {folder}")


def check(folder: Path) -> dict[str, Any]:
    """Return config.json of a Hugging Face folder. Raise InputError for the first thing that is missing or damaged."""
    config = _json(folder / "config.json", "It is not a Hugging Face model folder without it.")
    if not config.get("architectures"):
        raise InputError(
            f"{folder / 'config.json'} names no architecture.",
            remedy="Give a folder as transformers' save_pretrained writes it.",
        )
    _json(folder / "tokenizer.json", "Save the model's fast tokenizer beside it (tokenizer.save_pretrained).")
    _json(folder / "tokenizer_config.json", "Save the model's fast tokenizer beside it (tokenizer.save_pretrained).")
    for weights in _weights(folder):
        safetensors.check(weights)
    return config


def _weights(folder: Path) -> list[Path]:
    if (folder / _INDEX).exists():
        shards = set(_json(folder / _INDEX, "").get("weight_map", {}).values())
        missing = sorted(name for name in shards if not (folder / str(name)).is_file())
        if missing:
            raise InputError(
                f"{folder} lacks {', '.join(missing)}, named in {_INDEX}.", remedy="Complete the download."
            )
        return [folder / str(name) for name in sorted(shards)]
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise InputError(
            f"{folder} holds no *.safetensors file.",
            remedy="Save the model with `model.save_pretrained(folder)`, which writes that format.",
        )
    return weights


def _json(path: Path, remedy: str) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path.parent} has no {path.name}.", remedy=remedy) from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise InputError(f"{path} is damaged: {error}.", remedy="Copy or download the file again.") from error
    if not isinstance(value, dict):
        raise InputError(f"{path} is damaged: it does not hold a JSON object.", remedy="Copy it again.")
    return value
