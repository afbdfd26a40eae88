"""When dumps may be read: not while a worker measures its speed, which anything else on the processor would change."""

from __future__ import annotations

import threading

MEASURED = ("warm-up", "generate", "speed")
"""Stages of a worker in which it measures."""

_free = threading.Event()
_free.set()


def heard(progress: str) -> None:
    """Take note of the stage that a worker says it is in."""
    if progress.split(" ", maxsplit=1)[0] in MEASURED:
        _free.clear()
    else:
        _free.set()


def ended() -> None:
    """Take note that no worker runs."""
    _free.set()


def wait() -> None:
    """Return when no worker measures."""
    _free.wait()
