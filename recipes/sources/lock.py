"""The lock beside a recipe: what its request came to on first fetch, verified ever after, written by the program only.

`NAME.lock.toml` is sorted, ends its lines with \\n everywhere and carries a checksum over its content, so that it can
be committed and compared, and an edit by hand is noticed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field

from recipes.spec.file_and_line import with_lines
from recipes.spec.schema_parts import Commit, Part
from wheelhouse import strict_toml
from wheelhouse.errors import InputError, RecipeError
from wheelhouse.files import sha256_bytes, write_atomic
from wheelhouse.strict_toml import Sha256

FORMAT = 1
HEAD = "# Written by `invoke lock` and on first fetch; do not edit. `invoke lock --upgrade NAME` records anew.\n"


class LockedSource(Part, frozen=True, kw_only=True):
    """A repository: the commit behind the tag that the recipe asks for, and those of its submodules by path."""

    repository: str
    tag: str
    commit: Commit
    submodules: dict[str, Commit] = field(default_factory=dict)


class LockedDependency(Part, frozen=True, kw_only=True):
    """What a file of `of`, a source or a dependency, declared as `name` at that commit."""

    of: str
    name: str
    table: str
    origin: str
    """The address of an archive, or REPOSITORY at REVISION."""
    upstream_sha1: str = ""
    """Upstream's own, which the archive was checked against."""


class LockedArchive(Part, frozen=True, kw_only=True):
    """A downloaded file by its content."""

    url: str
    sha256: Sha256


class Lock(Part, frozen=True, kw_only=True):
    """The whole record of one recipe."""

    format: int
    recipe: str
    checksum: Sha256
    api_version: int | None = None
    """ORT_API_VERSION of the header in the locked commit."""
    source: tuple[LockedSource, ...] = ()
    dependency: tuple[LockedDependency, ...] = ()
    archive: tuple[LockedArchive, ...] = ()


def file_of(recipe_file: Path) -> Path:
    """Return the place of a recipe's lock."""
    return recipe_file.with_suffix(".lock.toml")


def read(file: Path, recipe: str) -> Lock | None:
    """Return the lock in `file`, or None when there is none yet.

    Raises InputError: another recipe's lock, a newer format, edited by hand; RecipeError where it cannot be decoded.
    """
    if not file.exists():
        return None
    remedy = f"Restore it (`git checkout -- {file.name}`), or remove it and run `invoke lock`."
    found = _raw(file, remedy).get("format")
    if isinstance(found, int) and found > FORMAT:
        raise InputError(
            f"{_at(file, 'format')}: it has format {found}, and this program knows {FORMAT}.",
            remedy="Update this program (`git pull`), or remove the file and run `invoke lock`.",
        )
    lock = _decoded(file, remedy)
    if lock.recipe != recipe:
        raise InputError(f"{_at(file, 'recipe')}: it is the lock of recipe '{lock.recipe}'.", remedy=remedy)
    if lock.checksum != checksum(lock):
        raise InputError(
            f"{_at(file, 'checksum')}: the content has another checksum ({checksum(lock)[:12]}…): it was edited.",
            remedy=remedy,
        )
    return lock


def _raw(file: Path, remedy: str) -> dict[str, Any]:
    try:
        return strict_toml.read(file)
    except (InputError, RecipeError) as error:
        raise type(error)(error.message, remedy=remedy) from error


def _decoded(file: Path, remedy: str) -> Lock:
    try:
        with with_lines([file]):
            return strict_toml.load(file, Lock)
    except RecipeError as error:
        raise RecipeError(error.message, remedy=remedy) from error


def write(file: Path, lock: Lock) -> None:
    """Write a lock with its checksum, unless the file says the same already."""
    text = to_text(msgspec.structs.replace(lock, checksum=checksum(lock)))
    if not file.exists() or file.read_text(encoding="utf-8") != text:
        write_atomic(file, text)


def checksum(lock: Lock) -> str:
    """Return the SHA-256 over everything in a lock but the checksum itself."""
    return sha256_bytes(to_text(msgspec.structs.replace(lock, checksum="")).encode())


def to_text(lock: Lock) -> str:
    """Return the lock as TOML: sorted, one value a line."""
    head = [f"format = {lock.format}", f"recipe = {value_text(lock.recipe)}", f"checksum = {value_text(lock.checksum)}"]
    head += [f"api-version = {lock.api_version}"] if lock.api_version is not None else []
    blocks = [
        *(("source", entry) for entry in sorted(lock.source, key=lambda s: (s.repository, s.tag))),
        *(("dependency", entry) for entry in sorted(lock.dependency, key=lambda d: (d.of, d.name))),
        *(("archive", entry) for entry in sorted(lock.archive, key=lambda a: a.url)),
    ]
    return HEAD + "\n".join([*head, *(line for name, entry in blocks for line in block(name, entry))]) + "\n"


def block(name: str, entry: Struct) -> Iterable[str]:
    """Yield an entry of an array of tables; what is empty is left out."""
    yield ""
    yield f"[[{name}]]"
    for key, value in msgspec.to_builtins(entry).items():
        if value:
            yield f"{key} = {value_text(value)}"


def value_text(value: object) -> str:
    """Return a text, number, boolean or table of them as TOML."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{value_text(k)} = {value_text(v)}" for k, v in sorted(value.items())) + " }"
    return json.dumps(value, ensure_ascii=False)


def _at(file: Path, key: str) -> str:
    lines = file.read_text(encoding="utf-8").splitlines()
    number = next((n for n, line in enumerate(lines, start=1) if line.startswith(key)), 1)
    return f"{file}:{number}"
