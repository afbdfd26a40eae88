"""What `invoke bench` does: measures what the documentation promises, in one run, and shows it."""

from __future__ import annotations

import datetime as dt
import os
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from front.benching import building_rows, commands_rows, document, smoke_rows, wine_rows
from front.benching.document import Measured
from front.benching.timing import Row
from wheelhouse import console
from wheelhouse.errors import InputError, UsageError, WheelhouseError, nearest
from wheelhouse.files import write_atomic

GROUPS: Mapping[str, Callable[[], Iterable[Row]]] = {
    "list": commands_rows.start_up,
    "nothing-to-do": commands_rows.nothing_to_do,
    "wheels": commands_rows.sixteen_wheels,
    "audit": commands_rows.audits,
    "build": building_rows.builds,
    "cache": building_rows.caches,
    "smoke": smoke_rows.runs,
    "wine-setup": wine_rows.set_up,
}
"""What can be measured, by the name that --only takes."""


def bench(only: Sequence[str], *, as_json: bool, out: str) -> None:
    """Measure what is named (nothing: all), print a table or JSON, and write the JSON to the file `out`.

    Raise UsageError for what is not known. What cannot be measured here is a row that says why.
    """
    for name in only:
        if name not in GROUPS:
            raise UsageError(f"There is nothing called '{name}' to measure. {nearest(name, GROUPS)}")
    place = _place(out) if out else None
    before = _load()
    rows = tuple(_rows(list(only) or list(GROUPS)))
    measured = _machine(rows, max(before, _load(), key=lambda load: -1.0 if load is None else load))
    text = console.as_json(measured)
    if place is not None:
        write_atomic(place, text.rstrip() + "\n")
    if as_json:
        console.show_json(text)
    else:
        console.result(document.table(measured))


def _place(out: str) -> Path:
    """Return the file to write, before anything is measured. Raise InputError when it cannot be written."""
    place = Path(out).expanduser().resolve()
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{place.parent} cannot be made: {error.strerror}.", remedy="Name another with --out."
        ) from error
    if place.is_dir() or not os.access(place.parent, os.W_OK):
        raise InputError(f"{place} cannot be written.", remedy="Name another file with --out.")
    return place


def _rows(names: Sequence[str]) -> Iterator[Row]:
    with console.phase("measuring", len(names)) as shown:
        for name in names:
            try:
                yield from GROUPS[name]()
            except WheelhouseError as error:
                yield Row(name=name, what=name, unit="s", skipped=error.message)
            shown.advance()


def _load() -> float | None:
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def _machine(rows: tuple[Row, ...], load: float | None) -> Measured:
    from wheelhouse.machine import host, host_linux

    cpu = host.cpu()
    gpus = [device for device in host_linux.devices() if device.kind == "gpu"]
    return Measured(
        created=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        system=host.system_name(),
        cpu=cpu.model,
        cores=cpu.usable,
        memory_bytes=host.memory().total,
        gpu=", ".join(f"GPU {device.vendor_id:04x}:{device.device_id:04x}" for device in gpus) or "no GPU",
        python=platform.python_version(),
        load=load,
        rows=rows,
    )
