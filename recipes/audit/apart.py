"""Read wheels in processes of their own, as many at a time as there are processors, each within time and memory.

The readers keep to budgets by themselves; this is for what nobody has thought of. A wheel whose reader had to be ended
is a finding, and the next wheel gets a new reader.
"""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue

import msgspec
import psutil

from recipes.audit.readers.child import LENGTH, Asked
from recipes.audit.readers.limits import MAX_MEMORY, seconds_for
from recipes.audit.readers.wheel import Wheel, unchecked
from wheelhouse.files import human_size
from wheelhouse.paths import ROOT
from wheelhouse.processes.effort import computed
from wheelhouse.processes.lifeline import die_with_parent
from wheelhouse.processes.orphans import end_with_descendants

_POLL_SECONDS = 0.05
_PATIENCE = 10
"""A reader that waits (for a slow disk, say) may take so many times the seconds that it may compute."""


def read_apart(paths: Sequence[Path], *, own: bool = False, roots: tuple[str, ...] = ()) -> tuple[Wheel, ...]:
    """Return every wheel as `read_wheel` does; one whose reader ran out of its limits is not readable."""
    count = min(len(paths), os.cpu_count() or 1)
    free: SimpleQueue[_Reader] = SimpleQueue()
    readers = [_Reader() for _ in range(count)]
    for reader in readers:
        free.put(reader)

    def read(path: Path) -> Wheel:
        reader = free.get()
        try:
            return reader.read(Asked(path=str(path), own=own, roots=roots))
        finally:
            free.put(reader)

    pool = ThreadPoolExecutor(max_workers=max(count, 1))
    try:
        return tuple(pool.map(read, paths))
    finally:
        for reader in readers:  # also after Ctrl-C, which ends the threads' waiting
            reader.end()
        pool.shutdown(cancel_futures=True)


class _Reader:
    """A child process that is started when it is needed, and again after it had to be ended."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def read(self, asked: Asked) -> Wheel:
        process = self._process or self._start()
        assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 - both are pipes
        path = Path(asked.path)
        with _watched(process, seconds_for(path.stat().st_size)) as why:
            with suppress(BrokenPipeError):
                process.stdin.write(json.dumps(msgspec.structs.asdict(asked)).encode() + b"\n")
                process.stdin.flush()
            length = int.from_bytes(process.stdout.read(LENGTH), "little")
            answer = process.stdout.read(length) if length else b""
        if length and len(answer) == length:
            return _wheel(answer)
        self.end()
        return unchecked(path, why() or _how_it_ended(process.returncode))

    def end(self) -> None:
        """End the process, if there is one."""
        process, self._process = self._process, None
        if process is not None:
            end_with_descendants(process)
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with suppress(OSError):
                    pipe.close()  # type: ignore[union-attr] # both are pipes

    def _start(self) -> subprocess.Popen[bytes]:
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        self._process = subprocess.Popen(
            (sys.executable, "-m", "recipes.audit.readers.child"),
            env=os.environ | {"PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            preexec_fn=die_with_parent(),  # noqa: PLW1509 - makes system calls only
        )
        return self._process


def _wheel(answer: bytes) -> Wheel:
    made = pickle.loads(answer)  # noqa: S301 - written by our own reader, never read from a wheel
    assert isinstance(made, Wheel)  # noqa: S101
    return made


@contextmanager
def _watched(process: subprocess.Popen[bytes], seconds: float) -> Iterator[Callable[[], str]]:
    """Kill the process when it is beyond its limits while inside. Gives a function that says which limit that was."""
    over, reason = threading.Event(), [""]

    def watch() -> None:
        with suppress(psutil.Error):
            child = psutil.Process(process.pid)
            meter = _meter(child)
            waited = 0.0
            while not over.wait(_POLL_SECONDS):
                waited += _POLL_SECONDS
                if meter() > seconds or waited > _PATIENCE * seconds:
                    reason[0] = _took(seconds)
                elif _own_memory(child) > MAX_MEMORY:
                    reason[0] = _MEMORY
                if reason[0]:
                    end_with_descendants(process)
                    return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield lambda: reason[0]
    finally:
        over.set()
        thread.join()


_MEMORY = f"needs more than {human_size(MAX_MEMORY)} of memory to be read"


def _took(seconds: float) -> str:
    return f"takes more than {seconds:.0f} s to be read"


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


def _how_it_ended(returncode: int | None) -> str:
    if sys.platform != "win32" and returncode == -signal.SIGXCPU:
        return "takes too long to be read"
    return "ended the process that read it"
