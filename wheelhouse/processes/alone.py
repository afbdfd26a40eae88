"""A process without a network, where the system lets us: Linux, as root or with namespaces for users."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache

WAYS = (("--net",), ("--user", "--map-current-user", "--net"))
"""What root may do, and what many systems let everybody do."""


@cache
def prefix() -> tuple[str, ...]:
    """Return what stands before a command line that is to have no network; empty where that is not permitted.

    The program takes unshare's place: its process id, its exit code and its signals are the program's own.
    """
    unshare, true = shutil.which("unshare"), shutil.which("true")
    if sys.platform != "linux" or unshare is None or true is None:
        return ()
    for way in WAYS:
        try:
            tried = subprocess.run((unshare, *way, "--", true), capture_output=True, timeout=10, check=False)
        except (OSError, subprocess.TimeoutExpired):
            continue
        if tried.returncode == 0:
            return (unshare, *way, "--")
    return ()
