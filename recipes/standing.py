"""What a build said that made nothing, for as long as nothing of what it looked at has been touched.

A build with nothing to do reads recipes, hashes code and parses file names, only to say what it said before. Here the
names, sizes, times and inodes of all those files are enough. (Windows tells no time of change: other bytes under the
same size and time are found there with `--verify` only.) Only a build that found everything as it was is remembered:
what it said was judged by content. Imports next to nothing, because it stands before everything else.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from wheelhouse.console import warnings_said
from wheelhouse.paths import ROOT, cache_dir, wheels_dir

_SKIPPED = {"__pycache__", "logs"}


def told(question: tuple[object, ...]) -> str | None:
    """Return what the build of `question` (what decides it besides files) said, or None: it must be asked anew."""
    try:
        kept = json.loads(_file(question).read_bytes())
        whole = kept["seal"] == _digest(kept["said"], kept["stamps"])
        return str(kept["said"]) if whole and kept["stamps"] == stamps() else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def remembering(question: tuple[object, ...], build: Callable[[], str]) -> str:
    """Return what `build` says, and remember it when nothing was there to be made, and nothing to warn of.

    After one that made something, what a second one says of it is remembered: that one reads what the first has left.
    """
    before, warned = stamps(), warnings_said()
    said = again = build()
    if stamps() != before:
        before = stamps()
        again = build()
    if stamps() == before and warnings_said() == warned:
        _keep(_file(question), {"said": again, "stamps": before, "seal": _digest(again, before)})
    return said


def _keep(file: Path, kept: dict[str, str]) -> None:
    from wheelhouse.files import write_atomic

    with contextlib.suppress(OSError):  # a cache that cannot be written is no reason to fail: nothing was to be made
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(file, json.dumps(kept))


def stamps() -> str:
    """Return one hash over the stamps of all that a build of the published lane looks at.

    That is the code and recipes of this checkout, the wheels, what they were made of, and the packages of this Python.
    """
    trees = (ROOT / "recipes", ROOT / "wheelhouse", wheels_dir(), *map(cache_dir, ("published", "audits", "downloads")))
    found = sorted(stamp for tree in trees for stamp in _below(str(tree)))
    packages = [(folder, Path(folder).stat().st_mtime_ns) for folder in sys.path if Path(folder).is_dir()]
    return _digest(repr(found), repr(packages))


def _below(folder: str) -> Iterator[tuple[object, ...]]:
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            if entry.name not in _SKIPPED:
                yield from _below(entry.path)
            continue
        if entry.name.endswith(".lock"):  # held for a moment by each full build, which may touch it
            continue
        try:
            now = Path(entry.path).stat()  # where a link leads matters, and an entry on Windows knows no inode
        except FileNotFoundError:
            yield (entry.path, "leads nowhere")
            continue
        yield (entry.path, now.st_size, now.st_mtime_ns, now.st_ctime_ns, now.st_ino)


def _file(question: tuple[object, ...]) -> Path:
    key = _digest(repr(question), sys.version, sys.executable, str(ROOT))
    return cache_dir("standing", f"{key[:32]}.json")


def _digest(*parts: str) -> str:
    import hashlib

    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
