"""Reading JSON files of a model folder: what is not of the kind it must be is refused with file, key and value."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smoke.models.check import foreign
from wheelhouse.errors import InputError

LARGEST = 1 << 40
"""No size in a configuration is larger; beyond it, arithmetic on them would only waste memory."""
_BYTES = 20_000_000
"""No configuration is longer (the longest are of 100 kB)."""
_SHOWN = 60
_TAKE = "Take the file as the model's author published it."


class Values:
    """A JSON object of a file; `at` is where it stands in the file, for messages."""

    def __init__(self, path: Path, content: Mapping[str, Any], at: str = "") -> None:
        self.path = path
        self.content = content
        self._at = at

    def __contains__(self, name: str) -> bool:
        return self.content.get(name) is not None

    def refusal(self, name: str, what: str, remedy: str = _TAKE) -> InputError:
        """Return the error that says what is wrong with the value of `name`."""
        value = f"{self._at}{name} is {shown(self.content[name])}" if name in self.content else f"{self._at}{name}"
        return InputError(f"{self.path}: {value}, {what}.", remedy=remedy)

    def first(self, names: tuple[str, ...]) -> str:
        """Return the first of several names of the same thing that is there, else the first."""
        return next((name for name in names if name in self.content), names[0])

    def whole(self, *names: str, least: int = 1) -> int | None:
        """Return a whole number by the first of its `names` that is there; None where none is, or it is null."""
        name = self.first(names)
        value = self.content.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= LARGEST:
            raise self.refusal(name, f"not a whole number from {least} on")
        return value

    def needed(self, *names: str) -> int:
        """Return a whole number that has to be there."""
        value = self.whole(*names)
        if value is None:
            name = self.first(names)
            what = "which must be a whole number" if name in self.content else "which the model needs, is not there"
            raise self.refusal(name, what)
        return value

    def number(self, *names: str) -> float | None:
        """Return a finite number above zero; None where there is none, or it is null."""
        name = self.first(names)
        value = self.content.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
            raise self.refusal(name, "not a number above zero")
        return float(min(value, LARGEST))

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a truth value; `default` where there is none, or it is null."""
        value = self.content.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.refusal(name, "neither true nor false")
        return value

    def text(self, name: str) -> str:
        """Return a text; "" where there is none, or it is null."""
        value = self.content.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self.refusal(name, "not a text")
        return value

    def part(self, name: str) -> Values | None:
        """Return the object below `name`; None where there is none, or it is null or empty."""
        value = self.content.get(name)
        if value is None or value == {}:
            return None
        if not isinstance(value, dict):
            raise self.refusal(name, "not an object")
        return Values(self.path, value, f"{self._at}{name}.")

    def numbers(self, name: str, length: int) -> tuple[float, ...]:
        """Return a list of `length` finite numbers above zero."""
        value = self.content.get(name)
        if not isinstance(value, list) or len(value) != length:
            raise self.refusal(name, f"not a list of {length} numbers")
        if not all(isinstance(n, int | float) and not isinstance(n, bool) and 0 < n < math.inf for n in value):
            raise self.refusal(name, "not a list of numbers above zero")
        return tuple(float(n) for n in value)

    def ids(self, name: str, below: int) -> tuple[int, ...]:
        """Return a token id, or a list of them, as a tuple; () where there is none, or it is null."""
        value = self.content.get(name)
        found = value if isinstance(value, list) else [] if value is None else [value]
        if not all(isinstance(n, int) and not isinstance(n, bool) and 0 <= n < below for n in found):
            raise self.refusal(name, f"not ids of tokens of a vocabulary of {below}")
        return tuple(dict.fromkeys(found))


def read(path: Path, remedy: str = "") -> Values:
    """Return the object in a JSON file. Raise InputError with what is the matter; `remedy` is for a missing file."""
    if not path.is_file():
        raise foreign.dangling(path) or InputError(f"{path.parent} has no {path.name}.", remedy=remedy)
    stranger = foreign.form(path)
    if stranger is not None:
        raise InputError(f"{path} {stranger.what}.", remedy=stranger.remedy)
    again = "Copy or download the file again."
    try:
        size = path.stat().st_size
        if size > _BYTES:
            raise InputError(f"{path} is no configuration: it has {size} bytes.", remedy=again)
        value = json.loads(_text(path), object_pairs_hook=_once)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    except _TwiceError as error:
        raise InputError(
            f"{path} says {shown(error.args[0])} twice; programs differ in which of the two they take.",
            remedy="Remove the one that is wrong.",
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged: {error}.", remedy=again) from error
    if not isinstance(value, dict):
        raise InputError(f"{path} is damaged: it does not hold a JSON object.", remedy=again)
    return Values(path, value)


class _TwiceError(Exception):
    """A name stands twice in one object."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise _TwiceError(next(name for name in names if names.count(name) > 1))
    return found


def _text(path: Path) -> str:
    content = path.read_bytes()
    if content.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise InputError(
            f"{path} begins with a byte-order mark, which other programs stumble over.",
            remedy="Save it as UTF-8 without one.",
        )
    return content.decode("utf-8")


def optional(path: Path) -> Values:
    """Return the object in a JSON file that need not be there."""
    return read(path) if path.exists() or path.is_symlink() else Values(path, {})


def shown(value: object) -> str:
    """Return a value as JSON writes it, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
