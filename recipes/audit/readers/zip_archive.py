"""Open a wheel as an untrusted ZIP: what its directory claims is checked before anything is unpacked.

`zipfile` reads the whole central directory into objects and believes it. So the directory's place, size and number of
entries are checked against the file first; then each entry against its local header, its neighbours and the limits.
"""

from __future__ import annotations

import os
import stat
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from recipes.audit.readers import limits

_END = struct.Struct("<4s4H2LH")
_END64_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_ENTRY = struct.Struct("<4s4B4H3L5H2L")
_LOCAL = struct.Struct("<4s2B4H3L2H")
_DESCRIPTOR = 24  # bytes of the longest data descriptor, which may follow a streamed member
_ENCRYPTED, _STREAMED, _UTF8 = 0x1, 0x8, 0x800


class BrokenArchiveError(Exception):
    """The file is not a ZIP that can be read safely; the message says why."""


class TooMuchError(BrokenArchiveError):
    """The file claims more than the audit reads; the message says of what."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Something wrong with the archive itself: the id of its rule, the member it concerns, what it is."""

    rule: str
    member: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Directory:
    """Where the central directory lies in the file: offset and size in bytes, and how many entries it claims."""

    offset: int
    size: int
    entries: int


def locate_directory(stream: BinaryIO, size: int) -> Directory:
    """Find the central directory of a ZIP of `size` bytes. Raise BrokenArchiveError when it is not where it must be."""
    tail_size = min(size, _END.size + 0xFFFF)
    stream.seek(size - tail_size)
    tail = stream.read(tail_size)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        raise BrokenArchiveError("it has no end-of-directory record: not a ZIP file, or truncated")
    fields = _END.unpack_from(tail, at)
    entries, length, offset = fields[4], fields[5], fields[6]
    end = size - tail_size + at
    if 0xFFFF in (entries, fields[3]) or 0xFFFFFFFF in (length, offset):
        entries, length, offset, end = _locate_zip64(stream, end)
    if length > limits.MAX_DIRECTORY or entries > limits.MAX_MEMBERS:
        raise TooMuchError(f"its directory claims {entries} members in {length} bytes, more than any wheel has")
    if offset + length != end:
        raise BrokenArchiveError("its directory is not where the end of the file says: data was put before or between")
    return Directory(offset=offset, size=length, entries=entries)


def _locate_zip64(stream: BinaryIO, end: int) -> tuple[int, int, int, int]:
    place = end - _END64_LOCATOR.size
    if place < 0:
        raise BrokenArchiveError("its ZIP64 record is missing")
    stream.seek(place)
    signature, _, offset, _ = _END64_LOCATOR.unpack(stream.read(_END64_LOCATOR.size))
    if signature != b"PK\x06\x07" or offset + _END64.size > place:
        raise BrokenArchiveError("its ZIP64 record is missing")
    stream.seek(offset)
    fields = _END64.unpack(stream.read(_END64.size))
    if fields[0] != b"PK\x06\x06":
        raise BrokenArchiveError("its ZIP64 record is damaged")
    return fields[7], fields[8], fields[9], offset


def check_directory(stream: BinaryIO, directory: Directory) -> None:
    """Walk the directory's entries without making objects of them. Raise BrokenArchiveError when they do not add up."""
    stream.seek(directory.offset)
    raw = stream.read(directory.size)
    at = count = 0
    while at < len(raw):
        if len(raw) - at < _ENTRY.size or raw[at : at + 4] != b"PK\x01\x02":
            raise BrokenArchiveError(f"entry {count} of its directory is damaged")
        name, extra, comment = struct.unpack_from("<3H", raw, at + 28)
        at += _ENTRY.size + name + extra + comment
        count += 1
        if count > limits.MAX_MEMBERS:
            raise TooMuchError(f"its directory lists more than {limits.MAX_MEMBERS} members")
    if at != len(raw) or count != directory.entries:
        raise BrokenArchiveError(f"its directory lists {count} members but claims {directory.entries}")


def open_archive(path: Path) -> zipfile.ZipFile:
    """Open a wheel once its directory has been checked. Raise BrokenArchiveError with the reason when it is unsafe."""
    size = path.stat().st_size
    if size > limits.MAX_ARCHIVE:
        raise TooMuchError(f"it has {size} bytes, more than any wheel")
    with path.open("rb") as stream:
        check_directory(stream, locate_directory(stream, size))
    try:
        return _with_names_as_written(zipfile.ZipFile(path))
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, struct.error) as error:
        raise BrokenArchiveError(f"{error}") from error


def _with_names_as_written(archive: zipfile.ZipFile) -> zipfile.ZipFile:
    """Undo what zipfile does on Windows: it turns backslashes round, and a wheel is the same on every system."""
    if os.sep != "/":
        for info in archive.infolist():
            info.filename = info.orig_filename.partition("\0")[0]
        archive.NameToInfo = {info.filename: info for info in archive.infolist()}
    return archive


