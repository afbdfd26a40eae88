"""What is mounted below a folder, and removing a folder only when nothing is.

Nothing of ours is ever mounted where the host sees it (see process_one.py). But a root file system is a tempting place
for somebody's own `mount --bind`, and a removal that follows it would empty the host's /dev or home folder.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

from wheelhouse.errors import BusyError
from wheelhouse.files import remove_tree

MOUNTINFO = Path("/proc/self/mountinfo")
_ESCAPE = re.compile(r"\\([0-7]{3})")
_TRIES = 5


def points(mountinfo: str) -> list[Path]:
    """Return the mount points of a mountinfo file: its fifth column, in which spaces are written as \\040."""
    found = []
    for line in mountinfo.splitlines():
        columns = line.split(" ")
        if len(columns) > 4:
            found.append(Path(_ESCAPE.sub(lambda match: chr(int(match[1], 8)), columns[4])))
    return found


def mounted_below(folder: Path) -> list[Path]:
    """Return everything that this process sees mounted at `folder` or below it; nothing on a system without Linux."""
    if not MOUNTINFO.exists():
        return []
    place = folder.resolve()
    seen = points(MOUNTINFO.read_text(encoding="utf-8", errors="surrogateescape"))
    return [point for point in seen if point == place or place in point.parents]


def remove(folder: Path) -> None:
    """Remove a folder. Raise BusyError, having touched nothing, when something is mounted in it."""
    mounted = mounted_below(folder)
    if mounted:
        raise BusyError(
            f"{folder} is not removed: {mounted[0]} is mounted there, and its content would be removed as well.",
            remedy=f"This program does not mount there. If you did, `umount {mounted[0]}`, then try again.",
        )
    for attempt in range(_TRIES):
        try:
            remove_tree(folder)
        except OSError:  # the last processes of a killed run may be writing for another moment
            if attempt == _TRIES - 1:
                raise
            time.sleep(0.2 * (attempt + 1))
        else:
            return
