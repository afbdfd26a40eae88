"""On Windows, what we start is in a job: ended as a whole with one call, and by the system when we die.

A process there knows no group, and its parent's death means nothing to it. A job holds a process with everything that
it starts; the system ends them when the last handle to the job is closed, which is ours, however we end.
"""

from __future__ import annotations

import subprocess
import sys
import weakref
from typing import Any

CREATION_FLAGS = 0x4 if sys.platform == "win32" else 0
"""CREATE_SUSPENDED: a process is in its job before it can start another. `adopt` lets it run."""

_KILL_ON_CLOSE, _MAY_BREAK_AWAY = 0x2000, 0x800
_EXTENDED_LIMITS = 9  # JobObjectExtendedLimitInformation
_ENDED = 1

_jobs: weakref.WeakKeyDictionary[subprocess.Popen[Any], int] = weakref.WeakKeyDictionary()


def adopt(process: subprocess.Popen[Any]) -> None:
    """Put a process that was started with CREATION_FLAGS into a job of its own, and let it run."""
    if sys.platform == "win32":
        handle = int(process._handle)  # type: ignore[attr-defined]  # noqa: SLF001 - subprocess shows it nowhere else
        job = _new_job()
        if job and _kernel().AssignProcessToJobObject(job, handle):
            _jobs[process] = job
        elif job:
            _kernel().CloseHandle(job)
        _resume(handle)


def end(process: subprocess.Popen[Any]) -> bool:
    """End a process with all that it has started. Return False where there is no job for it."""
    job = _jobs.get(process)
    return job is not None and bool(_kernel().TerminateJobObject(job, _ENDED))


def release(process: subprocess.Popen[Any]) -> None:
    """Let what has outlived the process go on: a compiler's server is meant to."""
    job = _jobs.pop(process, None)
    if job is not None:
        _limit(job, 0)
        _kernel().CloseHandle(job)


def _new_job() -> int | None:
    job = _kernel().CreateJobObjectW(None, None)
    if not job:
        return None
    _limit(job, _KILL_ON_CLOSE | _MAY_BREAK_AWAY)
    return int(job)


def _limit(job: int, flags: int) -> None:
    """Call SetInformationJobObject with these flags and no other limit."""
    import ctypes

    information = (ctypes.c_uint64 * 18)()  # JOBOBJECT_EXTENDED_LIMIT_INFORMATION: 144 bytes on 64-bit Windows
    information[2] = flags  # LimitFlags follows two times of eight bytes each
    _kernel().SetInformationJobObject(job, _EXTENDED_LIMITS, information, ctypes.sizeof(information))


def _kernel() -> Any:
    """Return kernel32 with the types of what is called here: a handle is a pointer, not an int."""
    import ctypes

    kernel: Any = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined,unused-ignore]
    handle = ctypes.c_void_p
    kernel.CreateJobObjectW.restype = handle
    kernel.AssignProcessToJobObject.argtypes = [handle, handle]
    kernel.SetInformationJobObject.argtypes = [handle, ctypes.c_int, ctypes.c_void_p, ctypes.c_uint32]
    kernel.TerminateJobObject.argtypes = [handle, ctypes.c_uint]
    kernel.CloseHandle.argtypes = [handle]
    return kernel


def _resume(handle: int) -> None:
    import ctypes

    ntdll: Any = ctypes.WinDLL("ntdll")  # type: ignore[attr-defined,unused-ignore]
    ntdll.NtResumeProcess.argtypes = [ctypes.c_void_p]
    ntdll.NtResumeProcess(handle)
