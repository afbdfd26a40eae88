"""The files of a wheel that is packed again: what is kept, left out, added from a donor, or corrected."""

from __future__ import annotations

import configparser
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from recipes.bill.licence_order import in_one_order
from recipes.wheels.pieces import Piece, new, recorded, taken, write_wheel
from recipes.wheels.repack import Change, Repacking, for_machines, for_people, render_project
from recipes.wheels.repack_metadata import mended
from wheelhouse.errors import IntegrityError, RecipeError
from wheelhouse.files import write_atomic

REBUILT_BY_THE_BACKEND = frozenset({"METADATA", "WHEEL", "RECORD", "entry_points.txt"})


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A published wheel, opened for packing it again: its package's files, its `.dist-info`, what was changed."""

    payload: Mapping[str, Piece]
    dist_info: Mapping[str, Piece]
    licences: Mapping[str, Piece]
    changes: tuple[Change, ...]


def open_wheel(repacking: Repacking, source: Path, donors: Mapping[str, Path]) -> Opened:
    """Return what the new wheel will hold, from the published wheel and the donors (package to file).

    Raise IntegrityError when a wheel contradicts itself, RecipeError when the recipe does not fit it.
    """
    pieces = taken(source, repacking.artifact.package)
    folder = _dist_info(source, pieces)
    old = {n.removeprefix(f"{folder}/"): p for n, p in pieces.items() if n.startswith(f"{folder}/")}
    kept = {n: p for n, p in pieces.items() if not n.startswith(f"{folder}/")}
    licences = dict(_licences(repacking, kept, old))
    changes: list[Change] = []
    _drop(repacking, kept, changes)
    lent = {package: taken(path, package) for package, path in donors.items()}
    _add(repacking, kept, lent, licences, changes)
    _edit(repacking, kept, changes)
    ordered = {name: kept[name] for name in sorted(kept)}
    return Opened(payload=ordered, dist_info=old, licences=licences, changes=tuple(changes))


def content_of(piece: Piece) -> bytes:
    """Return the content of a small file."""
    if piece.source is None:
        return piece.content
    import zlib

    with piece.source.open("rb") as stream:
        stream.seek(piece.offset)
        packed = stream.read(piece.packed)
    return packed if piece.method == zipfile.ZIP_STORED else zlib.decompress(packed, -zlib.MAX_WBITS)


def write_project(repacking: Repacking, opened: Opened, project: Path) -> tuple[Change, ...]:
    """Write the scikit-build-core project that becomes the new wheel's metadata; return all that is changed."""
    fields, changes = mended(content_of(opened.dist_info["METADATA"]), repacking)
    changes = (*changes, *opened.changes)
    points = _entry_points(opened.dist_info.get("entry_points.txt"))
    fields |= {"licence_files": sorted(opened.licences), "entry_points": points, "payload": False}
    write_atomic(project / "pyproject.toml", render_project(fields))
    write_atomic(project / "README.md", fields["readme"].rstrip("\n") + "\n\n" + for_people(repacking, changes))
    for name, piece in opened.licences.items():
        write_atomic(project / name, content_of(piece))
    return changes


def assemble(
    repacking: Repacking,
    opened: Opened,
    packed: Path,
    target: Path,
    texts: Mapping[str, str],
    changes: tuple[Change, ...],
) -> None:
    """Write the new wheel: the package's files, and `.dist-info` as the backend `packed` it, with `texts` besides."""
    made = taken(packed, repacking.name)
    folder = _dist_info(packed, made)
    info = {n.removeprefix(f"{folder}/"): p for n, p in made.items()}
    extra = {n: p for n, p in opened.dist_info.items() if n not in REBUILT_BY_THE_BACKEND and "/" not in n}
    record = json.dumps(for_machines(repacking, changes, opened.payload), indent=1) + "\n"
    written = {"dml-wheelhouse.json": record, "dml-wheelhouse.txt": for_people(repacking, changes), **texts}
    known = {p.sha256: p for p in [*opened.licences.values(), *opened.dist_info.values()]}
    # Stored rather than compressed by this machine's zlib, unless a published wheel has the very file compressed.
    parts = {n: known.get(p.sha256) or new(content_of(p)) for n, p in info.items() if n != "RECORD"}
    parts["METADATA"] = new(in_one_order(content_of(info["METADATA"])))
    parts |= extra | {name: new(text.encode()) for name, text in written.items()}
    pieces = dict(opened.payload) | {f"{folder}/{n}": parts[n] for n in sorted(parts)}
    lines = [f"{_quoted(n)},{recorded(p)},{p.size}\n" for n, p in pieces.items()]
    pieces[f"{folder}/RECORD"] = new("".join([*lines, f"{folder}/RECORD,,\n"]).encode())
    write_wheel(target, pieces, repacking.epoch)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if any(c in name for c in ',"') else name


