"""Windows wheels that the runtime's recipes pin, from the package index."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from smoke.wine.recipe import Wheel
from wheelhouse.downloads import IndexFile, fetch_index_files


def fetched(wheels: Sequence[Wheel], python: str) -> list[Path]:
    """Return the wheels for 64-bit Windows and a Python ("3.13"), in their order, fetched unless they are in the cache.

    Raise NetworkError or IntegrityError.
    """
    files = [
        IndexFile(
            package=wheel.package,
            version=wheel.version,
            filename=wheel.filename,
            sha256=wheel.sha256,
            python=python,
            platform="win_amd64",
        )
        for wheel in wheels
    ]
    found = fetch_index_files(files)
    return [found[wheel.filename] for wheel in wheels]
