"""No process outlives this program, not even when it is killed with a signal that it cannot catch.

A compiler that goes on after its parent's death would write into folders that the next run is cleaning or filling.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from wheelhouse.processes import job_object

_WATCH = 'read _; kill -s KILL -- "-$1" 2>/dev/null'


@contextmanager
def ending_with_us(process: subprocess.Popen[str]) -> Iterator[None]:
    """While inside, end the process's group when this program is gone. The process must lead a group of its own.

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
