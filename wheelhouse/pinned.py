"""Files with a known hash: what has just arrived is refused when it is another, what was kept is had again."""

from __future__ import annotations

from pathlib import Path

from wheelhouse.console import warn
from wheelhouse.errors import IntegrityError
from wheelhouse.files import remove_tree, sha256_file


def intact(path: Path, sha256: str) -> bool:
    """Return whether a kept file is there with this hash; one that is there with another is removed, and that is said.

    For what can be had again. What has just arrived, or cannot be had again, is `verified`.
    """
    try:
        actual = sha256_file(path)
    except FileNotFoundError:
        return False
    if actual == sha256:
        return True
    warn(f"{path.name} was damaged in the cache (SHA-256 {actual}, not {sha256}): removed, it is had again.")
    remove_tree(path)
    return False


def verified(path: Path, sha256: str, *, remedy: str = "") -> Path:
    """Return `path` when its content has this hash; otherwise raise IntegrityError naming both hashes.

    A file in the download cache is removed then; one that is somebody else's stays, and `remedy` says what to do.
    """
    actual = sha256_file(path)
    if actual == sha256:
        return path
    if remedy:
        raise IntegrityError(f"{path} has SHA-256 {actual}, but {sha256} is pinned.", remedy=remedy)
    remove_tree(path)
    raise IntegrityError(
        f"{path.name} has SHA-256 {actual}, but {sha256} is pinned.",
        remedy="The file was removed. Run the command again; if the hash differs again, do not trust that source.",
    )