def _dist_info(wheel: Path, pieces: Mapping[str, Piece]) -> str:
    found = {n.split("/")[0] for n in pieces if n.split("/")[0].endswith(".dist-info")}
    if len(found) != 1:
        raise IntegrityError(f"{wheel.name} holds {len(found)} .dist-info folders instead of one.")
    if any(n.split("/")[0].endswith(".data") for n in pieces):
        raise RecipeError(
            f"{wheel.name} has a .data folder: wheels that install outside the library cannot be repacked."
        )
    return found.pop()


def _licences(repacking: Repacking, kept: Mapping[str, Piece], old: Mapping[str, Piece]) -> Iterator[tuple[str, Piece]]:
    """Yield the licence files by the name that they get beside the metadata."""
    for name in repacking.rule.licence_files:
        if name not in kept:
            raise RecipeError(f"{repacking.artifact.filename} has no {name}, which the recipe names as a licence file.")
        yield name.rpartition("/")[2], kept[name]
    for name, piece in old.items():
        if name.startswith("licenses/"):
            yield name.removeprefix("licenses/"), piece


def _drop(repacking: Repacking, kept: dict[str, Piece], changes: list[Change]) -> None:
    for dropped in repacking.rule.drop:
        gone = [name for name in dropped.files if kept.pop(name, None) is not None]
        changes += [Change(field=f"File {n}", was="published", now="left out", reason=dropped.reason) for n in gone]


def _add(
    repacking: Repacking,
    kept: dict[str, Piece],
    lent: Mapping[str, Mapping[str, Piece]],
    licences: dict[str, Piece],
    changes: list[Change],
) -> None:
    for added in repacking.added:
        donor = repacking.donors[added.package]
        missing = [n for n in (added.file, *added.licence_files) if n not in lent[added.package]]
        if missing:
            raise RecipeError(f"{donor.filename} has no {missing[0]}, which the recipe takes from it.")
        if added.file in kept:
            raise RecipeError(f"{repacking.artifact.filename} has {added.file} already; the recipe adds it.")
        kept[added.file] = lent[added.package][added.file]
        for name in added.licence_files:
            licences[f"{donor.package}-{donor.version}/{name.rpartition('/')[2]}"] = lent[added.package][name]
        now = f"from {donor.filename}, SHA-256 {kept[added.file].sha256}"
        changes.append(Change(field=f"File {added.file}", was="", now=now, reason=added.reason))


def _edit(repacking: Repacking, kept: dict[str, Piece], changes: list[Change]) -> None:
    for edit in repacking.rule.edit:
        if edit.file not in kept:
            raise RecipeError(f"{repacking.artifact.filename} has no {edit.file}, which the recipe corrects.")
        text = content_of(kept[edit.file])
        if text.count(edit.was.encode()) != 1:
            count = text.count(edit.was.encode())
            raise RecipeError(
                f"'{edit.was}' stands {count} times in {edit.file} of {repacking.artifact.filename}, not once."
            )
        kept[edit.file] = new(text.replace(edit.was.encode(), edit.now.encode()))
        changes.append(Change(field=f"Text in {edit.file}", was=edit.was, now=edit.now, reason=edit.reason))


def _entry_points(piece: Piece | None) -> dict[str, dict[str, str]]:
    """Return group to name to target of an entry_points.txt; nothing when there is no such file."""
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign] # names of entry points are case-sensitive
    if piece is not None:
        parser.read_string(content_of(piece).decode())
    return {section: dict(parser[section]) for section in parser.sections()}
