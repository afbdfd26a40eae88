"""How much a process has computed, on every system: what a time limit or a watch over an idle process goes by."""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil


def computed(process: psutil.Process) -> float:
    """Return the seconds of processor time of a process so far. Raise psutil.Error when it cannot be asked."""
    if in_wine():  # it answers with the caller's own times for a process, and with the right ones for a thread
        return sum(float(thread.user_time + thread.system_time) for thread in process.threads())
    times = process.cpu_times()
    return float(times.user + times.system)


@cache
def in_wine() -> bool:
    """Return whether this Windows is Wine, whose own library says so."""
    if sys.platform == "win32":
        import ctypes

        return hasattr(ctypes.WinDLL("ntdll"), "wine_get_version")
    return False
