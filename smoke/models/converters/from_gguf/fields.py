"""The key-value pairs of a GGUF file, read strictly, and which of them have been looked at."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from typing import Any


def shortest(value: float) -> float:
    """Return the shortest decimal number that float32 stores as `value`: 9.999999747e-06 was written as 1e-05."""
    try:
        stored = struct.pack("<f", value)
    except OverflowError:  # beyond float32, so it was stored as float64
        return float(value)
    return next((n for n in (float(f"{value:.{d}g}") for d in range(1, 9)) if struct.pack("<f", n) == stored), value)


class RefusedError(ValueError):
    """The file is whole, but cannot be carried over; the message says what and why, as a sentence without an end."""


class Fields:
    """The key-value pairs of a file, and which of them have been looked at."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self._content = content
        self.seen: set[str] = set()
        self.architecture = self("general.architecture", "")
        if not isinstance(self.architecture, str) or not self.architecture:
            raise RefusedError("It names no architecture (general.architecture)")

    def __call__(self, name: str, default: Any = None) -> Any:
        """Return a value by its full name."""
        self.seen.add(name)
        return self._content.get(name, default)

    def __contains__(self, name: str) -> bool:
        return name in self._content

    def names(self) -> list[str]:
        """Return the names of all pairs."""
        return list(self._content)

    def own(self, name: str) -> str:
        """Return the full name of a key of the architecture."""
        return f"{self.architecture}.{name}"

    def whole(self, name: str, default: int | None = None) -> int:
        """Return a whole number above zero of the architecture."""
        value = self(self.own(name), default)
        if value is None:
            raise RefusedError(f"It has no {self.own(name)}")
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 1 << 40:
            raise RefusedError(f"{self.own(name)} is {value!r:.60}, not a whole number from 1 on")
        return value

    def only(self, name: str, value: int) -> None:
        """Raise RefusedError when a whole number of the architecture is there and another than `value`."""
        if self.whole(name, value) != value:
            raise RefusedError(f"{self.own(name)} is {self(self.own(name))}, where {value} is the only one known here")

    def number(self, name: str, default: float | None = None) -> float:
        """Return a number above zero of the architecture."""
        value = self(self.own(name), default)
        if value is None:
            raise RefusedError(f"It has no {self.own(name)}")
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
            raise RefusedError(f"{self.own(name)} is {value!r:.60}, not a number above zero")
        return shortest(value)

    def flag(self, name: str, *, default: bool) -> bool:
        """Return a truth value by its full name."""
        value = self(name, default)
        if not isinstance(value, bool):
            raise RefusedError(f"{name} is {value!r:.40}, neither true nor false")
        return value

    def texts(self, name: str) -> list[str]:
        """Return a list of texts by its full name."""
        value = self(name)
        if not isinstance(value, list) or not value or not all(isinstance(text, str) for text in value):
            raise RefusedError(f"{name} is not a list of texts")
        return value

    def token(self, name: str, tokens: int) -> int | None:
        """Return the id of a special token ("bos"), which must be one of so many."""
        full = f"tokenizer.ggml.{name}_token_id"
        value = self(full)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < tokens:
            raise RefusedError(f"{full} is {value!r:.60}; there are {tokens} tokens")
        return value
