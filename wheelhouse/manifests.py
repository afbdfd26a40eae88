"""Noticing, without reading gigabytes, that a finished folder has been truncated, edited or partly removed.

When a folder is finished, its manifest records every file's size, time of last change and SHA-256. Later a look at
sizes and times is enough; only a file whose time differs with the same size (a copied cache) is read and hashed. When
something has failed that should not, `doubting` has every file read: a bad disk changes neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import msgspec

from wheelhouse.files import sha256_bytes, sha256_file, write_atomic

MANIFEST = ".manifest.json"


_doubts: list[list[str]] = []


@contextmanager
def doubting() -> Iterator[list[str]]:
    """While inside, in all threads, finished folders are read as a whole; gives what was found to be damaged."""
    found: list[str] = []
    _doubts.append(found)
    try:
        yield found
    finally:
        _doubts.remove(found)


def verifying(wanted: bool) -> AbstractContextManager[object]:
    """Return `doubting` where a person wants it, else a context in which nothing is different."""
    return doubting() if wanted else nullcontext()


def doubted() -> bool:
    """Return whether sizes and times are not enough now."""
    return bool(_doubts)


def report_damage(what: str) -> None:
    """Tell those who doubt that something was damaged."""
    for found in _doubts:
        found.append(what)


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One file: its size in bytes, its time of last change in nanoseconds, its SHA-256."""

    size: int
    mtime: int
    sha256: str


def write(folder: Path) -> str:
    """Record all files below `folder` in its manifest; return one SHA-256 over their names and contents."""
    entries = {name: _entry(folder / name) for name in _files(folder)}
    write_atomic(folder / MANIFEST, msgspec.json.encode(entries))
    return content_hash(entries)


def read(folder: Path) -> dict[str, Entry] | None:
    """Return the manifest of `folder` by relative path, or None when there is none or it cannot be read."""
    return _decode(folder / MANIFEST)


def content_hash(entries: dict[str, Entry]) -> str:
    """Return one SHA-256 over the names and contents (not the times) of a manifest's files."""
    return sha256_bytes("".join(f"{name}\0{entry.sha256}\n" for name, entry in sorted(entries.items())).encode())


def key(folder: Path) -> str:
    """Return the hash that `write` returned for this finished folder."""
    return content_hash(read(folder) or {})


def remember(folder: Path, names: Iterable[str], memory: Path) -> dict[str, Entry]:
    """Return the entries of the named files in a folder that is not ours, kept in the file `memory` for next time."""
    known = _decode(memory) or {}
    entries = {name: _known_or_new(folder / name, known.get(name)) for name in names}
    if entries != known:
        write_atomic(memory, msgspec.json.encode(entries))
    return entries


def damage(folder: Path) -> str | None:
    """Say in words what has happened to a finished folder since its manifest was written, or None: it is whole."""
    entries = read(folder)
    if entries is None:
        return "its list of files is missing"
    touched = False
    for name, entry in entries.items():
        try:
            now = (folder / name).stat()
        except (OSError, ValueError):  # a damaged list may name what no file can be called
            return f"{name} is gone"
        if now.st_size != entry.size:
            return f"{name} has {now.st_size} bytes instead of {entry.size}"
        if now.st_mtime_ns != entry.mtime or doubted():
            if sha256_file(folder / name) != entry.sha256:
                return f"{name} has been changed"
            touched = touched or now.st_mtime_ns != entry.mtime
    if touched:
        write(folder)  # the same content under new times: look at the times only, next time
    return None


def _decode(path: Path) -> dict[str, Entry] | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Entry])
    except (OSError, msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _known_or_new(path: Path, known: Entry | None) -> Entry:
    status = path.stat()
    same = known is not None and (known.size, known.mtime) == (status.st_size, status.st_mtime_ns)
    return known if known is not None and same else _entry(path)


def _files(folder: Path) -> list[str]:
    """Relative names of all files; dot files at the top are this program's own records."""
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    return sorted(name for name in names if not name.startswith("."))


def _entry(path: Path) -> Entry:
    status = path.stat()
    return Entry(size=status.st_size, mtime=status.st_mtime_ns, sha256=sha256_file(path))
