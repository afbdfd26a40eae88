"""A folder for the dumps of one run: large, and gone when the run ends, also when an earlier one was killed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wheelhouse.files import remove_tree
from wheelhouse.paths import cache_dir


@contextmanager
def folder() -> Iterator[Path]:
    """Make the folder of this process and remove it at the end; remove those of processes that are no more."""
    base = cache_dir("scratch")
    own = base / str(os.getpid())
    _remove_dead(base)
    remove_tree(own)
    own.mkdir(parents=True)
    try:
        yield own
    finally:
        remove_tree(own)


def _remove_dead(base: Path) -> None:
    import psutil

    for left in base.glob("[0-9]*"):
        if left.name.isdecimal() and not psutil.pid_exists(int(left.name)):
            remove_tree(left)
