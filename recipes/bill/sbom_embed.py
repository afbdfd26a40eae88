"""Put the SBOM and the provenance record into a wheel that is already packed, and write its RECORD anew."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from recipes.bill.licence_order import in_one_order
from recipes.bill.materials import Binary, Materials
from recipes.bill.sbom import BINARY_MAGIC, sbom_files, with_binaries
from wheelhouse.errors import InputError
from wheelhouse.files import write_atomic

_EARLIEST = 315532800  # 1980-01-01, where the time stamps of ZIP begin


def embed_sboms(wheel: Path, materials: Materials, *, origin_of: Callable[[str], str] = lambda _: "") -> None:
    """Rewrite a wheel in place with its SBOM and provenance record; the same wheel and materials give the same bytes.

    The binaries are listed from the wheel itself, with `origin_of` naming the source or artifact of each path; every
    member gets the time `materials.epoch`, and members are sorted with `.dist-info` last. Raise InputError when the
    file is not a wheel.
    """
    contents, modes = members(wheel)
    listed = next((n for n in contents if n.endswith(".dist-info/RECORD") and n.count("/") == 1), None)
    if listed is None:
        raise InputError(f"{wheel} has no RECORD: it is not a wheel.", remedy="Build it again.")
    dist_info = listed.removesuffix("/RECORD")
    binaries = [
        Binary(path=name, sha256=hashlib.sha256(data).hexdigest(), origin=origin_of(name))
        for name, data in contents.items()
        if data.startswith(BINARY_MAGIC)
    ]
    for name, text in sbom_files(with_binaries(materials, binaries)).items():
        contents[f"{dist_info}/{name}"] = text.encode()
    described = f"{dist_info}/METADATA"
    contents[described] = in_one_order(contents[described])
    del contents[listed]
    names = sorted(contents, key=lambda n: (n.startswith(f"{dist_info}/"), n))
    ordered = {name: contents[name] for name in names}
    ordered[listed] = record(ordered, listed)
    write_atomic(wheel, pack(ordered, modes, materials.epoch))


def members(wheel: Path) -> tuple[dict[str, bytes], dict[str, int]]:
    """Return a wheel's files by name, and which of them are executable: what `pack` takes. Raise InputError."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            modes = {i.filename: (i.external_attr >> 16) & 0o111 for i in archive.infolist() if not i.is_dir()}
            return {name: archive.read(name) for name in modes}, modes
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{wheel} is not a readable wheel: {error}.", remedy="Build it again.") from error


def record(contents: dict[str, bytes], name: str) -> bytes:
    """Return a wheel's RECORD over its other members; `name` is RECORD's own."""
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    for member, data in contents.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        writer.writerow([member, f"sha256={digest}", len(data)])
    writer.writerow([name, "", ""])
    return lines.getvalue().encode()


def pack(contents: dict[str, bytes], modes: dict[str, int], epoch: int) -> bytes:
    """Return a wheel's bytes, the same on every system: members in the order given, all with the time `epoch`."""
    packed = io.BytesIO()
    when = time.gmtime(max(epoch, _EARLIEST))[:6]
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in contents.items():
            info = zipfile.ZipInfo(name, when)
            info.create_system = 3  # or the bytes would depend on the system that packs
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (0o100755 if modes.get(name, 0) else 0o100644) << 16
            archive.writestr(info, data)
    return packed.getvalue()
