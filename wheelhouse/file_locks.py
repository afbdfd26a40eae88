"""Locks between processes, released by the operating system when their holder dies: of outputs, and signs of life."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
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


@contextmanager
def marked(path: Path) -> Iterator[None]:
    """Keep the file `path` while this goes on. Others tell by `is_abandoned` whether its holder lives.

    Not by a process's number: that is given again, and means nothing in another container.
    """
    from filelock import FileLock

    lock = FileLock(path)
    lock.acquire()
    while not path.exists():  # somebody took it for abandoned before it was locked
        lock.release()
        lock.acquire()
    try:
        yield
    finally:
        with suppress(PermissionError):  # Windows removes no open file
            path.unlink(missing_ok=True)
        lock.release()
        path.unlink(missing_ok=True)


def is_abandoned(path: Path) -> bool:
    """Whether nobody who lives holds the mark `path`."""
    from filelock import FileLock, Timeout

    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        return False
    lock.release()
    return True
