"""No process outlives this program, not even when it is killed with a signal that it cannot catch.

A compiler that goes on after its parent's death would write into folders that the next run is cleaning or filling.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from wheelhouse.processes import job_object
from wheelhouse.processes.lifeline import die_with_parent

_WATCH = """
read _
left=1
while [ "$left" ]; do
  kill -s KILL -- "-$1" 2>/dev/null
  left=
  for status in /proc/[0-9]*/stat; do
    { read -r line <"$status"; } 2>/dev/null || continue
    set -- "$1" ${line##*) }
    [ "$5" = "$1" ] && [ "$2" != Z ] || continue
    process=${status#/proc/}
    kill -s KILL "${process%/stat}" 2>/dev/null && left=1
  done
done
"""
"""For a shell with a session's number: ends all of its processes, round by round until none is left to start another.

Ninja gives each of its jobs a process group of its own, so that ending our group leaves the compilers; the session is
the same. In /proc/PID/stat it is the fourth field after the name, and the state is the first.
"""


def start_with_us(argv: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
    """Start a process as `subprocess.Popen` does; the system ends it when this program ends, however that is.

    For what is talked to while it works; what is only waited for is `process.run`'s.
    """
    process: subprocess.Popen[Any] = subprocess.Popen(
        argv,
        preexec_fn=die_with_parent(),  # noqa: PLW1509 - makes system calls only
        creationflags=job_object.CREATION_FLAGS,
        **options,
    )
    job_object.adopt(process)
    return process


@contextmanager
def ending_with_us(process: subprocess.Popen[str]) -> Iterator[None]:
    """While inside, end the process's session when this program is gone. The process must lead a session of its own.

    A shell waits on a pipe that only this program holds open: the system closes it when we die, however we die.
    On Windows the job that holds the process does the same.
    """
    if os.name != "posix":
        try:
            yield
        finally:
            job_object.release(process)
        return
    reader, writer = os.pipe()  # neither end is inherited by what we start, unless named
    watch = subprocess.Popen(
        ["/bin/sh", "-c", _WATCH, "sh", str(process.pid)],
        stdin=reader,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for us to handle
    )
    os.close(reader)
    try:
        yield
    finally:
        watch.kill()
        watch.wait()
        os.close(writer)


def end_session(leader: int) -> None:
    """Kill every process of a session, round by round until there is none: a group is only a part of it. POSIX only."""
    import psutil

    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)
    left = True
    while left:
        left = False
        for pid in psutil.pids():
            with suppress(ProcessLookupError, PermissionError, psutil.Error):
                if os.getsid(pid) == leader and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                    os.kill(pid, signal.SIGKILL)
                    left = True


def end_with_descendants(process: subprocess.Popen[Any]) -> None:
    """Kill a process and what it has started, one by one, for where there is neither session nor job.

    Any of them may be gone, or going, before its turn: one takes another along.
    """
    import psutil

    with suppress(psutil.Error):
        for child in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.Error):
                child.kill()
    process.kill()


def end_and_close(process: subprocess.Popen[Any]) -> None:
    """Kill a process and what it has started, wait for its end, and close the pipes to it and from it."""
    end_with_descendants(process)
    process.wait()
    job_object.release(process)
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
