"""A wheel as the rules see it: everything is read once, safely, into frozen facts; nothing is unpacked to disk."""

from __future__ import annotations

import mmap
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from recipes.audit.readers import limits
from recipes.audit.readers.binary import Binary
from recipes.audit.readers.content import Content, Sink, Trace, read_member
from recipes.audit.readers.file_name import FileName, parse_file_name
from recipes.audit.readers.metadata import Metadata, RecordLine, parse_metadata, parse_record
from recipes.audit.readers.zip_archive import BrokenArchiveError, Problem, TooMuchError, inspect, open_archive

if TYPE_CHECKING:
    from packaging.version import Version

_BINARY_NAME = re.compile(r"\.(dll|pyd|so(\.\d+[a-z]*)*|dylib)$", re.IGNORECASE)
_TEXT_NAME = re.compile(r"[^/]+/[^/]+\.py|[^/]+\.dist-info/(METADATA|WHEEL|RECORD|provenance\.json|sboms/[^/]+\.json)")
_SCANNED_NAME = re.compile(r"\.(json|toml|ya?ml|cfg|ini|txt|cmake|pc|env|pem|key)$|/direct_url\.json$", re.IGNORECASE)
OWN_LABEL = "dmlwheelhouse"


@dataclass(frozen=True, kw_only=True)
class Member:
    """A file in a wheel: its path, unpacked size in bytes, SHA-256 ("" when unread), mode, time, what it betrays."""

    path: str
    size: int
    sha256: str = ""
    executable: bool = False
    time: tuple[int, int, int, int, int, int] = (1980, 1, 1, 0, 0, 0)
    traces: tuple[Trace, ...] = ()


@dataclass
class _Gathered:
    """What has been kept of a wheel's members so far, against the limits of what may be."""

    binaries: dict[str, Binary] = field(default_factory=dict)
    texts: dict[str, bytes] = field(default_factory=dict)
    text_room: int = limits.MAX_TEXTS
    symbol_room: int = limits.MAX_SYMBOLS
    trace_room: int = limits.MAX_TRACES

    def add_text(self, path: str, data: bytes) -> None:
        self.texts[path] = data
        self.text_room -= len(data)

    def add_binary(self, path: str, binary: Binary) -> None:
        self.symbol_room -= len(binary.exports) + sum(len(i.symbols) + 1 for i in binary.imports)
        if self.symbol_room < 0:
            problem = "is not looked at: the wheel has more symbols than any"
            binary = replace(binary, imports=(), exports={}, problem=problem)
        self.binaries[path] = binary


@dataclass(frozen=True, kw_only=True)
class Wheel:
    """Everything that the audit knows about one wheel.

    `problems` are what reading it found; when `readable` is False nothing else is known. `own` says whether this
    project built it, which binds it to rules that others' wheels need not keep.
    """

    path: Path
    readable: bool = True
    named: FileName | None = None
    dist_info: str = ""
    metadata: Metadata | None = None
    headers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    record: tuple[RecordLine, ...] | None = None
    members: Mapping[str, Member] = field(default_factory=dict)
    binaries: Mapping[str, Binary] = field(default_factory=dict)
    texts: Mapping[str, bytes] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    own: bool = False

    @property
    def file(self) -> str:
        """The file name."""
        return self.path.name

    @property
    def name(self) -> str:
        """The normalised name of the distribution, from its METADATA or else its file name, "" when neither says."""
        return self.metadata.name if self.metadata and self.metadata.name else self.named.name if self.named else ""

    @property
    def version(self) -> Version | None:
        """The version, from METADATA or else the file name."""
        return self.metadata.version if self.metadata and self.metadata.version else (
            self.named.version if self.named else None
        )  # fmt: skip

    @property
    def platforms(self) -> frozenset[str]:
        """The platform tags of the file name."""
        return frozenset(t.platform for t in self.named.tags) if self.named else frozenset()

    def binary_named(self, name: str) -> Binary | None:
        """Return the first binary with this file name, without regard to case."""
        return next((b for b in self.binaries.values() if b.name.lower() == name.lower()), None)


def read_wheel(path: Path, *, own: bool = False, roots: tuple[str, ...] = ()) -> Wheel:
    """Read a wheel; `roots` are folders of the build that must not appear in it.

    A file that is not a wheel gives a Wheel with `readable` False and the reason among its problems.
    """
    named = parse_file_name(path.name)
    problems: list[Problem] = []
    try:
        with open_archive(path) as archive, path.open("rb") as raw:
            problems += inspect(archive, raw)
            if any(p.rule == "archive-bomb" and not p.member for p in problems):
                return Wheel(path=path, readable=False, named=named, problems=tuple(problems), own=own)
            return _read(path, named, archive, problems, own=own, roots=roots)
    except Exception as error:  # noqa: BLE001 - one boundary: whatever a reader raises is a finding about this wheel
        if isinstance(error, MemoryError):
            return unchecked(path, "needs more memory to be read than it may take")
        rule = "archive-unchecked" if isinstance(error, TooMuchError) else "archive-broken"
        broken = Problem(rule=rule, member="", message=f"cannot be read: {_reason(error)}")
        return Wheel(path=path, readable=False, named=named, problems=(*problems, broken), own=own)


