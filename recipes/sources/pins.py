"""What was learnt on first fetch: commits, declarations, hashes; kept in the recipe's lock and verified ever after."""

from __future__ import annotations

from pathlib import Path, PurePath

import msgspec

from recipes.sources import lock as locks
from recipes.sources.lock import Lock, LockedArchive, LockedDependency, LockedSource
from recipes.spec.file_and_line import place_of
from wheelhouse.console import say
from wheelhouse.errors import IntegrityError, UsageError, nearest
from wheelhouse.file_locks import locked


class Pins:
    """The lock of one recipe; the questions never write, `learn_…` writes what is new and refuses a contradiction."""

    def __init__(self, recipe_file: Path) -> None:
        self.recipe_file, self.recipe = recipe_file, recipe_file.stem
        self.file = locks.file_of(recipe_file)

    def commit(self, repository: str, tag: str) -> str | None:
        """Return the commit that is recorded for a tag, or None."""
        return next((s.commit for s in self.read().source if (s.repository, s.tag) == (repository, tag)), None)

    def sha256(self, url: str) -> str | None:
        """Return the hash that is recorded for an address, or None."""
        return next((a.sha256 for a in self.read().archive if a.url == url), None)

    def learn_source(self, repository: str, tag: str, commit: str, submodules: dict[str, str] | None = None) -> None:
        """Record the commit behind a tag. Raise IntegrityError when another is recorded: the tag has moved."""
        self._refuse_other(f"{repository} tag {tag}", commit, self.commit(repository, tag), tag)
        self._add("source", LockedSource(repository=repository, tag=tag, commit=commit, submodules=submodules or {}))

    def learn_archive(self, url: str, sha256: str) -> None:
        """Record the hash of what an address delivered. Raise IntegrityError when another is recorded."""
        self._refuse_other(url, sha256, self.sha256(url), url)
        self._add("archive", LockedArchive(url=url, sha256=sha256))

    def learn_dependency(self, found: LockedDependency) -> None:
        """Record what upstream declares. Raise IntegrityError when something else is recorded."""
        for known in self.read().dependency:
            if (known.of, known.name) == (found.of, found.name):
                what = f"{found.name} in {found.table} of {found.of}"
                for new, old in ((found.origin, known.origin), (found.upstream_sha1, known.upstream_sha1)):
                    self._refuse_other(what, new, old, found.name)
        self._add("dependency", found)

    def learn_api_version(self, version: int) -> None:
        """Record ORT_API_VERSION of the locked header. Raise IntegrityError when another is recorded."""
        known = self.read().api_version
        if known is not None:
            self._refuse_other("ORT_API_VERSION", str(version), str(known), "all")
        with locked(self.file):
            locks.write(self.file, msgspec.structs.replace(self.read(), api_version=version))

    def forget(self, name: str) -> int:
        """Remove the entries of that name ("all": everything), return how many. Raise UsageError for an unknown one."""
        with locked(self.file):
            old = self.read()
            keep = Lock(format=locks.FORMAT, recipe=self.recipe, checksum=old.checksum)
            if name != "all":
                keep = msgspec.structs.replace(
                    old,
                    source=tuple(s for s in old.source if name not in _names(s)),
                    dependency=tuple(d for d in old.dependency if name not in _names(d)),
                    archive=tuple(a for a in old.archive if name not in _names(a) | _names_by(old, a)),
                )
            gone = _size(old) - _size(keep)
            if not gone:
                known = {n for part in (old.source, old.dependency) for entry in part for n in _names(entry)}
                raise UsageError(f"{self.file.name} has no '{name}'. {nearest(name, known)}".rstrip())
            if any(name in _names(s) for s in old.source):
                keep = msgspec.structs.replace(keep, api_version=None)
            locks.write(self.file, keep)
            return gone

    def read(self) -> Lock:
        """Return the lock, an empty one when there is none yet. Raises as `lock.read` does."""
        empty = Lock(format=locks.FORMAT, recipe=self.recipe, checksum="0" * 64)
        return locks.read(self.file, self.recipe) or empty

    def _refuse_other(self, what: str, new: str, old: str | None, name: str) -> None:
        if old is None or old == new:
            return
        place = PurePath(place_of([self.file], old)).name or self.file.name
        raise IntegrityError(
            f"{what} is now {new}, but {old} was recorded in {place}: it has moved.",
            remedy=f"If upstream moved it on purpose: `invoke lock --recipe {self.recipe} --upgrade {name}`.",
        )

    def _add(self, part: str, entry: LockedSource | LockedDependency | LockedArchive) -> None:
        with locked(self.file):
            lock = self.read()
            there = getattr(lock, part)
            if entry in there:
                return
            locks.write(self.file, msgspec.structs.replace(lock, **{part: (*there, entry)}))
        say(f"{_told(entry)}: recorded in {self.file.name}, verified from now on")


def _told(entry: LockedSource | LockedDependency | LockedArchive) -> str:
    if isinstance(entry, LockedSource):
        return f"{entry.repository} tag {entry.tag} is {entry.commit}"
    if isinstance(entry, LockedDependency):
        return f"{entry.name} of {entry.of} is {entry.origin}"
    return f"{entry.url} has SHA-256 {entry.sha256}"


def _names(entry: LockedSource | LockedDependency | LockedArchive) -> set[str]:
    if isinstance(entry, LockedSource):
        return {entry.tag, entry.repository, entry.repository.rstrip("/").removesuffix(".git").rpartition("/")[2]}
    return {entry.name} if isinstance(entry, LockedDependency) else {entry.url}


def _names_by(lock: Lock, archive: LockedArchive) -> set[str]:
    """The dependencies that an archive belongs to."""
    return {d.name for d in lock.dependency if d.origin == archive.url}


def _size(lock: Lock) -> int:
    return len(lock.source) + len(lock.dependency) + len(lock.archive)
