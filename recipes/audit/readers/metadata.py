"""METADATA, WHEEL and RECORD as data, from bytes that may be anything."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from recipes.audit.readers import limits

if TYPE_CHECKING:
    from packaging.requirements import Requirement
    from packaging.version import Version

_MAX_REQUIREMENTS = 2000
_BLANK = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """The fields of METADATA that the rules need; `problems` say which of them could not be understood."""

    name: str
    raw_version: str
    version: Version | None
    requirements: tuple[Requirement, ...]
    requires_python: str
    licence: str
    summary: str
    licence_files: tuple[str, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordLine:
    """A line of RECORD: path, hash algorithm, digest (as written there), size in bytes (None: not stated)."""

    path: str
    algorithm: str
    digest: str
    size: int | None
    problem: str = ""


def parse_metadata(raw: bytes | None) -> Metadata | None:
    """Read METADATA; None when there is none."""
    if raw is None:
        return None
    from packaging.metadata import parse_email
    from packaging.utils import canonicalize_name
    from packaging.version import Version

    head, problems = _head(raw)
    fields, unparsed = parse_email(head)
    problems += [f"has a field '{name}' that cannot be read" for name in unparsed if name != "license-file"]
    name, written = fields.get("name", ""), fields.get("version", "")
    version = None
    try:
        version = Version(written)
    except ValueError:  # also of a number with more digits than Python converts
        problems.append(f"has no valid Version ('{written[:100]}')" if written else "has no Version")
    if not name:
        problems.append("has no Name")
    if "metadata_version" not in fields:
        problems.append("has no Metadata-Version")
    requirements, bad = _requirements(fields.get("requires_dist", []))
    if not _is_specifier(fields.get("requires_python", "")):
        problems.append(f"has a Requires-Python that is not valid: '{fields['requires_python'][:100]}'")
    return Metadata(
        name=str(canonicalize_name(name)),
        raw_version=written,
        version=version,
        requirements=requirements,
        requires_python=fields.get("requires_python", ""),
        licence=fields.get("license_expression", "") or fields.get("license", ""),
        summary=fields.get("summary", ""),
        licence_files=tuple(fields.get("license_files", [])),
        problems=(*problems, *bad),
    )


def _head(raw: bytes) -> tuple[bytes, list[str]]:
    """Return the fields without the description, which no rule needs and which could be nested MIME."""
    end = _BLANK.search(raw)
    lines = raw[: end.start() if end else len(raw)].splitlines(keepends=True)
    bad = [f"has {len(lines)} header lines, more than any wheel"] if len(lines) > limits.MAX_HEADERS else []
    return b"".join(lines[: limits.MAX_HEADERS]) + b"\n", bad


def _is_specifier(written: str) -> bool:
    from packaging.specifiers import SpecifierSet

    try:
        SpecifierSet(written).contains("3")
    except ValueError:  # also of a number with more digits than Python converts
        return False
    return True


def _requirements(lines: list[str]) -> tuple[tuple[Requirement, ...], list[str]]:
    from packaging.requirements import Requirement

    good: list[Requirement] = []
    bad = [f"has {len(lines)} requirements, more than any wheel"] if len(lines) > _MAX_REQUIREMENTS else []
    for line in lines[:_MAX_REQUIREMENTS]:
        try:
            requirement = Requirement(line)
            for clause in requirement.specifier:
                clause.contains("0")  # raises ValueError for a number with more digits than Python converts
            good.append(requirement)
        except ValueError:
            bad.append(f"has a Requires-Dist that is not valid: '{line[:100]}'")
    return tuple(good), bad


def parse_record(raw: bytes) -> tuple[RecordLine, ...]:
    """Read RECORD; a line that cannot be understood has a `problem`."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        return (_unreadable(f"is not UTF-8 (byte {error.start})"),)
    lines: list[RecordLine] = []
    try:
        rows = csv.reader(io.StringIO(text, newline=""))
        lines = [_record_line(number, row) for number, row in enumerate(islice(rows, limits.MAX_MEMBERS), 1) if row]
        if next(rows, None) is not None:
            lines.append(_unreadable("has more lines than any wheel has files"))
    except csv.Error as error:
        lines.append(_unreadable(f"is not valid CSV: {error}"))
    return tuple(lines)


def _unreadable(problem: str) -> RecordLine:
    return RecordLine(path="", algorithm="", digest="", size=None, problem=problem)


def _record_line(number: int, row: list[str]) -> RecordLine:
    if len(row) != 3:
        problem = f"line {number} has {len(row)} columns instead of 3"
        return RecordLine(path=row[0], algorithm="", digest="", size=None, problem=problem)
    path, digest, written = row
    algorithm, _, value = digest.partition("=")
    size = int(written) if written.isascii() and written.isdigit() and len(written) < 19 else None
    problem = f"line {number} has a size that is not a number" if written and size is None else ""
    return RecordLine(path=path, algorithm=algorithm, digest=value, size=size, problem=problem)
