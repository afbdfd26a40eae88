"""TOML decoded strictly into frozen msgspec structures; a mistake is named by file, key and nearest valid key."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from wheelhouse.errors import InputError, RecipeError, UsageError, nearest

T = TypeVar("T")

Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$", description="SHA-256 in lower-case hexadecimal")]
Bytes = Annotated[int, Meta(gt=0)]
PythonVersion = Annotated[str, Meta(pattern=r"^3\.[0-9]{1,2}$", description="CPython, as '3.12'")]
Inside = Annotated[
    str,
    Meta(pattern=r"^(?!/)(?!(.*/)?\.\.(/|$))[^\\:\x00-\x1f]+$", description="a path with '/' that stays inside"),
]
"""What pinned things are described with, whatever they are."""

_REGEX = re.compile(r"`str` matching regex '(.*)' - at ")
_UNKNOWN = re.compile(r"unknown field `([^`]+)`(?: - at `([^`]+)`)?")

_MEANINGS = {
    repr(meta.pattern)[1:-1]: str(meta.description)
    for kind in (Sha256, PythonVersion, Inside)
    for meta in kind.__metadata__  # type: ignore[attr-defined]
}
"""What a pattern means, by how msgspec writes it."""


def decode(text: str, kind: type[T], source: str) -> T:
    """Decode TOML `text` as `kind`; `source` names the file in errors (RecipeError)."""
    try:
        return msgspec.toml.decode(text.encode(), type=kind, strict=True)
    except msgspec.ValidationError as error:
        raise RecipeError(f"{source}: {_explain(str(error), kind)}") from error
    except (msgspec.DecodeError, ValueError, RecursionError) as error:  # tomllib's of numbers and of deep nesting
        raise RecipeError(f"{source} is not valid TOML: {error}.") from error


def convert(content: dict[str, Any], kind: type[T], source: str) -> T:
    """Turn decoded TOML into `kind`; `source` names the file in errors (RecipeError)."""
    try:
        return msgspec.convert(content, type=kind, strict=True)
    except msgspec.ValidationError as error:
        raise RecipeError(f"{source}: {_explain(str(error), kind)}") from error


def load(path: Path, kind: type[T]) -> T:
    """Read and decode a TOML file. Raise InputError when it cannot be read, RecipeError when it is wrong."""
    return decode(_text(path), kind, str(path))


def read(path: Path) -> dict[str, Any]:
    """Read a TOML file without looking at its keys. Raises as `load` does."""
    return decode(_text(path), dict[str, Any], str(path))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 (byte {error.start}).", remedy="Save it as UTF-8.") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error


def names(folder: Path) -> list[str]:
    """Return the names of the TOML files in a folder, sorted."""
    return sorted(path.stem for path in folder.glob("*.toml"))


def named(folder: Path, name: str, kind: type[T], what: str) -> T:
    """Load the file of that name from a folder of recipes for one kind of thing (`what`, for the error).

    Raise UsageError when there is none, and what `load` raises.
    """
    if name not in names(folder):
        raise UsageError(f"There is no {what} '{name}'. {nearest(name, names(folder))}")
    return load(folder / f"{name}.toml", kind)


def _explain(message: str, kind: type) -> str:
    found = _UNKNOWN.search(message)
    if not found:
        message = message.replace("`$.", "`")
        if (regex := _REGEX.search(message)) and regex[1] in _MEANINGS:
            message = f"expected {_MEANINGS[regex[1]]} - at {message[regex.end() :]}"
        return f"{message}."
    key, where = found[1], (found[2] or "$").removeprefix("$").lstrip(".")
    place = f" in [{where}]" if where else ""
    return f"unknown key '{key}'{place}. {nearest(key, _all_keys(kind))}".rstrip()


def _all_keys(kind: object) -> set[str]:
    """Every key that the structure or anything inside it accepts: enough to offer the nearest one."""
    keys: set[str] = set()
    seen: set[type] = set()

    def visit(node: object) -> None:
        if isinstance(node, msgspec.inspect.StructType) and node.cls not in seen:
            seen.add(node.cls)
            for item in node.fields:
                keys.add(item.encode_name)
                visit(item.type)
        for name in ("item_type", "value_type"):
            if hasattr(node, name):
                visit(getattr(node, name))
        for name in ("types", "item_types"):
            for inner in getattr(node, name, ()):
                visit(inner)

    visit(msgspec.inspect.type_info(kind))
    return keys


def schema_of(structure: type) -> dict[str, Any]:
    """Return the JSON schema of a structure, its descriptions without the code's indentation.

    Python 3.13 takes that out of docstrings itself: the schema is the same with every Python.
    """
    made: dict[str, Any] = _tidied(msgspec.json.schema(structure))
    return made


def _tidied(part: Any) -> Any:
    if isinstance(part, dict):
        return {name: _described(name, value) for name, value in part.items()}
    return [_tidied(each) for each in part] if isinstance(part, list) else part


def _described(name: str, value: Any) -> Any:
    return inspect.cleandoc(value) if name == "description" and isinstance(value, str) else _tidied(value)
