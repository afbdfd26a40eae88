"""A model, once it is found or made and checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from smoke.models import template_trial
from smoke.models.check import numbers, tokenizer, weights
from smoke.models.check.folder_facts import Facts
from smoke.models.check.whole_folder import facts_of
from wheelhouse.files import write_atomic
from wheelhouse.paths import cache_dir


@dataclass(frozen=True, kw_only=True)
class Model:
    """A Hugging Face folder (config.json, *.safetensors, tokenizer.json), the SHA-256 over its contents, its facts."""

    name: str
    folder: Path
    key: str
    label: str
    facts: Facts
    trusted: bool = False
    """Whether the user said that code which it brings may be run."""


def checked(*, name: str, folder: Path, key: str, label: str, facts: Facts | None = None) -> Model:
    """Return the model in a folder whose contents have the hash `key`. What takes time is looked at once for each key.

    Raise InputError when the files cannot be right: by what they say (`facts`, if that was looked at already), by the
    numbers in them, or by a chat template that fails for a user's question.
    """
    known = facts_of(folder) if facts is None else facts
    marker = cache_dir("models", "sound", key)
    if not marker.exists():
        tokenizer.require_sound(folder)
        template_trial.require_rendering(folder)
        numbers.require_sound(weights.find(folder), tied=known.sizes.tied)
        write_atomic(marker, "")
    return Model(name=name, folder=folder, key=key, label=label, facts=known)
