"""Unpacking archives that others made, without letting them write elsewhere."""

from __future__ import annotations

import os
import re
import sys
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

from wheelhouse.console import warn
from wheelhouse.errors import IntegrityError
from wheelhouse.files import human_size

MAX_UNPACKED = 20 << 30
"""Most bytes that an archive may unpack to: ONNX Runtime with all that it depends on has a tenth of it."""
MAX_RATIO, FLOOR = 200, 256 << 20
"""An archive that unpacks to more than FLOOR bytes, and so many times its own size, holds nothing but repetition."""
MAX_MEMBERS = 500_000

_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *([.:].*)?", re.IGNORECASE | re.DOTALL)
_IMPOSSIBLE = re.compile(r'[<>:"|?*\x00-\x1f]')


def not_for_windows(name: str) -> str:
    """Return why Windows cannot keep a file by this relative name with `/` in it ("" when it can)."""
    for part in name.split("/"):
        if _DEVICE.fullmatch(part):
            return f"'{part}' is a device there"
        if found := _IMPOSSIBLE.search(part):
            return f"no name there has {found[0]!r} in it"
        if part != part.rstrip(". ") and part not in {".", ".."}:
            return f"'{part}' would lose its end there"
    return ""


def twins(names: Iterable[str]) -> list[tuple[str, str]]:
    """Return the names that Windows takes for one: they differ in upper and lower case only."""
    seen: dict[str, str] = {}
    firsts = ((seen.setdefault(name.rstrip("/").casefold(), name), name) for name in names)
    return [(first, name) for first, name in firsts if first.rstrip("/") != name.rstrip("/")]


def _warn_of_twins(archive: Path, names: Iterable[str]) -> None:
    for first, second in twins(names) if sys.platform == "win32" else ():
        warn(
            f"{archive.name} has {first} and {second}, which are one file on Windows: the second is what is there now."
        )


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a ZIP (NuGet packages are ZIPs) or tar archive into `folder`, owned by the current user.

    Raise IntegrityError for a damaged archive, a member that would lie or point outside of `folder`, and devices.
    """
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                _refuse_outside(opened.namelist())
                _refuse_bombs(archive, (info.file_size for info in opened.infolist()))
                _warn_of_twins(archive, opened.namelist())
                opened.extractall(folder)  # noqa: S202 - a ZIP, whose names were looked at
        else:
            _extract_tar(archive, folder)
    except IntegrityError:
        raise
    except Exception as error:  # zipfile and tarfile raise whatever a damaged archive provokes
        raise IntegrityError(
            f"{archive.name} cannot be unpacked ({error}).", remedy="Remove it and run again."
        ) from error


def _refuse_outside(names: Iterable[str]) -> None:
    """zipfile itself would drop what leads outside; an archive that has it is not what it should be.

    On Windows it would also write to devices, and change names.
    """
    for name in names:
        if sys.platform == "win32" and (why := not_for_windows(name)):
            raise zipfile.BadZipFile(f"'{name}': {why}")
        if name.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", name) or ":" in name:
            raise zipfile.BadZipFile(f"'{name}' would lie outside")


def _refuse_bombs(archive: Path, sizes: Iterable[int]) -> None:
    """Raise IntegrityError as soon as the sizes of members, as the archive states them, are beyond what is sane."""
    packed, total = archive.stat().st_size, 0
    for count, size in enumerate(sizes, 1):
        total += size
        if total > MAX_UNPACKED or count > MAX_MEMBERS or (total > FLOOR and total > MAX_RATIO * packed):
            raise IntegrityError(
                f"{archive.name} ({human_size(packed)}) would unpack to over {human_size(total)}, {count} files.",
                remedy="Nothing was unpacked. Look at where it comes from; no source that is built here is like that.",
            )


def _extract_tar(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as looked_at:
        _refuse_bombs(archive, (member.size for member in looked_at))
        _warn_of_twins(archive, looked_at.getnames())
        if sys.platform == "win32":
            for name in looked_at.getnames():
                if why := not_for_windows(name):
                    raise tarfile.TarError(f"'{name}': {why}")
    with tarfile.open(archive) as opened:
        if hasattr(tarfile, "data_filter"):
            opened.extractall(folder, filter="data")
        else:  # Python before 3.11.4, which Debian 12 has; one by one, as a link that is there counts for the next
            opened.extractall(folder, members=(_checked(member, folder) for member in opened))  # noqa: S202


def _checked(member: tarfile.TarInfo, folder: Path) -> tarfile.TarInfo:
    """Return a member that is safe to unpack now; what tarfile's own "data" filter refuses, is refused."""
    if not (member.isfile() or member.isdir() or member.issym() or member.islnk()):
        raise tarfile.TarError(f"'{member.name}' is neither a file, a folder nor a link")
    base = folder.resolve()
    places = [base / member.name]
    if member.issym():
        places.append(places[0].parent / member.linkname)
    elif member.islnk():
        places.append(base / member.linkname)
    if not all(place.resolve().is_relative_to(base) for place in places):
        raise tarfile.TarError(f"'{member.name}' would lie or point outside")
    member.mode &= 0o755
    if hasattr(os, "getuid"):
        member.uid, member.gid, member.uname, member.gname = os.getuid(), os.getgid(), "", ""
    return member