def inspect(archive: zipfile.ZipFile, stream: BinaryIO) -> Iterator[Problem]:
    """Yield what is wrong with an opened archive's entries, before any of them is unpacked."""
    yield from _names(archive)
    yield from _sizes(archive)
    yield from _layout(archive, stream)
    for info in archive.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            what = "a symbolic link" if kind == stat.S_IFLNK else f"a special file (mode {info.external_attr >> 16:o})"
            yield Problem(rule="archive-link", member=info.filename, message=f"is {what}")
        if info.flag_bits & _ENCRYPTED:
            yield Problem(rule="archive-method", member=info.filename, message="is encrypted")
        elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            yield Problem(
                rule="archive-method",
                member=info.filename,
                message=f"is packed with method {info.compress_type}, which not every pip can unpack",
            )


def unsafe_name(name: str) -> str:
    """Return why a member's name may not be unpacked ("" when it may)."""
    parts = name.removesuffix("/").split("/")
    if not name.strip() or "" in parts[1:]:
        return "has an empty part in its path"
    if name.startswith("/") or (len(name) > 1 and name[1] == ":"):
        return "is an absolute path"
    if ".." in parts or "." in parts:
        return "leaves its folder (a '.' or '..' in the path)"
    if "\\" in name:
        return "has a backslash, which is a separator on Windows only"
    if any(ord(c) < 32 or ord(c) == 127 for c in name):
        return "has control characters in its name"
    if len(name.encode("utf-8", "surrogatepass")) > limits.MAX_NAME:
        return f"has a name of more than {limits.MAX_NAME} bytes"
    return ""


def _names(archive: zipfile.ZipFile) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for info in archive.infolist():
        name = info.orig_filename  # zipfile cuts `filename` at a NUL and turns the host's separators round
        if why := unsafe_name(name):
            yield Problem(rule="archive-path", member=info.filename, message=why)
        folded = name.rstrip("/").casefold()
        if folded in seen:
            same = seen[folded] == name
            message = (
                "is in the archive twice" if same else f"differs from '{seen[folded]}' in upper and lower case only"
            )
            yield Problem(rule="archive-duplicate", member=info.filename, message=message)
        seen[folded] = name


def _sizes(archive: zipfile.ZipFile) -> Iterator[Problem]:
    total = dense = 0
    for info in archive.infolist():
        total += info.file_size
        dense += info.file_size if info.file_size > limits.MAX_RATIO * max(info.compress_size, 1) else 0
        if info.file_size > limits.BOMB_FLOOR and info.file_size > limits.MAX_RATIO * max(info.compress_size, 1):
            yield Problem(
                rule="archive-bomb",
                member=info.filename,
                message=f"unpacks {info.compress_size} bytes to {info.file_size}",
            )
    if total > limits.MAX_UNPACKED:
        yield Problem(rule="archive-bomb", member="", message=f"unpacks to {total} bytes in all")
    elif dense > limits.MAX_DENSE:
        message = f"unpacks to {dense} bytes from members that hold next to nothing"
        yield Problem(rule="archive-bomb", member="", message=message)


def _layout(archive: zipfile.ZipFile, stream: BinaryIO) -> Iterator[Problem]:
    """Compare every entry with its local header, and look for gaps and overlaps between members."""
    expected = slack = 0
    for info in sorted(archive.infolist(), key=lambda i: i.header_offset):
        if info.header_offset < expected:
            yield Problem(rule="archive-header", member=info.filename, message="overlaps the member before it")
        elif info.header_offset > expected + slack:
            yield Problem(rule="archive-header", member=info.filename, message="follows bytes that belong to no member")
        beyond = not 0 <= info.header_offset <= limits.MAX_ARCHIVE
        stream.seek(0 if beyond else info.header_offset)
        raw = b"" if beyond else stream.read(_LOCAL.size)
        if len(raw) < _LOCAL.size or raw[:4] != b"PK\x03\x04":
            yield Problem(rule="archive-header", member=info.filename, message="has no local header")
            continue
        fields = _LOCAL.unpack(raw)
        flags, method, crc, packed, unpacked, name_size, extra_size = (
            fields[3], fields[4], fields[7], fields[8], fields[9], fields[10], fields[11],
        )  # fmt: skip
        name = stream.read(name_size).decode("utf-8" if flags & _UTF8 else "cp437", "replace")
        lies = name != info.orig_filename or method != info.compress_type
        known = not flags & _STREAMED and 0xFFFFFFFF not in (packed, unpacked)
        lies = lies or (known and (crc, packed, unpacked) != (info.CRC, info.compress_size, info.file_size))
        if lies:
            message = "is described otherwise in its local header than in the directory"
            yield Problem(rule="archive-header", member=info.filename, message=message)
        slack = _DESCRIPTOR if flags & _STREAMED else 0
        expected = info.header_offset + _LOCAL.size + name_size + extra_size + info.compress_size
