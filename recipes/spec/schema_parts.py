"""What all parts of a recipe are made of: the base of the structures, and the types of single values."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

LocalVersion = Annotated[str, Meta(pattern="^([a-z0-9]+([.][a-z0-9]+)*)?$")]
Commit = Annotated[str, Meta(pattern="^[0-9a-f]{40}$", description="full git commit")]
TargetName = Literal["windows-x64", "windows-arm64", "linux-x64", "linux-arm64"]
OsName = Literal["windows", "linux"]


class Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """Base of all parts: immutable, keywords only, unknown keys refused; TOML keys use hyphens."""
