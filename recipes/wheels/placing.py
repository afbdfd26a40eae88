"""The folder of finished wheels: putting wheels into it whole, and knowing their hashes without reading them again."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from wheelhouse import manifests
from wheelhouse.errors import InputError
from wheelhouse.file_locks import locked
from wheelhouse.files import move, sha256_bytes, sha256_file, write_atomic
from wheelhouse.paths import cache_dir

_LEFTOVER = re.compile(r"\.(.+\.(whl|metadata|html|json)|SHA256SUMS)\.(\w{8}|partial)")
"""Names that `write_atomic` and `place` give to files before they are whole."""


@dataclass(frozen=True, kw_only=True)
class WheelFacts:
    """What an index says about a wheel: size in bytes, hashes of the file and of METADATA, Requires-Python (or "")."""

    filename: str
    size: int
    sha256: str
    metadata_sha256: str
    requires_python: str


class _Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one file as long as its size, time of change (ns) and inode stay."""

    stamp: tuple[int, int, int]
    facts: WheelFacts


class _Notebook(msgspec.Struct, frozen=True, kw_only=True):
    seal: str
    entries: dict[str, _Entry]


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold the lock of a wheel folder, and sweep out what a killed run left half written there."""
    with locked(folder / "simple"):
        for path in [*folder.glob(".*"), *folder.glob("simple/.*"), *folder.glob("simple/*/.*")]:
            if _LEFTOVER.fullmatch(path.name):
                path.unlink(missing_ok=True)
        yield


def place(source: Path, folder: Path) -> Path:
    """Copy a wheel into `folder` unless the same file is there, whole or not at all; return its path there.

    Modification time and content are the source's, so that a later run can tell without hashing that nothing changed.
    The caller holds `folder_lock`.
    """
    target = folder / source.name
    if not is_placed(source, folder):
        partial = folder / f".{source.name}.partial"
        shutil.copy2(source, partial)
        partial.chmod(0o644)
        move(partial, target)
    return target


def is_placed(source: Path, folder: Path) -> bool:
    """Return whether `folder` has the source's file with its size and modification time.

    Their content is read only when it is doubted (`manifests.doubting`).
    """
    placed = folder / source.name
    try:
        ours, theirs = source.stat(), placed.stat()
        same = (ours.st_size, ours.st_mtime_ns) == (theirs.st_size, theirs.st_mtime_ns)
        return same and not (manifests.doubted() and sha256_file(source) != sha256_file(placed))
    except OSError:
        return False


def facts_of(wheels: list[Path]) -> list[WheelFacts]:
    """Return the facts of every wheel; those that were read before and have not changed since come from the cache."""
    notebook = cache_dir("wheel-facts.json")
    known = {} if manifests.doubted() else _read_notebook(notebook)
    folders = {folder: folder.resolve() for folder in {w.parent for w in wheels}}  # once each: it is slow on Windows
    names = {w: str(folders[w.parent] / w.name) for w in wheels}
    entries = {names[w]: _entry(w, known.get(names[w])) for w in wheels}
    if any(known.get(name) != entry for name, entry in entries.items()):
        alive = {name: entry for name, entry in known.items() if Path(name).exists()}
        write_atomic(notebook, _sealed(alive | entries))
    return [entries[names[w]].facts for w in wheels]


def read_metadata(wheel: Path) -> bytes:
    """Return the METADATA file of a wheel. Raise InputError when it is no readable wheel."""
    import zipfile

    try:
        with zipfile.ZipFile(wheel) as archive:
            names = [n for n in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", n)]
            content = archive.read(names[0]) if len(names) == 1 else b""
    except Exception as error:  # zipfile raises whatever a damaged archive provokes
        raise InputError(f"{wheel.name} is not a readable wheel ({error}).", remedy=_REMEDY) from error
    if len(names) != 1:
        raise InputError(f"{wheel.name} holds {len(names)} METADATA files instead of one.", remedy=_REMEDY)
    return content


_REMEDY = "Remove it, then build it again; `invoke audit` says more about a wheel."


def _entry(wheel: Path, known: _Entry | None) -> _Entry:
    stat = wheel.stat()
    stamp = (stat.st_size, stat.st_mtime_ns, stat.st_ino)
    if known is not None and known.stamp == stamp and known.facts.filename == wheel.name:
        return known
    from email.parser import BytesHeaderParser

    metadata = read_metadata(wheel)
    facts = WheelFacts(
        filename=wheel.name,
        size=stat.st_size,
        sha256=sha256_file(wheel),
        metadata_sha256=sha256_bytes(metadata),
        requires_python=str(BytesHeaderParser().parsebytes(metadata).get("Requires-Python", "")),
    )
    return _Entry(stamp=stamp, facts=facts)


def _sealed(entries: dict[str, _Entry]) -> bytes:
    """Return the notebook's text. Hashes are taken from it unseen, so it carries one of its own."""
    body = msgspec.json.encode(entries, order="sorted")
    return msgspec.json.format(msgspec.json.encode(_Notebook(seal=sha256_bytes(body), entries=entries)))


def _read_notebook(path: Path) -> dict[str, _Entry]:
    try:
        notebook = msgspec.json.decode(path.read_bytes(), type=_Notebook)
    except (OSError, msgspec.MsgspecError, ValueError, RecursionError):
        return {}
    whole = notebook.seal == sha256_bytes(msgspec.json.encode(notebook.entries, order="sorted"))
    return notebook.entries if whole else {}
