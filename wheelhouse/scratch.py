"""Folders in the cache for what is needed for a moment: gone with their process, at the latest by the next one.

Not the system's folder for temporary files: that may be small or in memory, and nobody clears it after a kill.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wheelhouse.file_locks import is_abandoned, marked
from wheelhouse.files import remove_tree
from wheelhouse.paths import cache_dir

MARK = ".lock"


@contextmanager
def folder() -> Iterator[Path]:
    """Make a folder and remove it at the end; first remove those of processes that are no more."""
    base = cache_dir("scratch")
    base.mkdir(parents=True, exist_ok=True)
    _remove_dead(base)
    own = base / f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
    with marked(base / f"{own.name}{MARK}"):  # before the folder, which others would take for a dead one's
        own.mkdir(mode=0o700)
        try:
            yield own
        finally:
            remove_tree(own)


def _remove_dead(base: Path) -> None:
    for left in base.iterdir():
        name = left.name.removesuffix(MARK)
        mark = base / f"{name}{MARK}"
        if name.partition("-")[0].isdecimal() and (not mark.exists() or is_abandoned(mark)):
            remove_tree(base / name)
            mark.unlink(missing_ok=True)
