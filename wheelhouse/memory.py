"""Whether the kernel has ended processes for want of memory: it leaves no other trace than an exit by SIGKILL."""

from __future__ import annotations

from pathlib import Path

VMSTAT = Path("/proc/vmstat")
_KILLED = frozenset({-9, 128 + 9})
"""How a process that was ended by SIGKILL ends: itself, or as the child of a shell or a session."""


def kills() -> int:
    """Return how many processes the kernel has ended for want of memory so far; 0 where it does not say."""
    try:
        lines = VMSTAT.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


def explains(returncode: int, kills_before: int) -> bool:
    """Return whether a process that ended so was most likely ended for want of memory since `kills_before`."""
    return returncode in _KILLED and kills() > kills_before
