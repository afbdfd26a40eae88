"""What a recipe may say about things that are fetched: repositories, archives, and what upstream's own tables name."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Annotated

from msgspec import Meta, field

from recipes.spec.schema_parts import Commit, Part, TargetName
from wheelhouse.strict_toml import Inside, Sha256

REVISION = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._/+@-]*[A-Za-z0-9_+-])?")
"""What a tag or commit may be called, so that it is never taken for an option."""


class Patch(Part, frozen=True, kw_only=True):
    """A change to a source; `file` is below third_party/patches/, `reason` says why we need it."""

    file: Inside
    reason: Annotated[str, Meta(min_length=10)]


class Source(Part, frozen=True, kw_only=True):
    """A git repository at one commit. With `tag` alone the commit is recorded on first fetch, then verified."""

    repository: str
    commit: Commit | None = None
    tag: str | None = None
    submodules: tuple[str, ...] = ()
    sparse: tuple[str, ...] = ()
    """Patterns as in .gitignore that choose what is checked out; empty: everything."""
    patches: tuple[Patch, ...] = ()

    built_as: Annotated[str, Meta(pattern="^([0-9a-f]{7,40})?$")] = ""
    """The commit that a published binary of this version names in itself: a lock that says another is told so."""

    def __post_init__(self) -> None:
        if self.commit is None and self.tag is None:
            raise ValueError("a source needs a commit or, where the commit is not known yet, a tag")
        if self.tag is not None and not REVISION.fullmatch(self.tag):
            raise ValueError(f"'{self.tag}' is no tag")
        if self.repository.startswith(("-", "http://", "git://", "ftp://")):
            raise ValueError(f"'{self.repository}' is not fetched over https, nor a folder")

    @property
    def pin(self) -> str:
        """What identifies the content: the commit, or the tag as long as no commit is known."""
        return self.commit or f"tag {self.tag}"


class Dependency(Part, frozen=True, kw_only=True):
    """Something that upstream's CMake would download while configuring; we fetch it first and hand it over.

    `name` is the FetchContent name. Its origin is one of three: a `source`, a `url` (an archive, with `sha256`, or
    recorded on first fetch), or `declared-in`, a file of upstream's that says so itself at the pinned commit.
    """

    name: Annotated[str, Meta(pattern="^[A-Za-z0-9_]+$")]
    source: Source | None = None
    url: str | None = None
    declared_in: str | None = None
    """'cmake/deps.txt', CMake code with FetchContent_Declare, or packages.config; 'OTHER:file' is in the dependency
    OTHER, which must come before."""
    entry: str = ""
    """The name there, where it is another than `name`."""
    sha256: Sha256 | None = None
    targets: tuple[TargetName, ...] = ()
    """The targets that need it; empty: all."""
    when: str = ""
    """The build flag, or the CMake define that is ON, without which it is not needed."""
    take: dict[Inside, Inside] = field(default_factory=dict)
    """What is taken over of an archive, path inside to place; {arch} is x64 or arm64. Empty: all of it."""
    option: str = ""
    """The option of build.py that takes the folder; empty: FETCHCONTENT_SOURCE_DIR_<NAME>."""
    install: bool = False
    """Whether it is installed with CMake into the prefix that the Python module is compiled against (pybind11)."""
    cmake_defines: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if sum(origin is not None for origin in (self.source, self.url, self.declared_in)) != 1:
            raise ValueError(f"dependency '{self.name}' needs one of source, url and declared-in")

    def needed_for(self, target: str, switches: Collection[str] = ()) -> bool:
        """Whether a build for this target downloads it; `switches` are its flags, and its defines that are ON."""
        return (not self.targets or target in self.targets) and (not self.when or self.when in switches)

    @property
    def parent(self) -> str:
        """The dependency whose checkout declares it; empty for the project itself."""
        return (self.declared_in or "").rpartition(":")[0]

    @property
    def table(self) -> str:
        """The file that declares it, relative to that checkout."""
        return (self.declared_in or "").rpartition(":")[2]


def require_unique(dependencies: Collection[Dependency]) -> None:
    """Raise ValueError for two dependencies of one name."""
    names = [dependency.name for dependency in dependencies]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"there are two dependencies called '{twice[0]}'")
