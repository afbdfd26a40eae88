"""Finding the dumps that a user names, and refusing those that cannot be laid beside each other."""

from __future__ import annotations

import re
import shutil
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from smoke.parity import dumps
from smoke.parity.dumps import Dump, DumpError
from smoke.running import records
from smoke.running.records import RunRecord
from wheelhouse.errors import InputError

MOST = 200
"""Dumps in one folder or archive."""
_LARGEST_JSON = 64 << 20
_LARGEST = 64 << 30
_MEMBER = re.compile(r"(?:[^/\\:]+/){0,3}(shard\.json|run\.json|dump\.json|logits-\d{1,4}\.safetensors)")
REMEDY = "`invoke smoke --dump FOLDER` and the bundles of `invoke bundle` make such folders and archives."


@dataclass(frozen=True, kw_only=True)
class Kept:
    """One dump: where it lies, on which machine it was made (a short name), what was asked, what came out.

    `dump` is None where the worker left none that can be read; then `problem` says why.
    """

    machine: str
    folder: Path
    record: RunRecord
    dump: Dump | None
    problem: str = ""


def find(given: Sequence[Path], work: Path) -> list[list[Kept]]:
    """Return the dumps below each of the given folders and archives, which are unpacked in `work`.

    Raise InputError for one that holds none, and for what cannot be compared with the first.
    """
    labels = _labels(given)
    groups = [
        _below(path, label, work / str(number)) for number, (path, label) in enumerate(zip(given, labels, strict=True))
    ]
    everything = [kept for group in groups for kept in group]
    for kept in everything[1:]:
        _require_alike(everything[0], kept)
    return groups


def _labels(given: Sequence[Path]) -> list[str]:
    """Return a short name for each: the last part of its path, the part before it where those are equal."""
    names = [path.resolve().stem if path.is_file() else path.resolve().name for path in given]
    if len(set(names)) < len(names):
        names = [f"{path.resolve().parent.name}-{name}" for path, name in zip(given, names, strict=True)]
    return [name if names.count(name) == 1 else f"{name}-{number}" for number, name in enumerate(names, 1)]


def _below(path: Path, label: str, work: Path) -> list[Kept]:
    if path.is_file():
        _unpack(path, work)
        path = work
    elif not path.is_dir():
        raise InputError(f"{path} does not exist.", remedy=REMEDY)
    found = sorted({file.parent for name in (records.NAME, "dump.json") for file in _files(path, name)})
    if not found:
        raise InputError(f"There is no dump in {path}.", remedy=REMEDY)
    if len(found) > MOST:
        raise InputError(f"{path} holds {len(found)} dumps; {MOST} are the most.")
    return [_read(folder, label) for folder in found]


def _files(path: Path, name: str) -> list[Path]:
    """Return the files of that name in a folder and two levels below it."""
    return [file for pattern in (name, f"*/{name}", f"*/*/{name}") for file in path.glob(pattern)]


def _read(folder: Path, label: str) -> Kept:
    for file in (folder / records.NAME, folder / "dump.json"):
        if file.is_file() and file.stat().st_size > _LARGEST_JSON:
            raise InputError(f"{file} is too large for a dump.", remedy=REMEDY)
    try:
        record = records.read(folder)
    except DumpError as error:
        raise InputError(f"The dump in {folder} cannot be used: {error}.", remedy=REMEDY) from None
    try:
        return Kept(machine=label, folder=folder, record=record, dump=_dump(folder, record))
    except DumpError as error:
        return Kept(machine=label, folder=folder, record=record, dump=None, problem=str(error))


def _dump(folder: Path, record: RunRecord) -> Dump:
    return dumps.read(folder, prompts=len(record.messages), answers=not record.scored_only)


def _require_alike(first: Kept, other: Kept) -> None:
    """Raise InputError where two dumps are not of the same model, prompts and golden answers."""
    a, b = first.record, other.record
    goldens = [answered(kept) for kept in (first, other)]
    if a.model.key != b.model.key:
        unlike = f"of another model: {b.model.name} ({b.model.key[:12]}), not {a.model.name} ({a.model.key[:12]})"
    elif a.messages != b.messages or a.max_new_tokens != b.max_new_tokens:
        unlike = "of other prompts, or of answers of another length"
    elif goldens[0] and goldens[1] and goldens[0] != goldens[1]:
        unlike = "of another tokenizer, or follows other answers of the reference"
    else:
        return
    raise InputError(
        f"The dump in {other.folder} cannot be compared with that in {first.folder}: it is {unlike}.",
        remedy="Make both from one `invoke smoke --dump FOLDER`, or from bundles of one `invoke bundle`.",
    )


def answered(kept: Kept) -> str:
    """Return the fingerprint of the golden answers that a dump follows; "" where it is not known."""
    if kept.record.golden or kept.dump is None:
        return kept.record.golden
    return records.fingerprint(kept.dump)


def _unpack(archive: Path, work: Path) -> None:
    """Unpack a dump's files, and nothing else, out of a zip archive. Raise InputError."""
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [member for member in opened.infolist() if not member.is_dir()]
            known = [(member, _MEMBER.fullmatch(member.filename)) for member in members]
            wanted = [member for member, match in known if match and ".." not in PurePosixPath(member.filename).parts]
            if len(wanted) > MOST * 100 or sum(member.file_size for member in wanted) > _LARGEST:
                raise InputError(f"{archive} is too large for an archive of dumps.")
            for member in wanted:
                target = work / member.filename
                target.parent.mkdir(parents=True, exist_ok=True)
                with opened.open(member) as source, target.open("wb") as sink:
                    shutil.copyfileobj(source, sink, 1 << 20)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError, zlib.error) as error:
        raise InputError(f"{archive} is not a whole zip archive ({error}).", remedy=REMEDY) from error
    work.mkdir(parents=True, exist_ok=True)
