"""Find and decode recipes: by name from this folder, or from any file; one may extend another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from recipes.spec.file_and_line import with_lines
from recipes.spec.schema import Recipe
from wheelhouse import strict_toml
from wheelhouse.errors import RecipeError, UsageError, nearest
from wheelhouse.files import by_name, sha256_bytes, sha256_file
from wheelhouse.paths import ROOT

FOLDER = ROOT / "recipes"
SCHEMA_FILE = FOLDER / "recipe.schema.json"
RECORDS = (".lock", ".built")
"""What the program writes beside NAME.toml is called NAME.lock.toml and NAME.built.toml, and is no recipe."""


def available(folder: Path = FOLDER) -> dict[str, Path]:
    """Return the recipes of a folder: name to file."""
    return {path.stem: path for path in sorted(folder.glob("*.toml"), key=by_name) if not path.stem.endswith(RECORDS)}


def load(spec: str, *, folder: Path = FOLDER) -> Recipe:
    """Return the recipe of that name, or the one in the file `spec` (anything with a '/' or ending in .toml).

    Raises UsageError for an unknown name, InputError for an unreadable file, RecipeError for wrong content.
    """
    path = locate(spec, folder=folder)
    with with_lines(files_of(path)):
        recipe = strict_toml.convert(merged(path), Recipe, str(path))
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


def files_of(path: Path) -> tuple[Path, ...]:
    """Return the file of a recipe and those that it extends, nearest first.

    Raises RecipeError for a recipe that is not there or extends itself.
    """
    found = [path]
    while base := str(strict_toml.read(found[-1]).get("extends", "")):
        found.append(_base(found[-1], base))
        if found[-1].resolve() in {file.resolve() for file in found[:-1]}:
            raise RecipeError(f"{path}: extends goes in a circle: {' -> '.join(file.stem for file in found)}.")
    return tuple(found)


def merged(path: Path) -> dict[str, Any]:
    """Return the content of a recipe with what it extends under it. Raises as `files_of` does."""
    *bases, last = reversed(files_of(path))
    content: dict[str, Any] = {}
    for base in bases:
        content = _over(content, strict_toml.read(base))
        strict_toml.convert(content, Recipe, str(base))  # so that a mistake is blamed on the file that it is in
    return _over(content, strict_toml.read(last))


def hash_of(path: Path) -> str:
    """Return the SHA-256 of a recipe's file, or over its files where it extends another."""
    files = files_of(path)
    return sha256_file(path) if len(files) == 1 else sha256_bytes("".join(map(sha256_file, files)).encode())


def _base(file: Path, name: str) -> Path:
    known = available(FOLDER) | available(file.parent)
    if name not in known:
        raise RecipeError(f"{file}: extends = '{name}', but there is no such recipe. {nearest(name, known)}".rstrip())
    return known[name]


def _over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    both = {key: _over(below[key], above[key]) for key in below.keys() & above.keys() if _tables(below, above, key)}
    return below | above | both


def _tables(below: dict[str, Any], above: dict[str, Any], key: str) -> bool:
    return isinstance(below[key], dict) and isinstance(above[key], dict)


def schema() -> dict[str, Any]:
    """Return the JSON schema of a recipe (of the TOML read as JSON)."""
    made = strict_toml.schema_of(Recipe)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "dml-wheelhouse recipe", **made}


def schema_text() -> str:
    """Return the JSON schema as the tracked file holds it."""
    return msgspec.json.format(msgspec.json.encode(schema(), order="sorted"), indent=1).decode() + "\n"
