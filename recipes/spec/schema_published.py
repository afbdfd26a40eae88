"""What the published part of a recipe may say: wheels taken over by hash, and what is changed in which of them."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, field

from recipes.spec.schema_parts import Part, TargetName
from wheelhouse.strict_toml import PythonVersion, Sha256


class Artifact(Part, frozen=True, kw_only=True):
    """One published wheel on PyPI."""

    package: str
    version: str
    filename: str
    sha256: Sha256
    python: str = "py3"
    """The python tag: 'cp312', or 'py3'."""
    platform: str = "any"


class Dropped(Part, frozen=True, kw_only=True):
    """Files of the published wheels that ours leave out; a wheel for one platform may lack some of them anyway."""

    files: Annotated[tuple[str, ...], Meta(min_length=1)]
    reason: Annotated[str, Meta(min_length=10)]


class Added(Part, frozen=True, kw_only=True):
    """A file that another pinned wheel lends."""

    package: str
    """Which of `[[published.donors]]`."""
    file: str
    """Its path in the donor, and in our wheel."""
    platforms: tuple[str, ...] = ()
    """The platform tags that get it; empty: all."""
    licence_files: Annotated[tuple[str, ...], Meta(min_length=1)]
    """Paths in the donor: what its licence asks to go along."""
    reason: Annotated[str, Meta(min_length=10)]


class Edited(Part, frozen=True, kw_only=True):
    """A text in a text file that would be untrue in our wheel: it stands there once, and is replaced."""

    file: str
    was: Annotated[str, Meta(min_length=1)]
    now: str
    reason: Annotated[str, Meta(min_length=10)]


class Origin(Part, frozen=True, kw_only=True):
    """The sources that the binaries say they were compiled from; the audit compares what they say with this."""

    name: str
    """The project, as 'onnxruntime'."""
    repository: str
    commit: Annotated[str, Meta(pattern="^[0-9a-f]{10,40}$")]
    """As much of it as the binaries tell."""


class Repack(Part, frozen=True, kw_only=True):
    """What is changed when a published wheel is packed again, and why. What is not named here stays as it is."""

    package: str
    name: str = ""
    """The new name; empty: the old one."""
    version: str = ""
    """The new public version; empty: the old one. The local version is added to it."""
    local_version: Annotated[str, Meta(pattern="^[a-z0-9]+([.][a-z0-9]+)*$")]
    requires: tuple[str, ...] = ()
    """Requirements in place of those of the same packages."""
    extras: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Further extras, each with its requirements."""
    requires_python: str = ""
    """In place of the published one; empty: that one."""
    reason: Annotated[str, Meta(min_length=10)]
    licence: str
    """SPDX expression of the binaries' licence."""
    licence_files: tuple[str, ...]
    """Paths inside the published wheel that must stay readable beside the metadata."""
    origin: Origin | None = None
    drop: tuple[Dropped, ...] = ()
    add: tuple[Added, ...] = ()
    edit: tuple[Edited, ...] = ()
    as_published: tuple[str, ...] = ()
    """What inside still goes by an older name or number, in sentences: it is listed rather than changed."""


class Proof(Part, frozen=True, kw_only=True):
    """What was really run of the wheels for a target."""

    run: Annotated[str, Meta(min_length=5)]
    """As 'where: what'; 'not run: why' when nothing was, which is said wherever such a wheel shows."""
    pythons: tuple[PythonVersion, ...] = ()
    """The Pythons that it was run with, so that the other wheels say that they were not; empty: all."""


class Published(Part, frozen=True, kw_only=True):
    """The published lane: wheels taken over by hash, of which some are packed again with right metadata."""

    artifacts: tuple[Artifact, ...]
    donors: tuple[Artifact, ...] = ()
    """Wheels that only lend files to others."""
    repack: tuple[Repack, ...] = ()
    proof: dict[TargetName, Proof] = field(default_factory=dict)
    source_date_epoch: int = 0
    """Seconds since 1970 for the timestamps inside repacked wheels."""

    def __post_init__(self) -> None:
        known = {a.package for a in self.artifacts}
        lent = {donor.package for donor in self.donors}
        for rule in self.repack:
            if rule.package not in known:
                raise ValueError(f"repack is about '{rule.package}', which is no artifact here")
            for added in rule.add:
                if added.package not in lent:
                    raise ValueError(f"'{added.file}' is to come from '{added.package}', which is no donor here")
