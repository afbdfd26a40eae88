"""Where things are: the checkout, and the one cache folder that everything regenerable lives in."""

from __future__ import annotations

import os
from pathlib import Path

from wheelhouse.console.plain import plain
from wheelhouse.errors import UsageError

ROOT = Path(__file__).resolve().parent.parent
"""The checkout: the folder that holds tasks.py."""

CACHE_VARIABLE = "DML_WHEELHOUSE_CACHE"


def cache_dir(*parts: str) -> Path:
    """Return a path in the cache folder: $DML_WHEELHOUSE_CACHE, or `.cache` in the checkout. Creates nothing.

    Raise UsageError when the variable's value is not UTF-8 or holds control characters.
    """
    base = os.environ.get(CACHE_VARIABLE)
    if base and plain(base) != base:
        raise UsageError(
            f"{CACHE_VARIABLE} names a folder with characters that no program shows: '{base}'.",
            remedy="Name another folder: this one cannot be written into logs and reports.",
        )
    return (Path(base).expanduser().resolve() if base else ROOT / ".cache").joinpath(*parts)


def wheels_dir() -> Path:
    """Return the folder that finished wheels and their index are written to."""
    return ROOT / "wheels"


def third_party_dir() -> Path:
    """Return the folder that upstream sources and published binaries are fetched into."""
    return ROOT / "third_party"


def log_dir() -> Path:
    """Return the folder for the logs of processes."""
    return cache_dir("logs")


def display(path: Path) -> str:
    """Return the path as a person would say it: relative to the working directory where it lies below it."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
