"""A Hugging Face folder of the user's: the hash of everything in it that an export can read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from smoke.models.check.whole_folder import facts_of
from smoke.models.model import Model, checked
from wheelhouse import manifests
from wheelhouse.files import sha256_bytes
from wheelhouse.paths import cache_dir

_SMALL = ("*.json", "*.jinja", "*.txt", "*.model", "*.py")
"""What is read besides the weights, in subfolders, too."""


def model(folder: Path) -> Model:
    """Return the model in `folder`. Raise InputError when it cannot be right (see `check`).

    Its files are hashed once; later only those whose size or time of last change is another than before.
    """
    folder = folder.resolve()
    facts = facts_of(folder)
    memory = cache_dir("models", "folders", sha256_bytes(str(folder).encode())[:16] + ".json")
    key = manifests.content_hash(manifests.remember(folder, readable(folder, facts.files), memory))
    return checked(name=folder.name, folder=folder, key=key, label=f"{facts.family} in {folder}", facts=facts)


def readable(folder: Path, weights: Sequence[str]) -> list[str]:
    """Return the files that an export can read, relative to `folder`: the weights, and all that is no weights."""
    small = {
        path.relative_to(folder).as_posix()
        for pattern in _SMALL
        for path in folder.rglob(pattern)
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }
    return sorted({*small, *weights})
