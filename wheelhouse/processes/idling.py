"""Telling a process that hangs from one that is slow: who computes, reads or writes is not hanging."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable

from wheelhouse.processes.effort import computed

LITTLE = 0.02
"""Share of one processor below which a process tree does nothing: timers and an idle X server take less."""
_SAMPLES = 12


class Idling:
    """Watches a process tree from `begin` to `stop`; calls `end` once it did nothing for `seconds`.

    `ended` says whether it had to. `measure` returns the processor time of a tree so far, as `work_of` does.
    """

    def __init__(self, seconds: float, measure: Callable[[int], float | None] | None = None) -> None:
        self.seconds = seconds
        self.ended = False
        self._measure = measure or work_of
        self._stopped = threading.Event()

    def begin(self, process: subprocess.Popen[str], end: Callable[[], None]) -> None:
        """Begin to watch a process and everything that it starts."""
        threading.Thread(target=self._watch, args=(process.pid, end), daemon=True, name="idling").start()

    def stop(self) -> None:
        """Watch no more: the process has started its work, or has ended."""
        self._stopped.set()

    def _watch(self, pid: int, end: Callable[[], None]) -> None:
        last, since = 0.0, time.monotonic()
        while not self._stopped.wait(self.seconds / _SAMPLES):
            busy = self._measure(pid)
            if busy is None:
                return
            now = time.monotonic()
            # A child's share is gone when it ends, so that a fall is as good a sign of life as a rise.
            if busy < 0 or abs(busy - last) > LITTLE * self.seconds:
                last, since = max(busy, 0.0), now
            elif now - since >= self.seconds:
                self.ended = True
                end()
                return


def work_of(pid: int) -> float | None:
    """Return a process tree's seconds of processor time; below 0 while one waits for a disk, None when it is gone."""
    import psutil

    try:
        root = psutil.Process(pid)
        tree = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return None
    total = 0.0
    for process in tree:
        try:
            if process.status() == psutil.STATUS_DISK_SLEEP:
                return -1.0
            total += computed(process)
        except psutil.Error:
            continue
    return total
