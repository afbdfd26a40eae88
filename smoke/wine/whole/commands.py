"""What `invoke wine-python` does."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from smoke.wine.whole import installing, machine


def wine_python(arguments: Sequence[str], *, python: str, user: str, folder: str) -> None:
    """Give way to the project's Windows Python with these arguments: its output and its exit code are ours.

    Raise UsageError for what cannot be asked for, and what making the Python may.
    """
    chosen = machine.choose(python=python, user=user, folder=folder)
    start = installing.ensure(chosen)
    argv = (*start, chosen.python, *(arguments or ("-VV",)))
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os.execvp(argv[0], argv)  # noqa: S606 - no shell is meant


def where(*, python: str, user: str, folder: str) -> str:
    """Return where the checkout there lies, as this system names it. Raise UsageError for what cannot be asked for."""
    return str(machine.choose(python=python, user=user, folder=folder).checkout)
