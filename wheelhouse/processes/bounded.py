"""A process that is ended at a limit of time or memory, for work on what a stranger wrote."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from typing import TYPE_CHECKING

from wheelhouse.processes.effort import computed
from wheelhouse.processes.orphans import end_with_descendants

if TYPE_CHECKING:
    import psutil

_POLL_SECONDS = 0.05
_PATIENCE = 10
"""What waits (for a slow disk, say) may take so many times the seconds that it may compute."""


class Limit(Enum):
    """What a process ran into."""

    SECONDS = "seconds"
    MEMORY = "memory"


@contextmanager
def watched(process: subprocess.Popen[bytes], seconds: float, memory: int) -> Iterator[Callable[[], Limit | None]]:
    """Kill the process when it is beyond its limits while inside. Gives a function that says which limit that was."""
    import psutil

    over, reached = threading.Event(), list[Limit]()

    def watch() -> None:
        with suppress(psutil.Error):
            child = psutil.Process(process.pid)
            meter = _meter(child)
            waited = 0.0
            while not over.wait(_POLL_SECONDS):
                waited += _POLL_SECONDS
                if meter() > seconds or waited > _PATIENCE * seconds:
                    reached.append(Limit.SECONDS)
                elif _own_memory(child) > memory:
                    reached.append(Limit.MEMORY)
                if reached:
                    end_with_descendants(process)
                    return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield lambda: next(iter(reached), None)
    finally:
        over.set()
        thread.join()


def limit_oneself(seconds: float, memory: int) -> None:
    """Let the system end this process after so many more seconds of work, and refuse it memory beyond the limit.

    Linux does; whoever started this process watches it, too.
    """
    if sys.platform == "win32":
        return
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime + seconds) + 1, hard))
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    resource.setrlimit(resource.RLIMIT_DATA, (memory, hard))


def _own_memory(child: psutil.Process) -> int:
    """Return bytes in memory that are the process's own: mapped files come and go as the system likes.

    On Windows what is private is what might be needed, not what is there: the working set counts.
    """
    if sys.platform == "win32":
        return sum(int(each.memory_info().rss) for each in _all(child))
    used = child.memory_info()
    return int(used.rss - getattr(used, "shared", 0))


def _meter(child: psutil.Process) -> Callable[[], float]:
    """Return a function that says how many seconds have been computed since now.

    What each process has done before it is seen first does not count.
    """
    first: dict[int, float] = {}

    def meter() -> float:
        now = {each.pid: computed(each) for each in _all(child)}
        return sum(seconds - first.setdefault(pid, seconds) for pid, seconds in now.items())

    meter()
    return meter


def _all(child: psutil.Process) -> list[psutil.Process]:
    """Return a process and, on Windows, what it has started: an environment's python.exe only starts the real one."""
    return [child, *child.children(recursive=True)] if sys.platform == "win32" else [child]
