"""Where things are: the checkout, and the one cache folder that everything regenerable lives in."""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path, PurePath

from wheelhouse.console.plain import plain
from wheelhouse.errors import InputError, UsageError

ROOT = Path(__file__).resolve().parent.parent
"""The checkout: the folder that holds tasks.py."""

CACHE_VARIABLE = "DML_WHEELHOUSE_CACHE"
SHORT = ".dmlw"
"""The cache's folder in the profile of a Windows user whose checkout lies too deep."""
LONGEST_PATH = 259
"""Characters that Windows takes where long paths are off, and that the buffers of many programs hold anywhere."""
SHORT_NAME = 12
"""Characters that Windows keeps free in the path of a folder: for a backslash and a name of DOS in it."""
BELOW_CACHE = 229
"""Characters that the cache's longest path has below it: a licence that torch brings, while its environment is made."""
LOADED_BELOW_CACHE = 144
"""Of what programs load from it, the longest: a library of scikit-learn."""
SWITCH = (
    "`New-ItemProperty HKLM:\\SYSTEM\\CurrentControlSet\\Control\\FileSystem LongPathsEnabled -Value 1 "
    "-PropertyType DWord -Force` as administrator"
)
CLONE_SHORTER = "Clone the project again into a short folder such as C:\\w"
CACHE_SHORTER = f"Set {CACHE_VARIABLE} to a short folder such as C:\\w"
"""What helps against paths that get too long, for remedies."""


def cache_dir(*parts: str) -> Path:
    """Return a path in the cache folder: $DML_WHEELHOUSE_CACHE, or `own_cache` of the checkout. Creates nothing.

    Raise UsageError when the variable's value is not UTF-8 or holds control characters.
    """
    base = os.environ.get(CACHE_VARIABLE)
    if base and plain(base) != base:
        raise UsageError(
            f"{CACHE_VARIABLE} names a folder with characters that no program shows: '{base}'.",
            remedy="Name another folder: this one cannot be written into logs and reports.",
        )
    return (Path(base).expanduser().resolve() if base else _own_cache()).joinpath(*parts)


def _own_cache() -> Path:
    if sys.platform == "win32":
        home = Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home() raises where there is none
        return Path(own_cache(ROOT, home, long_paths=long_paths()))
    return ROOT / ".cache"


def own_cache(root: PurePath, home: PurePath, *, long_paths: bool | None) -> PurePath:
    """Return the cache folder of a checkout on Windows: `.cache` in it, or if paths there get too long, one in `home`.

    Where `long_paths` are on, only what programs load counts: it passes through buffers of their own.
    """
    near, far = root / ".cache", home / SHORT
    below = LOADED_BELOW_CACHE if long_paths else BELOW_CACHE
    shorter = far.is_absolute() and characters(far) < characters(near)
    return far if shorter and too_long(near, below) else near


def characters(path: PurePath) -> int:
    """Return the length of a path as Windows counts it: in UTF-16."""
    return len(str(path).encode("utf-16-le", "surrogatepass")) // 2


@cache
def long_paths() -> bool | None:
    """Return whether Windows takes paths of any length; None where that is not known, and on other systems."""
    if sys.platform == "win32":
        import winreg

        try:
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"SYSTEM\CurrentControlSet\Control\FileSystem") as key:
                return bool(winreg.QueryValueEx(key, "LongPathsEnabled")[0])
        except OSError:
            return None
    return None


def limited() -> bool:
    """Return whether this system takes no path that is longer than LONGEST_PATH."""
    return sys.platform == "win32" and not long_paths()


def too_long(folder: PurePath, below: int) -> str:
    """Return what is wrong with a folder on a Windows without long paths that is to hold paths of `below` characters.

    Return "" where they fit.
    """
    if characters(folder) + 1 + below <= LONGEST_PATH:
        return ""
    return (
        f"{folder} is {characters(folder)} characters long, and what is to lie below it has up to {below}: "
        f"Windows takes {LONGEST_PATH} while long paths are off"
    )


def require_short(folder: PurePath, below: int, *, remedy: str) -> None:
    """Raise InputError where this system does not take paths of `below` characters in `folder`."""
    if limited() and (wrong := too_long(folder, below)):
        raise InputError(f"{wrong}.", remedy=f"{remedy}, or {SWITCH}.")


def wheels_dir() -> Path:
    """Return the folder that finished wheels and their index are written to."""
    return ROOT / "wheels"


def third_party_dir() -> Path:
    """Return the folder that upstream sources and published binaries are fetched into."""
    return ROOT / "third_party"


def log_dir() -> Path:
    """Return the folder for the logs of processes."""
    return cache_dir("logs")


def resolved(path: Path) -> Path:
    """Return the path without links, or where the system cannot follow it, as it is from the drive on.

    Wine follows no path of more than some 265 characters, Windows none on some drives.
    """
    try:
        return path.resolve()
    except OSError:
        return Path(os.path.abspath(path))  # noqa: PTH100 - takes `..` out, too


def display(path: Path) -> str:
    """Return the path as a person would say it: relative to the working directory where it lies below it."""
    try:
        return str(resolved(path).relative_to(Path.cwd()))
    except ValueError:
        return str(path)
