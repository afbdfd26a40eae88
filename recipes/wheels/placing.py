"""The folder of finished wheels: putting wheels into it whole, and knowing their hashes without reading them again."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

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
    """Return whether `folder` has the source's file with its size and modification time; reads no content."""
    try:
        ours, theirs = source.stat(), (folder / source.name).stat()
    except OSError:
        return False
    return (ours.st_size, ours.st_mtime_ns) == (theirs.st_size, theirs.st_mtime_ns)


def facts_of(wheels: list[Path]) -> list[WheelFacts]:
    """Return the facts of every wheel; those that were read before and have not changed since come from the cache."""
    notebook = cache_dir("wheel-facts.json")
    known = _read_notebook(notebook)
    entries = {str(w.resolve()): _entry(w, known.get(str(w.resolve()))) for w in wheels}
    if any(known.get(name) != entry for name, entry in entries.items()):
        alive = {name: entry for name, entry in known.items() if Path(name).exists()}
        write_atomic(notebook, json.dumps(alive | entries, indent=1))
    return [msgspec.convert({"filename": w.name, **entries[str(w.resolve())]["facts"]}, WheelFacts) for w in wheels]


def read_metadata(wheel: Path) -> bytes:
    """Return the METADATA file of a wheel. Raise InputError when it is no readable wheel."""
    import zipfile
    import zlib

    try:
        with zipfile.ZipFile(wheel) as archive:
            names = [n for n in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", n)]
            if len(names) != 1:
                raise InputError(f"{wheel.name} holds {len(names)} METADATA files instead of one.", remedy=_REMEDY)
            return archive.read(names[0])
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise InputError(f"{wheel.name} is not a readable wheel ({error}).", remedy=_REMEDY) from error


_REMEDY = "Remove it, then build it again; `invoke audit` says more about a wheel."


def _entry(wheel: Path, known: dict[str, dict[str, object]] | None) -> dict[str, dict[str, object]]:
    stat = wheel.stat()
    stamp: dict[str, object] = {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns, "inode": stat.st_ino}
    if known is not None and known["stamp"] == stamp:
        return known
    from email.parser import BytesHeaderParser

    metadata = read_metadata(wheel)
    facts: dict[str, object] = {
        "size": stat.st_size,
        "sha256": sha256_file(wheel),
        "metadata_sha256": sha256_bytes(metadata),
        "requires_python": str(BytesHeaderParser().parsebytes(metadata).get("Requires-Python", "")),
    }
    return {"stamp": stamp, "facts": facts}


def _read_notebook(path: Path) -> dict[str, dict[str, dict[str, object]]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {str(k): v for k, v in content.items() if set(v) == {"stamp", "facts"}}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}
