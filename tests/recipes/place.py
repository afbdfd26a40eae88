"""Where the miniature upstreams are built: `python -m tests.recipes.place FOLDER TASK…` is `invoke TASK…` there.

Sources and wheels go to FOLDER rather than into this checkout, the cache too; the same on Linux and in Windows Python.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import tasks
from front.door.program import FrontDoor
from recipes.spec import target
from tests.recipes import upstream


class Setter(Protocol):
    """What pytest's MonkeyPatch is of: only what is used here."""

    def setenv(self, name: str, value: str) -> None:
        """Set a variable."""

    def setattr(self, target: object, name: str, value: object) -> None:
        """Set an attribute."""


class _ForGood:
    """Sets what a process keeps until its end."""

    def setenv(self, name: str, value: str) -> None:
        os.environ[name] = value

    def setattr(self, target: object, name: str, value: object) -> None:
        setattr(target, name, value)


def enter(folder: Path, patch: Setter) -> None:
    """Let this process build in `folder`."""
    from recipes import lanes

    for name, value in upstream.environment(folder).items():
        patch.setenv(name, value)
    patch.setattr(target, "third_party_dir", lambda: folder / "third_party")
    patch.setattr(lanes, "wheels_dir", lambda: folder / "wheels")


def main(folder: str, words: Sequence[str]) -> None:
    """Run a task in `folder`; exit as it does."""
    enter(Path(folder), _ForGood())
    FrontDoor(tasks.namespace).run(["invoke", *words])


if __name__ == "__main__":
    from wheelhouse import streams

    streams.settle()
    main(sys.argv[1], sys.argv[2:])
