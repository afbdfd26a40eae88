"""Well-known failures, recognised in the last lines of a failed process's output: cause, remedy, threads to read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import msgspec

from wheelhouse.strict_toml import load

_FURTHER_UP = 32_000
"""Bytes of a log, from its end."""
TABLE = Path(__file__).with_suffix(".toml")


class KnownFailure(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One row of the table: `pattern` is searched in the output, `threads` are URLs."""

    id: str
    pattern: str
    cause: str
    remedy: str
    threads: tuple[str, ...]

    @property
    def advice(self) -> str:
        """The remedy, and where to read more."""
        return f"{self.remedy} See {', '.join(self.threads)}." if self.threads else self.remedy


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    failure: tuple[KnownFailure, ...]


@cache
def known_failures() -> tuple[KnownFailure, ...]:
    """Return the table, the most specific patterns first."""
    return load(TABLE, _Table).failure


def recognise(lines: Iterable[str]) -> KnownFailure | None:
    """Return the first known failure whose pattern occurs in the given output, or None."""
    text = "\n".join(lines)
    return next((known for known in known_failures() if re.search(known.pattern, text)), None)


def recognise_in(log: Path | None, tail: Iterable[str] = ()) -> KnownFailure | None:
    """Look in a process's last lines, then further up in its log: parallel compilers talk on after one has failed."""
    found = recognise(tail)
    if found is not None or log is None:
        return found
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - _FURTHER_UP))
            return recognise(stream.read().decode("utf-8", errors="replace").splitlines())
    except OSError:
        return None
