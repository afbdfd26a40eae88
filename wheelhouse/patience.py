"""Windows refuses to rename or remove what another program has open: a virus scanner, an editor, a terminal inside.

Most of them let go after a moment, so it is tried again with growing pauses; then the error names the file.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from wheelhouse.errors import BusyError

PAUSES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
"""Seconds between the tries: six in all, which is longer than a scanner takes for a file of some megabytes."""

_HELD = frozenset({5, 32, 33, 145, 1224})
"""Windows' codes: access denied, in use by another process, locked, not empty yet (a removal is pending), mapped."""

_T = TypeVar("_T")


def held(error: OSError) -> bool:
    """Return whether an error is Windows' way to say that another program has the file open."""
    return getattr(error, "winerror", None) in _HELD


def patiently(action: Callable[[], _T], path: Path) -> _T:
    """Return what `action` returns, trying again while another program holds `path`. Raise BusyError if it stays so."""
    for pause in PAUSES:
        try:
            return action()
        except OSError as error:
            if not held(error):
                raise
        time.sleep(pause)
    try:
        return action()
    except OSError as error:
        if not held(error):
            raise
        raise BusyError(
            f"Another program has {error.filename or path} open, or stands in it.",
            remedy="Close the editor, Explorer window or terminal that may have it, or wait for the virus scanner (an "
            "exception for the cache folder makes everything faster); then run the same again.",
        ) from error
