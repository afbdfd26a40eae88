"""`invoke clean`: what builds and smoke runs leave behind, with its size, and its removal.

Only names that this program gives are removed: the cache may have been pointed at a folder with other things in it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from smoke.wine import mounts
from wheelhouse.console import show
from wheelhouse.errors import UsageError
from wheelhouse.file_locks import locked
from wheelhouse.files import by_name, human_size, remove_tree, size_of
from wheelhouse.paths import cache_dir, display, third_party_dir, wheels_dir

CHEAP = frozenset(
    {
        "audits",
        "bisections",
        "build",
        "candidates",
        "comparisons",
        "goldens",
        "locks",
        "logs",
        "matplotlib",
        "modules",
        "published",
        "pythons.json",
        "reports",
        "scratch",
        "standing",
        "vsdevcmd",
        "wheel-facts.json",
        "trials",
    }
)
"""Parts of the cache that are made again in seconds to minutes from what stays."""
EXPENSIVE = frozenset({"compiled", "downloads", "environments", "exports", "models", "wine"})
"""Parts of the cache that only `--all` removes: they come from a network, or take many minutes to make."""
KEPT = frozenset({"README.md", "patches", ".gitignore", ".simple.lock"})
"""What stays in `wheels/` and `third_party/`: what git tracks, and the lock that is held meanwhile."""


@dataclass(frozen=True, kw_only=True)
class Removal:
    """Something to remove; `size` is in bytes, of all files below it, links not followed."""

    path: Path
    size: int

    @property
    def line(self) -> str:
        """The line that names it."""
        return f"{human_size(self.size):>10}  {display(self.path)}"


def removals(*, everything: bool) -> list[Removal]:
    """List what there is to remove: wheels, sources and cheap results; with `everything` also the expensive ones."""
    parts = CHEAP | EXPENSIVE if everything else CHEAP
    found = [cache_dir(name) for name in sorted(parts)]
    for folder in (wheels_dir(), third_party_dir()):
        found += sorted((p for p in folder.iterdir() if p.name not in KEPT), key=by_name) if folder.is_dir() else []
    return [Removal(path=path, size=size_of(path)) for path in found if path.exists() or path.is_symlink()]


def remove(found: Iterable[Removal], *, away: Callable[[Path], None] = remove_tree) -> int:
    """Remove everything listed with `away`; return the bytes freed.

    Raise BusyError while a build writes to `wheels/`, and whatever `away` raises.
    """
    freed = 0
    with locked(wheels_dir() / "simple", timeout=5):
        for removal in found:
            away(removal.path)
            freed += removal.size
    return freed


def clear(*, everything: bool, plan: bool, yes: bool) -> None:
    """Do what `invoke clean` says: list, ask, remove.

    Raise UsageError where there is nobody to ask and `yes` does not answer, and what `remove` raises.
    """
    found = removals(everything=everything)
    show("\n".join(removal.line for removal in found) or "Nothing to remove.")
    if not found or plan:
        return
    if yes or _agreed(sum(removal.size for removal in found)):
        show(f"Removed {human_size(remove(found, away=mounts.remove))}.")
    else:
        show("Nothing was removed.")


def _agreed(size: int) -> bool:
    if not sys.stdin.isatty():
        raise UsageError(
            "Nothing was removed: there is no terminal to ask on.",
            remedy="`--yes` removes without asking, `--plan` only lists.",
        )
    show(f"Remove {human_size(size)}? [y/N] ", end="")
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
