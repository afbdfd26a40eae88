"""What a wheel was made from, as data: the types that the SBOM and the provenance record are written from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Source:
    """A repository that was compiled: its URL, the full commit, the tag or version it is known by."""

    name: str
    url: str
    commit: str
    version: str = ""
    licence: str = ""


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A published file that went into the wheel; `purl` as in pkg:pypi/NAME@VERSION where a registry carries it."""

    name: str
    version: str
    filename: str
    sha256: str
    url: str = ""
    purl: str = ""
    licence: str = ""


@dataclass(frozen=True, kw_only=True)
class Patch:
    """A change to a source or artifact (`applies_to` is its name): the patch file, its SHA-256, why it is needed."""

    applies_to: str
    file: str
    sha256: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Binary:
    """A PE or ELF file of the wheel: its path there, its SHA-256, the name of the source or artifact it is from."""

    path: str
    sha256: str
    origin: str = ""


@dataclass(frozen=True, kw_only=True)
class Materials:
    """Everything a wheel was made from.

    `licence` is an SPDX expression; `recipe_hash` the SHA-256 of the recipe; `toolchain` maps a tool to its version;
    `inputs` are the step's labelled inputs; `changes` say what was altered, in sentences; `epoch` is SOURCE_DATE_EPOCH
    in seconds.
    """

    name: str
    version: str
    licence: str = ""
    recipe: str
    recipe_hash: str
    sources: tuple[Source, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    patches: tuple[Patch, ...] = ()
    binaries: tuple[Binary, ...] = ()
    toolchain: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    changes: tuple[str, ...] = ()
    epoch: int
