"""Dependencies by upstream's own word: read in its files at the pinned commit, compared with the lock, checked.

The archives of a whole table go to `mirror/` in the checkout, below their addresses: ONNX Runtime's CMake looks there
before it downloads.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePath
from shutil import copyfile

import msgspec

from recipes.sources import tables
from recipes.sources.archives import fetch_archive
from recipes.sources.checkout import source_name
from recipes.sources.dependencies import Project
from recipes.sources.lock import LockedDependency
from recipes.sources.pins import Pins
from recipes.sources.tables import Declaration
from recipes.spec.fetched import Dependency, Source
from recipes.spec.file_and_line import blamed
from recipes.spec.schema import OnnxRuntime
from wheelhouse.console import warn
from wheelhouse.errors import RecipeError
from wheelhouse.files import write_atomic

MIRROR = "mirror"
"""The folder of ONNX Runtime's checkout in which its CMake looks for an archive, below host and path."""


def resolve(project: Project, dependency: Dependency, pins: Pins, *, mirror: str = "") -> Dependency:
    """Return the dependency with the address that upstream declares, which is recorded or must be the recorded one.

    Raises InputError (not declared, or in a way that cannot be read), RecipeError (its parent comes later),
    IntegrityError (the lock or upstream's SHA-1 says otherwise), NetworkError.
    """
    if dependency.declared_in is None:
        return dependency
    found = declaration_of(project, dependency)
    if found.patch:
        warn(
            f"{found.place}: upstream changes '{found.name}' after unpacking ({' '.join(found.patch)}), which CMake "
            "does not do with sources that it is given: what is compiled is the unchanged one"
        )
    pins.learn_dependency(_locked(project, dependency, found))
    bare = {"declared_in": None, "entry": "", "when": ""}
    if found.repository:
        commit = found.revision if len(found.revision) == 40 else None
        source = Source(
            repository=found.repository.removesuffix(".git"), commit=commit, tag=None if commit else found.revision
        )
        return msgspec.structs.replace(dependency, source=source, **bare)
    _checked(found, dependency.name, pins, mirror)
    return msgspec.structs.replace(dependency, url=found.url, **bare)


def declaration_of(project: Project, dependency: Dependency) -> Declaration:
    """Return what upstream's file says. Raises as `resolve` does."""
    checkout = Path(project.checkout)
    if dependency.parent:
        parents = {d.name: project.folder_of(d) for d in project.needed}
        if dependency.parent not in parents or not Path(parents[dependency.parent]).is_dir():
            raise RecipeError(
                f"'{dependency.name}' is declared in '{dependency.declared_in}', but there is no dependency "
                f"'{dependency.parent}' before it."
            )
        checkout = Path(parents[dependency.parent])
    return tables.find(checkout, dependency.table, dependency.entry or dependency.name)


def fill_mirror(project: Project, pins: Pins, *, mirror: str = "") -> int:
    """Put every archive of the part's table, but those to leave out, where upstream's CMake looks; return how many.

    Raises as `resolve` does.
    """
    part = project.part
    if not isinstance(part, OnnxRuntime) or not part.mirror:
        return 0
    count = 0
    for row in mirrored(project):
        pins.learn_dependency(_record(source_name(part.source), row.name, part.mirror, row))
        with blamed(f"{row.place} of {source_name(part.source)}"):
            archive = _checked(row, row.name, pins, mirror)
        place = Path(project.checkout) / mirror_place(row.url)
        if not place.is_file() or place.stat().st_size != archive.stat().st_size:
            write_atomic(place, b"")
            copyfile(archive, place)
        count += 1
    return count


def mirrored(project: Project) -> Iterator[Declaration]:
    """Yield the archives of the part's table that go to the mirror."""
    part = project.part
    if isinstance(part, OnnxRuntime) and part.mirror:
        for row in tables.declarations(Path(project.checkout), part.mirror).values():
            if row.url and row.name not in part.leave_out:
                yield tables.find(Path(project.checkout), part.mirror, row.name)


def mirror_place(url: str) -> PurePath:
    """Return where upstream's CMake looks for an address, relative to its checkout."""
    return PurePath(MIRROR, *url.removeprefix("https://").strip("/").split("/"))


def _checked(found: Declaration, name: str, pins: Pins, mirror: str) -> Path:
    """Fetch an archive and compare it with upstream's own hash."""
    return fetch_archive(found.url, name, pins, sha256=found.sha256 or None, sha1=found.sha1, mirror=mirror)


def _locked(project: Project, dependency: Dependency, found: Declaration) -> LockedDependency:
    of = dependency.parent or source_name(project.part.source)
    return _record(of, dependency.name, dependency.table, found)


def _record(of: str, name: str, table: str, found: Declaration) -> LockedDependency:
    return LockedDependency(of=of, name=name, table=table, origin=found.origin, upstream_sha1=found.sha1)
