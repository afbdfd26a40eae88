"""What the command line said about a build; light to import, because every run needs it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from recipes.spec.target import BuildOptions
from wheelhouse.errors import UsageError, nearest

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://|[\w.-]+@[\w.-]+:", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the command line said about one build; `target` ("windows-arm64") beats `arch` ("arm64")."""

    recipe: str
    target: str = ""
    arch: str = ""
    options: BuildOptions


def options_from(
    *, pythons: Sequence[str] = (), ort: str = "", ort_home: str = "", source_mirror: str = "", jobs: int = 0
) -> BuildOptions:
    """Return the options. Raise UsageError for an unknown --ort, or --ort together with --ort-home."""
    folder = Path(source_mirror).expanduser()
    mirror = str(folder.resolve()) if source_mirror and folder.is_dir() else source_mirror
    if mirror and not folder.is_dir() and not _ADDRESS.match(mirror):
        raise UsageError(
            f"--source-mirror {source_mirror}: there is no such folder.",
            remedy="Give a folder with OWNER/NAME below it, or an address such as https://mirror.example.",
        )
    if ort_home:
        if ort:
            raise UsageError("--ort and --ort-home exclude each other.", remedy="Give one of them.")
        home = Path(ort_home).expanduser().resolve()
        return BuildOptions(pythons=tuple(pythons), ort="given", ort_home=home, source_mirror=mirror, jobs=jobs)
    if ort not in {"", "build", "published"}:
        raise UsageError(f"There is no --ort '{ort}'. {nearest(ort, ('build', 'published'))}")
    origin: Literal["build", "published"] = "published" if ort == "published" else "build"
    return BuildOptions(pythons=tuple(pythons), ort=origin, source_mirror=mirror, jobs=jobs)
