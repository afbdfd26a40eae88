"""Where the runtime's parts are, all below one folder of the cache."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct

from wheelhouse.paths import cache_dir, log_dir

SYSTEM32 = "drive_c/windows/system32"
"""In the prefix."""
FILES = "fs"
"""The folder of a step's output that holds the tree itself, beside the step's record."""
PACKAGES = "packages.txt"
"""In the root's step folder: what it is made of, one name with its version a line."""
HOST = "host.json"
"""In the root's step folder when there is no Debian root: the host's own Wine, see host.py."""


class Ground(Struct, frozen=True, kw_only=True):
    """The file tree in which programs run, and in it Wine's own Windows libraries and its Vulkan driver."""

    tree: str
    windows: str = "/usr/lib/x86_64-linux-gnu/wine/x86_64-windows"
    vulkan: str = "/usr/share/vulkan/icd.d/lvp_icd.json"

    @property
    def libraries(self) -> Path:
        """Return Wine's own Windows libraries as the host names them."""
        return Path(self.tree, self.windows.lstrip("/"))


def base() -> Path:
    """Return the folder of everything."""
    return cache_dir("wine")


def root() -> Path:
    """Return the step folder of the Debian root; the root itself is its FILES."""
    return base() / "root"


def ground() -> Ground:
    """Return what the runtime stands on: the Debian root, or what was noted instead."""
    noted = root() / HOST
    if noted.is_file():
        return msgspec.json.decode(noted.read_bytes(), type=Ground)
    return Ground(tree=str(root() / FILES))


def shim() -> Path:
    """Return the step folder of the compiled d3d12.dll."""
    return base() / "shim"


def rounding() -> Path:
    """Return the step folder of the library that rounds fp16 to the nearest."""
    return base() / "rounding"


def prefix() -> Path:
    """Return the step folder of the Wine prefix."""
    return base() / "prefix"


def archives() -> Path:
    """Return where .deb files are kept until the root is finished, so that a killed set-up does not fetch them anew."""
    return base() / "archives"


def python(key: str) -> Path:
    """Return the step folder of the Windows Python with the packages of `key`."""
    return base() / f"python-{key[:8]}"


def runtime() -> Path:
    """Return the name under which root, both libraries and prefix are locked together; there is no such file."""
    return base() / "runtime"


def use(part: Path) -> Path:
    """Return the name under which the use of `part` is locked: shared by every session, alone by who replaces it."""
    return part.with_name(f"{part.name}.use")


def use_lock(part: Path) -> Path:
    """Return the lock file of `use(part)`, as wheelhouse.file_locks names it."""
    return part.with_name(f".{part.name}.use.lock")


def log(name: str) -> Path:
    """Return the log file of one part of the set-up."""
    return log_dir() / "wine" / f"{name}.log"


def windows(path: Path) -> str:
    """Return how programs in Wine name a path of the host: its whole file system is drive Z:.

    Links are followed here, because an absolute link would lead to another place inside the Debian root.
    """
    return "Z:" + str(path.resolve()).replace("/", "\\")
