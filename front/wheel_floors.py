"""Which Windows the finished wheels need, by what they carry: what doctor holds a machine's Windows to."""

from __future__ import annotations

import zipfile
from pathlib import Path

from msgspec import Struct
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from recipes.audit.libraries import declared
from wheelhouse.files import by_name


class Floor(Struct, frozen=True, kw_only=True):
    """The oldest Windows build that a distribution's wheels take, and the library that they carry which needs it."""

    distribution: str
    build: int
    library: str


def of(folder: Path, machine: str) -> tuple[Floor, ...]:
    """Return what the wheels in a folder need that are for this `machine` (as the platform module names it), by name.

    What is no wheel, or cannot be read, is the audit's to complain of.
    """
    platform = "win_arm64" if machine.lower() in {"arm64", "aarch64"} else "win_amd64"
    found: dict[str, Floor] = {}
    for wheel in sorted(folder.glob(f"*-{platform}.whl"), key=by_name):
        floor = _of_one(wheel)
        if floor is not None and (floor.distribution not in found or floor.build > found[floor.distribution].build):
            found[floor.distribution] = floor
    return tuple(found[name] for name in sorted(found))


def _of_one(wheel: Path) -> Floor | None:
    floors = declared().needs_windows
    try:
        distribution = str(parse_wheel_filename(wheel.name)[0])
        with zipfile.ZipFile(wheel) as archive:
            carried = {name.lower().rsplit("/", 1)[-1] for name in archive.namelist()}
    except (InvalidWheelFilename, OSError, zipfile.BadZipFile):
        return None
    wanted = [(floors[name], name) for name in carried if name in floors]
    return Floor(distribution=distribution, build=max(wanted)[0], library=max(wanted)[1]) if wanted else None
