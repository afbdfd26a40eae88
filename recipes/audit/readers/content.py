"""Read the members of a wheel once, in pieces: their hashes, what they start with, and traces of the build machine."""

from __future__ import annotations

import hashlib
import mmap
import re
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal

from recipes.audit.readers import limits

_OVERLAP = 400  # bytes kept from one piece to the next, so that a path across the border is still seen whole

_PATH_END = rb"[^\x00-\x1f\"'<>|*?\x7f-\xff]{0,160}"
_PERSON = re.compile(
    rb"(?:[A-Za-z]:[\\/]Users[\\/]|/home/|/Users/)([A-Za-z0-9_][A-Za-z0-9._ -]{0,39})[\\/]" + _PATH_END
)
_COMMIT_MARK = b"git-commit-id="
_COMMIT = re.compile(_COMMIT_MARK + rb"([0-9a-f]{7,40})\b")
_ANCHORS = (b"Users", b"/home/")
_BEFORE_ANCHOR = 3  # bytes of "C:\\" before "Users"

_SECRETS = {
    "a private key": re.compile(rb"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\s+[A-Za-z0-9+/=\s]{64}"),
    "an AWS access key": re.compile(rb"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b"),
    "a GitHub token": re.compile(rb"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60,})\b"),
    "a PyPI token": re.compile(rb"\bpypi-AgEI[A-Za-z0-9_-]{50,}"),
    "a Hugging Face token": re.compile(rb"\bhf_[A-Za-z]{34}\b"),
}
_IN_CODE = {"a private key"}  # the others are short enough to turn up in machine code by chance


@dataclass(frozen=True, kw_only=True)
class Trace:
    """Something that should not leave the build machine: kind ("path", "root" or what secret), text, whose home."""

    kind: str
    text: str
    user: str = ""


@dataclass(frozen=True, kw_only=True)
class Content:
    """What reading a member gave: SHA-256 (hexadecimal), size in bytes, its first bytes, traces, why it failed.

    `commit` is the one that a binary of ONNX Runtime says it was built from.
    """

    sha256: str
    size: int
    head: bytes
    traces: tuple[Trace, ...] = ()
    problem: str = ""
    commit: str = ""


class Sink:
    """Receives a member's bytes as they are unpacked: into memory, or into a temporary file when it is large.

    `size` is what the directory states; bytes beyond it are dropped (`read_member` reports the difference). `data` maps
    what was written; of a file, only the pages that are looked at come into memory.
    """

    def __init__(self, size: int) -> None:
        self._file = tempfile.TemporaryFile() if size > limits.IN_MEMORY else None  # noqa: SIM115 - see `close`
        self._memory = None if self._file else mmap.mmap(-1, max(size, 1))
        self._mapped: mmap.mmap | None = None
        self._room = size

    def write(self, piece: bytes) -> None:
        """Append bytes as far as there is room."""
        (self._file or self._memory).write(piece[: self._room])  # type: ignore[union-attr]
        self._room -= min(self._room, len(piece))

    @property
    def data(self) -> mmap.mmap:
        """The bytes that were written; a member that turned out shorter than stated has zeros at its end."""
        if self._memory is not None:
            return self._memory
        if self._mapped is None and self._file is not None:
            self._file.flush()
            self._mapped = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        assert self._mapped is not None  # noqa: S101 - one of the two was made
        return self._mapped

    def close(self) -> None:
        """Give the memory or the file back."""
        for mapping in (self._memory, self._mapped):
            if mapping is not None:
                mapping.close()
        if self._file is not None:
            self._file.close()


def read_member(
    archive: zipfile.ZipFile,
    info: zipfile.ZipInfo,
    sink: Sink | None,
    *,
    scan: Literal["", "code", "text"],
    roots: tuple[str, ...] = (),
    room: int = limits.MAX_TRACES,
) -> Content:
    """Unpack one member in pieces: hash it, write it to `sink`, and look for traces as `scan` says (`find_traces`).

    At most `room` traces are kept.
    Never unpacks more than the size that the directory states; a member that cannot be unpacked has a `problem`.
    """
    digest = hashlib.sha256()
    size, head, tail, commit = 0, b"", b"", ""
    traces: dict[Trace, None] = {}
    try:
        with archive.open(info) as stream:
            while piece := stream.read(limits.CHUNK):
                head = head or piece[:64]
                digest.update(piece)
                size += len(piece)
                if sink is not None:
                    sink.write(piece)
                if scan:
                    commit = commit or (commit_in(tail + piece) if scan == "code" else "")
                    traces.update(
                        dict.fromkeys(islice(find_traces(tail + piece, scan, roots), max(room - len(traces), 0)))
                    )
                    tail = piece[-_OVERLAP:]
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError, ArithmeticError) as error:
        return Content(sha256=digest.hexdigest(), size=size, head=head, problem=f"cannot be unpacked: {error}")
    problem = "" if size == info.file_size else f"unpacks to {size} bytes where the directory says {info.file_size}"
    found = Content(sha256=digest.hexdigest(), size=size, head=head, traces=tuple(traces), problem=problem)
    return replace(found, commit=commit)


def commit_in(data: bytes) -> str:
    """Return the commit in ONNX Runtime's own words about its build, "" where there are none."""
    at = data.find(_COMMIT_MARK)
    found = _COMMIT.match(data, at) if at >= 0 else None
    return found[1].decode() if found else ""


def find_traces(data: bytes, kind: Literal["code", "text"], roots: tuple[str, ...] = ()) -> Iterator[Trace]:
    """Yield the home folders, secrets and given `roots` in some bytes: in code only what cannot be there by chance.

    Plain substring searches come first: regular expressions over a hundred megabytes would take seconds.
    """
    for anchor in _ANCHORS:
        at = data.find(anchor)
        while at >= 0:
            found = next((m for back in range(_BEFORE_ANCHOR, -1, -1) if (m := _PERSON.match(data, at - back))), None)
            if found and found.end() > at:
                user = found[1].decode("ascii", "replace")
                yield Trace(kind="path", text=found[0].decode("ascii", "replace")[:120], user=user)
                at = found.end() - 1
            at = data.find(anchor, at + 1)
    for root in roots:
        if any(spelling.encode() in data for spelling in {root, root.replace("\\", "/"), root.replace("\\", "\\\\")}):
            yield Trace(kind="root", text=root)
    if kind == "text" or b"PRIVATE KEY--" in data:
        for name, pattern in _SECRETS.items():
            if (kind == "text" or name in _IN_CODE) and pattern.search(data):
                yield Trace(kind=name, text="")
