"""Files that are whole or absent: atomic writes, hashes, safe removal, room on the disk."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from wheelhouse.console import remark, warn
from wheelhouse.errors import IntegrityError, ResourceError
from wheelhouse.patience import held, patiently

_CHUNK = 1 << 20


def by_name(path: Path) -> str:
    """Return what paths are sorted by: their text with forward slashes. Windows itself sorts them without case."""
    return path.as_posix()


def files_below(folder: Path) -> list[Path]:
    """Return every file below `folder`, in an order that is the same on every system."""
    return sorted((path for path in folder.rglob("*") if path.is_file()), key=by_name)


def sha256_bytes(data: bytes) -> str:
    """Return the SHA-256 of `data` in lower-case hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file in lower-case hexadecimal, reading it in chunks of 1 MiB."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def intact(path: Path, sha256: str) -> bool:
    """Return whether a kept file is there with this hash; one that is there with another is removed, and that is said.

    For what can be had again. What has just arrived, or cannot be had again, is `verified`.
    """
    try:
        actual = sha256_file(path)
    except FileNotFoundError:
        return False
    if actual == sha256:
        return True
    warn(f"{path.name} was damaged in the cache (SHA-256 {actual}, not {sha256}): removed, it is had again.")
    remove_tree(path)
    return False


def verified(path: Path, sha256: str, *, remedy: str = "") -> Path:
    """Return `path` when its content has this hash; otherwise raise IntegrityError naming both hashes.

    A file in the download cache is removed then; one that is somebody else's stays, and `remedy` says what to do.
    """
    actual = sha256_file(path)
    if actual == sha256:
        return path
    if remedy:
        raise IntegrityError(f"{path} has SHA-256 {actual}, but {sha256} is pinned.", remedy=remedy)
    remove_tree(path)
    raise IntegrityError(
        f"{path.name} has SHA-256 {actual}, but {sha256} is pinned.",
        remedy="The file was removed. Run the command again; if the hash differs again, do not trust that source.",
    )


def sha256_tree(folder: Path, *, skip: Callable[[Path], bool] = lambda _: False) -> str:
    """Return one SHA-256 over names and contents of all files below `folder`, in name order.

    `skip` receives each file's path relative to `folder`.
    """
    digest = hashlib.sha256()
    for path in files_below(folder):
        relative = path.relative_to(folder)
        if not skip(relative):
            digest.update(f"{relative.as_posix()}\0{sha256_file(path)}\n".encode())
    return digest.hexdigest()


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write a file so that readers see the old content or the new, never a part. Text is UTF-8 with \\n ends.

    A device or a pipe (/dev/null, NUL, /dev/stdout) is written to: it is no place to put a file.
    """
    data = content.encode() if isinstance(content, str) else content
    if _takes_bytes(path):
        path.write_bytes(data)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except FileNotFoundError as error:  # although its folder is there: /proc and the like
        raise PermissionError(errno.EACCES, "no file can be made there", str(path)) from error
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        Path(name).chmod(0o644)
        move(Path(name), path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _takes_bytes(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISCHR(mode) or stat.S_ISFIFO(mode)


def move(source: Path, target: Path) -> Path:
    """Rename a file or folder, over a file that may be there; return its new path.

    Raise BusyError when another program does not let go of either for some seconds.
    """

    def rename() -> Path:
        try:
            return source.replace(target)
        except PermissionError as error:  # what Windows says of a folder in a file's place, too
            if target.is_dir() and not source.is_dir():
                raise IsADirectoryError(errno.EISDIR, "a folder has that name", str(target)) from error
            if not _made_writable(target, error):
                raise
            return source.replace(target)

    return patiently(rename, target)


def remove_tree(path: Path) -> None:
    """Remove a file or folder if it is there, also where git left read-only files on Windows.

    Raise BusyError when another program does not let go of something in it for some seconds.
    """

    def make_writable_and_retry(function: Callable[..., Any], name: str, _: BaseException) -> None:
        with contextlib.suppress(FileNotFoundError):
            Path(name).chmod(stat.S_IRWXU if Path(name).is_dir() else stat.S_IWRITE)
            patiently(lambda: function(name), Path(name))

    def unlink() -> None:
        try:
            path.unlink()
        except PermissionError as error:
            if not _made_writable(path, error):
                raise
            path.unlink()

    if path.is_symlink() or path.is_file():
        patiently(unlink, path)
    elif path.exists():
        _rmtree(path, make_writable_and_retry)


def _made_writable(path: Path, refused: OSError) -> bool:
    """Make a read-only file writable, which Windows neither removes nor replaces. False where that was not why."""
    if not held(refused) or not path.is_file() or path.stat().st_mode & stat.S_IWRITE:
        return False
    path.chmod(stat.S_IREAD | stat.S_IWRITE)
    return True


def _rmtree(path: Path, handler: Callable[[Callable[..., Any], str, BaseException], None]) -> None:
    import sys

    if sys.version_info >= (3, 12):
        shutil.rmtree(path, onexc=handler)
    else:
        shutil.rmtree(path, onerror=lambda function, name, info: handler(function, name, info[1]))


def link_or_copy(source: Path, target: Path, *, ways: Sequence[str] = ("symlink", "link")) -> None:
    """Make `target` the same file as `source`, by the first of `ways` (functions of `os`) that is allowed, or a copy.

    Windows lets some users make links, on some file systems. That it takes room instead is said once.
    """
    real = source.resolve()
    for way in ways:
        try:
            getattr(os, way)(real, target)
        except OSError:
            continue
        if target.exists():  # some file systems only say that they made a link
            return
    require_space(target.parent, real.stat().st_size, f"A copy of {source.name}")
    _say_copied()
    shutil.copy2(real, target)


@cache
def _say_copied() -> None:
    remark("This system makes no links here: large files are copied, which takes room and time.")


def require_space(folder: Path, needed: int, purpose: str) -> None:
    """Raise ResourceError unless the file system of `folder` (which need not exist yet) has `needed` bytes free."""
    existing = next(p for p in (folder, *folder.parents) if p.exists())
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise ResourceError(
            f"{purpose} needs {human_size(needed)} below {folder}, but only {human_size(free)} are free.",
            remedy="Free some space, or set DML_WHEELHOUSE_CACHE to a folder on a larger disk.",
        )


def disk_full(activity: str, *, log: Path | None = None) -> ResourceError:
    """Return the error for a file system that ran out of room during `activity`."""
    return ResourceError(
        f"The disk filled up during {activity}.",
        remedy="Free some space, or set DML_WHEELHOUSE_CACHE to a folder on a larger disk.",
        log=log,
    )


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files below a folder."""
    if path.is_symlink() or path.is_file():
        return path.lstat().st_size
    return sum(p.lstat().st_size for p in path.rglob("*") if p.is_symlink() or p.is_file())


def human_size(count: float) -> str:
    """Return a number of bytes as people write it: '1.7 GB' (powers of 1000)."""
    for unit in ("B", "kB", "MB"):
        if abs(count) < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
