"""Drivers of graphics adapters and NPUs, as Windows' registry lists what its set-up has installed.

Reading is apart from judging, so that tests put a registry of their own in its place.
"""

from __future__ import annotations

import datetime as dt
import re
import sys
from collections.abc import Iterable, Iterator, Mapping

from wheelhouse.machine.facts import Driver

CLASSES = {
    "gpu": "{4d36e968-e325-11ce-bfc1-08002be10318}",  # display adapters
    "npu": "{f01a9d53-3ff6-48d2-9f97-c8a7004be10c}",  # compute accelerators
}
_ROOT = r"SYSTEM\CurrentControlSet\Control\Class"
_PCI = re.compile(r"VEN_([0-9A-F]{4})&DEV_([0-9A-F]{4})", re.IGNORECASE)


def installed() -> tuple[Driver, ...]:
    """Return the drivers of this Windows; none elsewhere."""
    return tuple(driver for kind, guid in CLASSES.items() for driver in read(kind, _entries(guid)))


def read(kind: str, entries: Iterable[Mapping[str, str]]) -> Iterator[Driver]:
    """Yield what the entries of a class say; one without a name or a version is a leftover of something removed."""
    for values in entries:
        name, version = values.get("DriverDesc", ""), values.get("DriverVersion", "")
        if name and version:
            ids = _PCI.search(values.get("MatchingDeviceId", ""))
            yield Driver(
                kind=kind,
                name=name,
                vendor_id=int(ids[1], 16) if ids else 0,
                device_id=int(ids[2], 16) if ids else 0,
                version=version,
                date=_iso(values.get("DriverDate", "")),
            )


def _iso(date: str) -> str:
    """Return Windows' month-day-year as year-month-day, "" for anything else: "6-21-2006" is 2006-06-21."""
    try:
        month, day, year = map(int, date.split("-"))
        return dt.date(year, month, day).isoformat()
    except ValueError:
        return ""


def _entries(guid: str) -> Iterator[dict[str, str]]:
    """Yield the text values of each driver of a class: its keys are named 0000, 0001 and so on."""
    if sys.platform == "win32":
        import winreg

        try:
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, rf"{_ROOT}\{guid}") as drivers:
                for number in range(winreg.QueryInfoKey(drivers)[0]):
                    name = winreg.EnumKey(drivers, number)
                    if name.isdigit():
                        yield _values(drivers, name)
        except OSError:  # there is no such class, or what is left of it may not be read
            return
    yield from ()


def _values(drivers: object, name: str) -> dict[str, str]:
    values: dict[str, str] = {}
    if sys.platform == "win32":
        import winreg

        with winreg.OpenKey(drivers, name) as key:  # type: ignore[arg-type]
            found = (winreg.EnumValue(key, place)[:2] for place in range(winreg.QueryInfoKey(key)[1]))
            values = {label: value for label, value in found if isinstance(value, str)}
    return values
