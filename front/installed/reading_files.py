"""What an environment holds of ONNX Runtime and GenAI: distributions, which of them each file is of, libraries."""

from __future__ import annotations

import base64
import csv
import hashlib
import mmap
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import Distribution, distributions
from pathlib import Path, PurePosixPath

from front.installed.environment_layout import Places, child
from recipes.audit.libraries import is_runtime
from recipes.audit.readers.binary import Binary
from recipes.audit.readers.elf import read_elf
from recipes.audit.readers.pe import read_pe
from wheelhouse.files import by_name

MODULES = ("onnxruntime", "onnxruntime_genai")
"""The Python packages that several distributions bring."""
_NATIVE = (".dll", ".pyd", ".so")


@dataclass(frozen=True, kw_only=True)
class Flavour:
    """A distribution that brings one of the packages: `files` of that package, with their SHA-256 (hexadecimal)."""

    module: str
    name: str
    version: str
    files: dict[str, str] = field(default_factory=dict)
    requires: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Name and version."""
        return f"{self.name} {self.version}"


@dataclass(frozen=True, kw_only=True)
class Contents:
    """An environment: its flavours, its native libraries (path to where they lie), the Visual C++ runtime's DLLs.

    `site` is the folder that has the packages, `versions` are those of all distributions there by normalized names:
    one each, unless an installer has left another behind.
    """

    places: Places
    site: Path
    flavours: tuple[Flavour, ...]
    versions: dict[str, tuple[str, ...]]
    libraries: dict[str, Path]
    runtime: dict[str, Path]

    def of(self, module: str) -> tuple[Flavour, ...]:
        """Return the flavours of a package."""
        return tuple(f for f in self.flavours if f.module == module)

    def owner(self, path: str) -> Flavour | None:
        """Return the distribution that a file really is of, by its content; None for one that is nobody's."""
        claims = [f for f in self.flavours if path in f.files]
        if not claims or path not in self.libraries:
            return None
        actual = sha256(self.libraries[path])
        return next((f for f in claims if f.files[path] == actual), None)


def read(places: Places) -> Contents:
    """Read the first packages' folder that has ONNX Runtime or GenAI (or the first of all)."""
    holding = (f for f in places.packages if any((f / module).is_dir() for module in MODULES))
    site = next(holding, places.packages[0])
    found = [d for d in distributions(path=[str(site)]) if d.metadata["Name"]]
    return Contents(
        places=places,
        site=site,
        flavours=tuple(sorted(_flavours(found), key=lambda f: (f.module, f.name))),
        versions=_versions(found),
        libraries={p.relative_to(site).as_posix(): p for module in MODULES for p in _natives(site / module)},
        runtime={p.name.lower(): p for p in reversed(list(_runtime(places, site)))},
    )


def facts(path: str, file: Path) -> Binary:
    """Return what the audit's readers say about a library."""
    if not file.stat().st_size:
        return Binary(path=path, format="pe", problem="is empty")
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return read_pe(path, data) if data[:2] == b"MZ" else read_elf(path, data)


def sha256(file: Path) -> str:
    """Return the SHA-256 of a file."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _normal(name: str) -> str:
    from packaging.utils import canonicalize_name

    return str(canonicalize_name(name))


def _flavours(found: list[Distribution]) -> Iterator[Flavour]:
    for one in found:
        files = _recorded(one)
        for module in MODULES:
            mine = {f: digest for f, digest in files.items() if f.parts[:1] == (module,)}
            told = module in (one.read_text("top_level.txt") or "").split()  # conda's may list no files
            if any(f.name == "__init__.py" and len(f.parts) == 2 for f in mine) or (told and not mine):
                wheel = (one.read_text("WHEEL") or "").splitlines()
                yield Flavour(
                    module=module,
                    name=_normal(one.metadata["Name"]),
                    version=one.version,
                    files={str(f): _hex(digest[7:]) for f, digest in mine.items() if digest.startswith("sha256=")},
                    requires=tuple(one.requires or ()),
                    tags=tuple(line.partition(":")[2].strip() for line in wheel if line.startswith("Tag:")),
                )


def _recorded(one: Distribution) -> dict[PurePosixPath, str]:
    """Return what RECORD names, with the hashes; from Python 3.12 on importlib.metadata leaves out what is missing."""
    rows = csv.reader((one.read_text("RECORD") or "").splitlines())
    return {PurePosixPath(row[0].replace("\\", "/")): row[1] for row in rows if len(row) > 1}


def _versions(found: list[Distribution]) -> dict[str, tuple[str, ...]]:
    versions: dict[str, tuple[str, ...]] = {}
    for one in found:
        name = _normal(one.metadata["Name"])
        versions[name] = tuple(sorted({*versions.get(name, ()), one.version}))
    return versions


def _hex(digest: str) -> str:
    """Return RECORD's hash (URL-safe base64 without padding) in hexadecimal."""
    try:
        return base64.urlsafe_b64decode(digest + "=" * (-len(digest) % 4)).hex()
    except ValueError:
        return ""


def _natives(package: Path) -> Iterator[Path]:
    files = sorted((p for p in package.rglob("*") if p.is_file()), key=by_name)
    return (p for p in files if p.suffix.lower() in _NATIVE or ".so." in p.name)


def _runtime(places: Places, site: Path) -> Iterator[Path]:
    """Yield the Visual C++ runtime's DLLs in the order of Windows: beside python.exe, System32, packages."""
    beside = [f for f in (places.programs, places.root, child(places.root, "scripts")) if f is not None]
    folders = [*beside, *([places.system32] if places.system32 else []), site, *(site / m for m in MODULES)]
    for folder in folders:
        if folder.is_dir():
            yield from (p for p in sorted(folder.iterdir(), key=by_name) if is_runtime(p.name))
