"""One lock per output, between processes, released by the operating system when its holder dies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wheelhouse.errors import BusyError


@contextmanager
def locked(output: Path, *, timeout: float = 3600.0) -> Iterator[None]:
    """Hold the lock of `output` (a file beside it, named `.<name>.lock`). Raise BusyError after `timeout` seconds."""
    from filelock import FileLock, Timeout

    output.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(output.with_name(f".{output.name}.lock"), timeout=timeout)
    try:
        lock.acquire()
    except Timeout as error:
        raise BusyError(
            f"Another run has been working on {output} for more than {timeout:.0f} s.",
            remedy="Wait for it to finish, or end that process; its lock disappears with it.",
        ) from error
    try:
        yield
    finally:
        lock.release()
