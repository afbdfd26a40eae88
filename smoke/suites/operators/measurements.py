"""What a suite measured, as a file: beside its report, and for the table of all providers in docs/."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct

from smoke.parity.dumps import Device
from smoke.suites.operators.rows import Limit, Row
from wheelhouse.errors import InputError
from wheelhouse.files import write_atomic


class Measurements(Struct, frozen=True, kw_only=True):
    """One run of a suite on one device."""

    suite: str
    device: Device
    environment: str
    versions: dict[str, str] = {}
    rows: tuple[Row, ...]
    limits: tuple[Limit, ...] = ()


def name_of(suite: str) -> str:
    """Return the file's name for a suite."""
    return f"operators-{suite}.json"


def write(folder: Path, found: Measurements) -> None:
    """Write what was measured into `folder`, an operator a line."""
    write_atomic(folder / name_of(found.suite), encoded(found))


def encoded(found: Measurements) -> bytes:
    """Return the file's content: JSON with one operator a line, for diffs that can be read."""
    whole = msgspec.to_builtins(found)
    lines = {key: [msgspec.json.encode(entry).decode() for entry in whole.pop(key)] for key in ("rows", "limits")}
    head = msgspec.json.encode(whole).decode()[:-1]
    parts = [f'"{key}": [\n' + ",\n".join(entries) + "\n]" for key, entries in lines.items()]
    return (",\n".join([head, *parts]) + "}\n").encode()


def read(file: Path) -> Measurements:
    """Read such a file. Raise InputError when it is not one."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Measurements)
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}.") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        remedy = "The operator suites write such files into the folder of their report."
        raise InputError(f"{file} holds no operators' measurements ({error}).", remedy=remedy) from error
