"""The file name of a wheel as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.tags import Tag
    from packaging.version import Version


@dataclass(frozen=True, kw_only=True)
class FileName:
    """What the file name of a wheel says."""

    name: str
    version: Version
    tags: frozenset[Tag]


def parse_file_name(name: str) -> FileName | None:
    """Return what the name says, or None when it is not a wheel's."""
    from packaging.utils import parse_wheel_filename

    try:
        project, version, _, tags = parse_wheel_filename(name)
    except ValueError:
        return None
    return FileName(name=str(project), version=version, tags=tags)
