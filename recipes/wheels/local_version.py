"""A local part for the version of a wheel that upstream's build has packed: `1.24.4` becomes `1.24.4+dmlwheelhouse.1`.

Without it our wheel of ONNX Runtime would have the name of PyPI's, and an installer, a cache or a lock file could take
either for the other. With it, a requirement can name ours, and pip prefers ours among wheels of one number.
"""

from __future__ import annotations

import re
from pathlib import Path

from packaging.utils import parse_wheel_filename

from recipes.bill.sbom_embed import members, pack, record
from wheelhouse.errors import InputError
from wheelhouse.files import write_atomic


def with_local(version: str, local: str) -> str:
    """Return a version with a local part, as PEP 440 has it; without one when `local` is empty."""
    return f"{version}+{local}" if local else version


def localize(wheel: Path, local: str, folder: Path, *, epoch: int) -> Path:
    """Write a copy of `wheel` whose version has the local part into `folder`; return its path.

    File name, METADATA and RECORD change, all else stays; members get the time `epoch` (seconds since 1970). Raise
    InputError when it is no wheel, or when its METADATA has another version than its name.
    """
    name, old = wheel.name.split("-")[:2]
    new = with_local(old, local)
    parse_wheel_filename(wheel.name)
    contents, modes = members(wheel)
    place = re.compile(rf"{re.escape(f'{name}-{old}')}(?=[.](dist-info|data)/)")
    moved = {place.sub(f"{name}-{new}", member): member for member in sorted(contents)}
    modes = {member: modes[was] for member, was in moved.items()}
    contents = {member: contents[was] for member, was in moved.items()}
    info = f"{name}-{new}.dist-info"
    contents[f"{info}/METADATA"] = _versioned(wheel, contents.get(f"{info}/METADATA", b""), old, new)
    contents.pop(f"{info}/RECORD", None)
    contents[f"{info}/RECORD"] = record(contents, f"{info}/RECORD")
    target = folder / wheel.name.replace(f"{name}-{old}-", f"{name}-{new}-", 1)
    write_atomic(target, pack(contents, modes, epoch))
    return target


def _versioned(wheel: Path, metadata: bytes, old: str, new: str) -> bytes:
    line = re.compile(rb"^Version: *" + re.escape(old.encode()) + rb"[ \r]*$", re.MULTILINE)
    changed, count = line.subn(b"Version: " + new.encode(), metadata, count=1)
    if count != 1:
        raise InputError(f"{wheel.name} has no METADATA that says version {old}.", remedy="Build it again.")
    return changed
