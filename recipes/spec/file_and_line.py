"""Where something stands that an error is about: file and line, so that nobody has to look for it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from wheelhouse.errors import IntegrityError, NetworkError, RecipeError, WheelhouseError

_QUOTED = re.compile(r"'([^'\n]+)'")
_KEY_PATH = re.compile(r" - at `([^`]+)`")
_HEADER = re.compile(r"\s*\[+([^\[\]]+)\]+")


@contextmanager
def blamed(place: str) -> Iterator[None]:
    """Put `place` before the message of an error about what stands there: it could not be had, or is another."""
    try:
        yield
    except (NetworkError, IntegrityError) as error:
        if place:
            _say(error, f"{place}: {error.message}")
        raise


def place_of(files: Sequence[Path], *texts: str) -> str:
    """Return file and line where these stand in quotes: together, else the first of them that stands in one line only.

    Nothing where none does.
    """
    lines = [(f"{file}:{number}", line.partition(" # ")[0]) for file in files for number, line in _lines(file)]
    for wanted in (texts, *((text,) for text in texts)):
        found = [place for place, line in lines if all(f'"{text}"' in line for text in wanted)]
        if len(found) == 1:
            return found[0]
    return ""


@contextmanager
def with_lines(files: Sequence[Path]) -> Iterator[None]:
    """Add the line to an error about one of these files: where what it names stands, the last place of several."""
    try:
        yield
    except RecipeError as error:
        for file in files:
            if error.message.startswith(f"{file}: ") and (number := _line_of(file, error.message)):
                _say(error, f"{file}:{number}{error.message.removeprefix(str(file))}")
                break
        raise


def _line_of(file: Path, message: str) -> int | None:
    """Return the line of what a message names: a name or key in quotes, else the key at the end of msgspec's path."""
    for name in _QUOTED.findall(message.removeprefix(str(file)))[:1]:
        named = re.compile(rf'"{re.escape(name)}"|(?<![\w-]){re.escape(name)}(?![\w-])\s*[=.\]]')
        if found := [number for number, line in _lines(file) if named.search(line)]:
            return found[-1]
    return next((number for path in _KEY_PATH.findall(message) if (number := _line_of_key(file, path))), None)


def _line_of_key(file: Path, path: str) -> int | None:
    """Return the line of a key in its table, or of one that stands in one line only: inline tables have no header."""
    table, _, key = path.rpartition(".")
    named = re.compile(rf"(?<![\w-]){re.escape(key)}\s*=")
    inside, all_found = "", []
    for number, line in _lines(file):
        if header := _HEADER.match(line):
            inside = header[1]
        elif named.search(line):
            all_found.append(number)
            if inside == table and line.lstrip().startswith(key):
                return number
    return all_found[0] if len(all_found) == 1 else None


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
    return enumerate(text.splitlines(), start=1)


def _say(error: WheelhouseError, message: str) -> None:
    error.message = message
    error.args = (message,)
