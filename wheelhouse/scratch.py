"""Folders in the cache for what is needed for a moment: gone with their process, at the latest by the next one.

Not the system's folder for temporary files: that may be small or in memory, and nobody clears it after a kill.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wheelhouse.files import remove_tree
from wheelhouse.paths import cache_dir


@contextmanager
def folder() -> Iterator[Path]:
    """Make a folder and remove it at the end; first remove those of processes that are no more."""
    base = cache_dir("scratch")
    base.mkdir(parents=True, exist_ok=True)
    _remove_dead(base)
    own = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=base))
    try:
        yield own
    finally:
        remove_tree(own)


def _remove_dead(base: Path) -> None:
    import psutil

    for left in base.iterdir():
        owner = left.name.partition("-")[0]
        if owner.isdecimal() and not psutil.pid_exists(int(owner)):
            remove_tree(left)
