"""Wheels written from files of other wheels: what lies compressed in those is copied as it lies, not packed again.

So the bytes of the result do not depend on this machine's zlib, and a DLL of twenty megabytes costs a copy.
"""

from __future__ import annotations

import base64
import hashlib
import struct
import time
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from wheelhouse.errors import IntegrityError

_EARLIEST = 315532800  # 1980-01-01, where the time stamps of ZIP begin
_CHUNK = 1 << 20
_LOCAL = struct.Struct("<26xHH")  # of a member's local header: the lengths of its name and of its extra field
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END = struct.Struct("<4sHHHHIIH")
_ZIP, _UNIX = 20, 3 << 8
_UTF8 = 0x800


@dataclass(frozen=True, kw_only=True)
class Piece:
    """One file of a wheel to be: SHA-256, size and CRC of its content, and where that is found.

    `content` is new text, stored as it is. Otherwise the `packed` bytes at `offset` of the wheel `source` are the
    content, by the ZIP method `method`; `origin` says which package that wheel is. `magic`: the first bytes.
    """

    sha256: str
    size: int
    crc: int
    content: bytes = b""
    source: Path | None = None
    offset: int = 0
    packed: int = 0
    method: int = zipfile.ZIP_STORED
    origin: str = ""
    magic: bytes = b""


def new(content: bytes) -> Piece:
    """Return the piece for a file that is written here."""
    return Piece(
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        crc=zlib.crc32(content),
        content=content,
        packed=len(content),
        magic=content[:4],
    )


def taken(wheel: Path, origin: str) -> dict[str, Piece]:
    """Return every file of a wheel as pieces. Raise IntegrityError unless its RECORD lists just these, rightly."""
    try:
        with zipfile.ZipFile(wheel) as archive, wheel.open("rb") as raw:
            infos = [info for info in archive.infolist() if not info.is_dir()]
            pieces = {info.filename: _piece(archive, raw, info, wheel, origin) for info in infos}
            _check_record(archive, pieces)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, KeyError, ValueError) as error:
        raise IntegrityError(f"{wheel.name} contradicts its own RECORD: {error}.") from error
    return pieces


def _piece(archive: zipfile.ZipFile, raw: IO[bytes], info: zipfile.ZipInfo, wheel: Path, origin: str) -> Piece:
    digest, magic = hashlib.sha256(), b""
    with archive.open(info) as stream:
        while chunk := stream.read(_CHUNK):  # reading to the end checks the CRC
            magic = magic or chunk[:4]
            digest.update(chunk)
    raw.seek(info.header_offset)
    name, extra = _LOCAL.unpack(raw.read(_LOCAL.size))
    return Piece(
        sha256=digest.hexdigest(),
        size=info.file_size,
        crc=info.CRC,
        source=wheel,
        offset=info.header_offset + _LOCAL.size + name + extra,
        packed=info.compress_size,
        method=info.compress_type,
        origin=origin,
        magic=magic,
    )


def _check_record(archive: zipfile.ZipFile, pieces: Mapping[str, Piece]) -> None:
    import csv

    name = next((n for n in pieces if n.endswith(".dist-info/RECORD") and n.count("/") == 1), None)
    if name is None:
        raise ValueError("it has none")
    rows = list(csv.reader(archive.read(name).decode().splitlines()))
    listed = {row[0]: row[1] for row in rows if row}
    if listed.keys() != pieces.keys():
        odd = sorted(listed.keys() ^ pieces.keys())
        raise ValueError(f"{', '.join(odd[:3])} is in one of them only")
    wrong = [n for n, digest in listed.items() if n != name and digest != recorded(pieces[n])]
    if wrong:
        raise ValueError(f"{', '.join(wrong[:3])} has another hash")


def recorded(piece: Piece) -> str:
    """Return a file's hash as RECORD writes it."""
    return "sha256=" + base64.urlsafe_b64encode(bytes.fromhex(piece.sha256)).rstrip(b"=").decode()


def write_wheel(target: Path, pieces: Mapping[str, Piece], epoch: int) -> None:
    """Write a wheel of these files, in this order, all with the time `epoch` (seconds since 1970)."""
    when = time.gmtime(max(epoch, _EARLIEST))[:6]
    with target.open("wb") as out, ExitStack() as opened:
        sources: dict[Path, IO[bytes]] = {}
        directory: list[bytes] = []
        for name, piece in pieces.items():
            info = _info(name, piece, when)
            directory.append(_entry(info, out.tell()))
            out.write(info.FileHeader(zip64=False))
            for chunk in _chunks(piece, sources, opened):
                out.write(chunk)
        start, table = out.tell(), b"".join(directory)
        out.write(table)
        out.write(_END.pack(b"PK\5\6", 0, 0, len(directory), len(directory), len(table), start, 0))


def _info(name: str, piece: Piece, when: tuple[int, ...]) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, (when[0], when[1], when[2], when[3], when[4], when[5]))
    info.create_system = 3  # or the bytes would depend on the system that packs
    info.compress_type = piece.method
    info.CRC, info.compress_size, info.file_size = piece.crc, piece.packed, piece.size
    return info


def _entry(info: zipfile.ZipInfo, offset: int) -> bytes:
    """Return a member's entry in the directory at the archive's end."""
    year, month, day, hour, minute, second = info.date_time
    name = info.filename.encode()
    date, clock = (year - 1980) << 9 | month << 5 | day, hour << 11 | minute << 5 | second // 2
    flags = 0 if info.filename.isascii() else _UTF8
    sizes = (info.CRC, info.compress_size, info.file_size)
    mode = 0o100644 << 16
    head = (b"PK\1\2", _UNIX | _ZIP, _ZIP, flags, info.compress_type, clock, date, *sizes)
    return _CENTRAL.pack(*head, len(name), 0, 0, 0, 0, mode, offset) + name


def _chunks(piece: Piece, sources: dict[Path, IO[bytes]], opened: ExitStack) -> Iterator[bytes]:
    if piece.source is None:
        yield piece.content
        return
    if piece.source not in sources:
        sources[piece.source] = opened.enter_context(piece.source.open("rb"))
    stream, left = sources[piece.source], piece.packed
    stream.seek(piece.offset)
    while left:
        chunk = stream.read(min(_CHUNK, left))
        if not chunk:
            raise IntegrityError(f"{piece.source.name} became shorter while it was read.")
        left -= len(chunk)
        yield chunk