def unchecked(path: Path, why: str) -> Wheel:
    """Return what is known of a wheel that could not be read within its limits: which one, and why."""
    problem = Problem(rule="archive-unchecked", member="", message=why)
    return Wheel(path=path, readable=False, named=parse_file_name(path.name), problems=(problem,))


def _reason(error: Exception) -> str:
    if isinstance(error, BrokenArchiveError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"{type(error).__name__}: {str(error)[:160]}".rstrip(": ")


def _read(
    path: Path,
    named: FileName | None,
    archive: zipfile.ZipFile,
    problems: list[Problem],
    *,
    own: bool,
    roots: tuple[str, ...],
) -> Wheel:
    unsafe = {p.member for p in problems if p.rule in ("archive-bomb", "archive-method", "archive-link")}
    members: dict[str, Member] = {}
    gathered = _Gathered()
    for info in (i for i in archive.infolist() if not i.filename.endswith("/")):
        unread = Content(sha256="", size=info.file_size, head=b"")
        content = unread if info.filename in unsafe else _take(archive, info, gathered, roots)
        if content.problem:
            problems.append(Problem(rule="archive-broken", member=info.filename, message=content.problem))
        members[info.filename] = _member(info, content)
    dist_info, texts = _dist_info(members), gathered.texts
    metadata = parse_metadata(texts.get(f"{dist_info}/METADATA"))
    record = texts.get(f"{dist_info}/RECORD")
    ours = own or f"{dist_info}/provenance.json" in members or OWN_LABEL in (metadata.raw_version if metadata else "")
    return Wheel(
        path=path,
        named=named,
        dist_info=dist_info,
        metadata=metadata,
        headers=_headers(texts.get(f"{dist_info}/WHEEL")),
        record=parse_record(record) if record is not None else None,
        members=members,
        binaries=gathered.binaries,
        texts=texts,
        problems=tuple(problems),
        own=ours,
    )


def _member(info: zipfile.ZipInfo, content: Content) -> Member:
    return Member(
        path=info.filename,
        size=content.size,
        sha256="" if content.problem else content.sha256,
        executable=bool(info.external_attr >> 16 & 0o111),
        time=info.date_time,
        traces=content.traces,
    )


def _dist_info(members: Mapping[str, Member]) -> str:
    """Return the name of the one `.dist-info` folder at the top, "" when there is none or more than one."""
    folders = {p.split("/", 1)[0] for p in members if p.split("/", 1)[0].endswith(".dist-info") and "/" in p}
    return folders.pop() if len(folders) == 1 else ""


def _headers(raw: bytes | None) -> dict[str, tuple[str, ...]]:
    headers: dict[str, list[str]] = {}
    for line in (raw or b"").decode("utf-8", "replace").splitlines()[: limits.MAX_HEADERS]:
        key, colon, value = line.partition(":")
        if colon:
            headers.setdefault(key.strip().lower(), []).append(value.strip())
    return {key: tuple(values) for key, values in headers.items()}


def _take(archive: zipfile.ZipFile, info: zipfile.ZipInfo, gathered: _Gathered, roots: tuple[str, ...]) -> Content:
    """Read one member, and keep what the rules need of it: the facts of a binary, the bytes of a small text."""
    is_binary = bool(_BINARY_NAME.search(info.filename)) and info.file_size <= limits.MAX_BINARY
    room = min(limits.MAX_TEXT, gathered.text_room)
    is_text = bool(_TEXT_NAME.fullmatch(info.filename)) and info.file_size <= room
    is_scanned = bool(_SCANNED_NAME.search(info.filename))
    sink = Sink(info.file_size) if is_binary or is_text else None
    try:
        scan: Literal["", "code", "text"] = "code" if is_binary else "text" if is_scanned else ""
        content = read_member(archive, info, sink, scan=scan, roots=roots, room=gathered.trace_room)
        gathered.trace_room -= len(content.traces)
        if sink is not None and not content.problem:
            if is_text:
                gathered.add_text(info.filename, sink.data[: content.size])
            elif (binary := _facts(info.filename, content.head, sink.data)) is not None:
                gathered.add_binary(info.filename, replace(binary, commit=content.commit))
    finally:
        if sink is not None:
            sink.close()
    return content


def _facts(path: str, head: bytes, data: mmap.mmap) -> Binary | None:
    """Return the facts of a PE or ELF file; None for what only has such a name (a linker script, Mach-O)."""
    from recipes.audit.readers.elf import read_elf
    from recipes.audit.readers.pe import read_pe

    is_windows_name = path.lower().endswith((".dll", ".pyd"))
    if head.startswith(b"\x7fELF"):
        return read_elf(path, data)
    if head.startswith(b"MZ") or is_windows_name:
        return read_pe(path, data)
    return None
