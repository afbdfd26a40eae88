"""How a process ended, in words: with an exit code, by a signal, or by one of Windows' fatal errors."""

from __future__ import annotations

import signal
import sys

_NTSTATUS = {
    0xC0000005: "access violation",
    0xC000001D: "illegal instruction",
    0xC0000017: "out of memory",
    0xC00000FD: "stack overflow",
    0xC0000135: "a DLL was not found",
    0xC0000139: "a DLL lacks an entry point",
    0xC000013A: "interrupted with Ctrl-C",
    0xC0000142: "a DLL's initialization failed",
    0xC0000374: "heap corruption",
    0xC0000409: "abort or stack buffer overrun",
}


def describe_exit(returncode: int) -> str:
    """Return how a process ended, for people: by which signal, by which Windows status, or with which code."""
    if returncode < 0 and sys.platform != "win32":
        try:
            return f"was killed by signal {-returncode} ({signal.Signals(-returncode).name})"
        except ValueError:
            return f"was killed by signal {-returncode}"
    status = returncode & 0xFFFFFFFF
    if status in _NTSTATUS:
        return f"ended with status 0x{status:08X} ({_NTSTATUS[status]})"
    return f"ended with exit code {returncode}"
