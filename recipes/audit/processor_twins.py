"""Wheels of one release for two processors: the same Python files, the same functions exported. Which part differs?"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from recipes.audit.readers.metadata import parse_record
from recipes.audit.readers.wheel import Wheel

_PROCESSOR = re.compile(r"(?:win_(?:amd64|arm64)|(?:x86_64|aarch64))")
_BINARY = re.compile(r"\.(dll|pyd|so(\.\d+[a-z]*)*)$", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the two: SHA-256 of what is no binary, names that binaries export, by path without the processor."""

    files: Mapping[str, str] = field(default_factory=dict)
    exports: Mapping[str, frozenset[str]] = field(default_factory=dict)


def side_of(wheel: Wheel) -> Side:
    """Return a side from a wheel that the audit has read."""
    whole = {p: b for p, b in wheel.binaries.items() if not b.problem}
    return Side(
        files={_plain(p): m.sha256 for p, m in wheel.members.items() if _counts(p) and p not in wheel.binaries},
        exports={_plain(p): frozenset(b.exports) for p, b in whole.items()},
    )


def side_in(path: Path) -> Side:
    """Return a side from a wheel that passed the audit: hashes as in RECORD, export tables read alone."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        record = parse_record(archive.read(next(n for n in names if n.endswith(".dist-info/RECORD"))))
        binaries = [name for name in names if _BINARY.search(name)]
        return Side(
            files={_plain(x.path): x.digest for x in record if _counts(x.path) and x.path not in binaries},
            exports={_plain(name): _exported(archive.read(name)) for name in binaries},
        )


def differences(one: Side, other: Side) -> Iterator[tuple[str, str]]:
    """Yield (path, what) of everything in which `other` differs from `one`; files that only one binary needs aside."""
    for path in sorted(one.files.keys() | other.files.keys()):
        if path not in other.files:
            yield path, "is missing"
        elif path not in one.files:
            yield path, "is only there"
        elif one.files[path] != other.files[path]:
            yield path, "has another content"
    for path in sorted(one.exports.keys() & other.exports.keys()):
        for names, how in (
            (one.exports[path] - other.exports[path], "does not export"),
            (other.exports[path] - one.exports[path], "alone exports"),
        ):
            if names:
                more = f" and {len(names) - 5} more" if len(names) > 5 else ""
                yield path, f"{how} {', '.join(sorted(names)[:5])}{more}"


def _counts(path: str) -> bool:
    return ".dist-info/" not in path


def _plain(path: str) -> str:
    return _PROCESSOR.sub("*", path)


def _exported(data: bytes) -> frozenset[str]:
    import pefile

    if not data.startswith(b"MZ"):
        return frozenset()
    parsed = pefile.PE(data=data, fast_load=True)
    parsed.parse_data_directories(directories=[0])
    table = getattr(parsed, "DIRECTORY_ENTRY_EXPORT", None)
    return frozenset(s.name.decode("ascii", "replace") for s in (table.symbols if table else ()) if s.name)
