"""Find and decode recipes: by name from this folder, or from any file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from recipes.spec.schema import Recipe
from wheelhouse import strict_toml
from wheelhouse.errors import RecipeError, UsageError, nearest
from wheelhouse.paths import ROOT

FOLDER = ROOT / "recipes"
SCHEMA_FILE = FOLDER / "recipe.schema.json"


def available(folder: Path = FOLDER) -> dict[str, Path]:
    """Return the recipes of a folder: name to file."""
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def load(spec: str, *, folder: Path = FOLDER) -> Recipe:
    """Return the recipe of that name, or the one in the file `spec` (anything with a '/' or ending in .toml).

    Raises UsageError for an unknown name, InputError for an unreadable file, RecipeError for wrong content.
    """
    path = locate(spec, folder=folder)
    recipe = strict_toml.load(path, Recipe)
    try:
        return msgspec.structs.replace(recipe, name=path.stem)
    except ValueError as error:
        raise RecipeError(f"{path}: {error}.") from error


def locate(spec: str, *, folder: Path = FOLDER) -> Path:
    """Return the file of a recipe. Raise UsageError for a name that no recipe has."""
    if spec.endswith(".toml") or "/" in spec or "\\" in spec:
        return Path(spec)
    known = available(folder)
    if spec not in known:
        raise UsageError(
            f"There is no recipe '{spec}'. {nearest(spec, known)}".rstrip(),
            remedy="`invoke recipes` lists them; --recipe also takes a file.",
        )
    return known[spec]


def schema() -> dict[str, Any]:
    """Return the JSON schema of a recipe (of the TOML read as JSON)."""
    made = msgspec.json.schema(Recipe)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "dml-wheelhouse recipe", **made}


def schema_text() -> str:
    """Return the JSON schema as the tracked file holds it."""
    return msgspec.json.format(msgspec.json.encode(schema(), order="sorted"), indent=1).decode() + "\n"
