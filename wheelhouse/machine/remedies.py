"""What to type to install something, on the system that this runs on: nobody needs to read about another one."""

from __future__ import annotations

import shutil
import sys


def install(*, debian: str, windows: str, other: str) -> str:
    """Return what fits this system, as a sentence's end: Windows, one with apt (Debian, Ubuntu), or any other."""
    if sys.platform.startswith("win"):
        return f"{windows}."
    return f"{debian}." if shutil.which("apt") else f"{other}."
