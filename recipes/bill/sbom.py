"""What is in a wheel and where it came from: a CycloneDX SBOM (PEP 770) and a provenance record inside `.dist-info`.

Both are pure functions of `Materials`: the serial number is derived from the content and the time is
SOURCE_DATE_EPOCH, so that two builds of the same inputs stay identical bit for bit.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from pathlib import Path

from recipes.bill.materials import Artifact, Binary, Materials, Patch, Source
from wheelhouse.files import files_below, write_atomic

__all__ = [
    "PROVENANCE_NAME",
    "SBOM_NAME",
    "Artifact",
    "Binary",
    "Materials",
    "Patch",
    "Source",
    "binaries_in",
    "sbom_files",
    "with_binaries",
    "write_sboms",
]

SBOM_NAME = "sboms/dml-wheelhouse.cdx.json"
"""The SBOM's place below `.dist-info` (PEP 770 reserves `sboms/`)."""

PROVENANCE_NAME = "provenance.json"
"""The provenance record's place below `.dist-info`."""

PROVENANCE_FORMAT = "dml-wheelhouse/provenance/1"
BINARY_MAGIC = (b"MZ", b"\x7fELF")


def write_sboms(dist_info: Path, materials: Materials) -> tuple[Path, Path]:
    """Write the SBOM and the provenance record below a `.dist-info` folder; return their paths.

    RECORD is not touched: call this before the wheel is packed (`sbom_embed.embed_sboms` serves a finished one).
    """
    written = []
    for name, content in sbom_files(materials).items():
        write_atomic(dist_info / name, content)
        written.append(dist_info / name)
    return written[0], written[1]


def sbom_files(materials: Materials) -> dict[str, str]:
    """Return path below `.dist-info` to content, for the SBOM and the provenance record, in this order."""
    from recipes.bill.bom import render

    return {SBOM_NAME: render(materials), PROVENANCE_NAME: _render_provenance(materials)}


def binaries_in(folder: Path, origin_of: Callable[[str], str] = lambda _: "") -> tuple[Binary, ...]:
    """List the PE and ELF files below `folder` with their hashes; `origin_of` names where each path came from."""
    found = []
    for path in files_below(folder):
        data = path.read_bytes()
        if data.startswith(BINARY_MAGIC):
            name = path.relative_to(folder).as_posix()
            found.append(Binary(path=name, sha256=hashlib.sha256(data).hexdigest(), origin=origin_of(name)))
    return tuple(found)


def with_binaries(materials: Materials, binaries: Iterable[Binary]) -> Materials:
    """Return the materials with the given list of binaries."""
    return replace(materials, binaries=tuple(sorted(binaries, key=lambda b: b.path)))


def _render_provenance(materials: Materials) -> str:
    record = {"format": PROVENANCE_FORMAT, **asdict(materials)}
    return json.dumps(record, indent=1, sort_keys=True) + "\n"
