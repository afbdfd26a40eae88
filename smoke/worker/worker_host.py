"""What this process has used and loaded, on Linux, macOS, Windows and Wine, with the standard library only."""

from __future__ import annotations

import ctypes
import hashlib
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def peak_memory() -> int:
    """Return the largest resident size of this process so far in bytes; 0 where the system does not tell."""
    if sys.platform == "win32":
        return _peak_windows()
    try:
        # Not getrusage: a child inherits the peak of the parent it was forked from.
        with Path("/proc/self/status").open(encoding="ascii") as stream:
            lines = [line for line in stream if line.startswith("VmHWM:")]
        return int(lines[0].split()[1]) * 1024 if lines else 0
    except OSError:
        import resource

        return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def network() -> str:
    """Return whether this process could reach anybody: "none" where it sees no device but the loop-back."""
    import socket

    try:
        devices = {name for _, name in socket.if_nameindex()} - {"lo"}
    except (AttributeError, OSError):
        return "not known"
    return "reachable" if devices else "none"


class _Counters(ctypes.Structure):
    """PROCESS_MEMORY_COUNTERS of psapi.h."""

    _fields_ = (
        ("cb", ctypes.c_uint32),
        ("page_faults", ctypes.c_uint32),
        *((name, ctypes.c_size_t) for name in (
            "peak_working_set", "working_set", "peak_paged_pool", "paged_pool", "peak_nonpaged_pool",
            "nonpaged_pool", "pagefile", "peak_pagefile")),
    )  # fmt: skip


def _windows_library(name: str) -> Any:
    return getattr(ctypes, "WinDLL")(name, use_last_error=True)  # noqa: B009 - absent on other systems


def _process_handle() -> Any:
    kernel = _windows_library("kernel32")
    kernel.GetCurrentProcess.restype = ctypes.c_void_p
    return ctypes.c_void_p(kernel.GetCurrentProcess())


def _peak_windows() -> int:
    counters = _Counters(cb=ctypes.sizeof(_Counters))
    done = _windows_library("psapi").GetProcessMemoryInfo(_process_handle(), ctypes.byref(counters), counters.cb)
    return int(counters.peak_working_set) if done else 0


def _libraries_windows() -> list[str]:
    psapi = _windows_library("psapi")
    psapi.GetModuleFileNameExW.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_wchar_p, ctypes.c_uint32]
    modules = (ctypes.c_void_p * 4096)()
    needed = ctypes.c_uint32()
    if not psapi.EnumProcessModules(
        _process_handle(), ctypes.byref(modules), ctypes.sizeof(modules), ctypes.byref(needed)
    ):
        return []
    count = min(needed.value // ctypes.sizeof(ctypes.c_void_p), len(modules))
    paths = []
    for module in modules[:count]:
        buffer = ctypes.create_unicode_buffer(32768)
        if psapi.GetModuleFileNameExW(_process_handle(), ctypes.c_void_p(module), buffer, len(buffer)):
            paths.append(buffer.value)
    return paths


def _libraries_posix() -> list[str]:
    try:
        with Path("/proc/self/maps").open(encoding="utf-8", errors="replace") as stream:
            columns = [line.split(maxsplit=5) for line in stream]
    except OSError:
        return []
    return sorted({fields[5].strip() for fields in columns if len(fields) == 6 and ".so" in fields[5]})


def loaded_libraries(fragments: Iterable[str]) -> list[dict[str, Any]]:
    """Return path, size in bytes and SHA-256 of each loaded library whose file name contains one of `fragments`.

    It answers "which onnxruntime.dll was it?": the one of the package, or a stray one that the system found first.
    """
    wanted = [fragment.lower() for fragment in fragments]
    paths = _libraries_windows() if sys.platform == "win32" else _libraries_posix()
    return [
        {"path": str(path), "size": path.stat().st_size, "sha256": _sha256(path)}
        for path in map(Path, paths)
        if any(fragment in path.name.lower() for fragment in wanted) and path.is_file()
    ]


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        for chunk in iter(lambda: stream.read(1 << 20), b""):
            digest.update(chunk)
    return digest.hexdigest()
