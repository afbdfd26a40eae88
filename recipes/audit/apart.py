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
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue

import msgspec

from recipes.audit.readers.child import LENGTH, Asked
from recipes.audit.readers.limits import MAX_MEMORY, seconds_for
from recipes.audit.readers.wheel import Wheel, unchecked
from wheelhouse.files import human_size
from wheelhouse.paths import ROOT
from wheelhouse.processes.bounded import Limit, watched
from wheelhouse.processes.orphans import end_and_close, start_with_us


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
        seconds = seconds_for(path.stat().st_size)
        with watched(process, seconds, MAX_MEMORY) as reached:
            with suppress(BrokenPipeError):
                process.stdin.write(json.dumps(msgspec.structs.asdict(asked)).encode() + b"\n")
                process.stdin.flush()
            length = int.from_bytes(process.stdout.read(LENGTH), "little")
            answer = process.stdout.read(length) if length else b""
        if length and len(answer) == length:
            return _wheel(answer)
        self.end()
        limit = reached()
        why = _WORDS[limit].format(seconds=seconds) if limit else _how_it_ended(process.returncode)
        return unchecked(path, why)

    def end(self) -> None:
        """End the process, if there is one."""
        process, self._process = self._process, None
        if process is not None:
            end_and_close(process)

    def _start(self) -> subprocess.Popen[bytes]:
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        self._process = start_with_us(
            (sys.executable, "-m", "recipes.audit.readers.child"),
            env=os.environ | {"PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        return self._process


def _wheel(answer: bytes) -> Wheel:
    made = pickle.loads(answer)  # noqa: S301 - written by our own reader, never read from a wheel
    assert isinstance(made, Wheel)  # noqa: S101
    return made


_WORDS = {
    Limit.SECONDS: "takes more than {seconds:.0f} s to be read",
    Limit.MEMORY: f"needs more than {human_size(MAX_MEMORY)} of memory to be read",
}


def _how_it_ended(returncode: int | None) -> str:
    if sys.platform != "win32" and returncode == -signal.SIGXCPU:
        return "takes too long to be read"
    return "ended the process that read it"
