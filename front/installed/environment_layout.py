"""Where the parts of a Python environment lie: of this machine's, or of a Windows disk, a Wine prefix, a container."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from wheelhouse.errors import InputError
from wheelhouse.files import by_name

_PACKAGES = re.compile(r"(?:site|dist)-packages", re.IGNORECASE)
_PROGRAMS = ("bin", "scripts")


@dataclass(frozen=True, kw_only=True)
class Places:
    """An environment's folders: its own, those of its packages (first wins), of its python.exe, and of Windows' DLLs.

    `system32` is None where that Windows cannot be seen from here. `python` is "3.12", or "" when no file says it.
    """

    root: Path
    packages: tuple[Path, ...]
    windows: bool
    python: str = ""
    programs: Path | None = None
    system32: Path | None = None


def find(given: Path) -> Places:
    """Return the places of the environment that a path means: its Python, its folder, or its packages' folder.

    A bare name is looked for on PATH, as a shell does. Raise InputError when it is none of these.
    """
    given = given.expanduser()
    if not given.exists() and len(given.parts) == 1 and (on_path := shutil.which(given.name)):
        given = Path(on_path)
    if not given.exists() and not given.is_symlink():
        raise InputError(f"There is no {given}.", remedy=_REMEDY)
    root = _root(given)
    packages = [given] if given.is_dir() and _PACKAGES.fullmatch(given.name) else list(_packages(root))
    settings = _settings(root)
    if settings.get("include-system-site-packages", "").lower() == "true":
        packages += _packages(_root(Path(settings.get("home", ""))))
    if not packages:
        raise InputError(f"{given} is no Python environment: no site-packages below {root}.", remedy=_REMEDY)
    programs = next((f for f in (root, child(root, "scripts")) if f and child(f, "python.exe")), None)
    return Places(
        root=root,
        packages=tuple(dict.fromkeys(packages)),
        windows=programs is not None or any(p.parent.name.lower() == "lib" for p in packages),
        python=_python(root, packages, settings),
        programs=_base_programs(settings) or programs,
        system32=_system32(root),
    )


_REMEDY = "Give the python(.exe) of an environment, its folder, or its site-packages."


def child(folder: Path, *names: str) -> Path | None:
    """Return what lies there under these names, whatever their case: Windows' names on another system's disk."""
    found: Path | None = folder
    for name in names:
        try:
            entries = sorted(found.iterdir(), key=by_name) if found else []
        except OSError:
            return None
        found = next((entry for entry in entries if entry.name.lower() == name.lower()), None)
    return found


def _root(given: Path) -> Path:
    """Return the environment's own folder; links are not followed, because an environment's python is one."""
    if given.is_dir() and _PACKAGES.fullmatch(given.name):
        above = given.absolute().parent
        return above.parent if above.name.lower() == "lib" else above.parent.parent
    folder = given.absolute() if given.is_dir() else given.absolute().parent
    return folder.parent if folder.name.lower() in _PROGRAMS else folder


def _packages(root: Path) -> Iterator[Path]:
    if (windows := child(root, "lib", "site-packages")) is not None:
        yield windows
    for library in ("lib", "lib64", "local/lib"):
        for pattern in ("python3*/site-packages", "python3*/dist-packages"):
            there = (p for p in (root / library).glob(pattern) if p.is_dir() and not p.parent.is_symlink())
            yield from sorted(there, key=by_name)


def _settings(root: Path) -> dict[str, str]:
    """Return the content of pyvenv.cfg, empty for what is no virtual environment."""
    try:
        lines = (root / "pyvenv.cfg").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    return {key.strip().lower(): value.strip() for key, mark, value in (line.partition("=") for line in lines) if mark}


def _python(root: Path, packages: list[Path], settings: dict[str, str]) -> str:
    said = settings.get("version") or settings.get("version_info") or ""
    dlls = [m for p in root.glob("[Pp]ython3*.[Dd][Ll][Ll]") if (m := re.fullmatch(r"python3(\d+)", p.stem.lower()))]
    folders = [m for p in packages if (m := re.fullmatch(r"python3\.(\d+)t?", p.parent.name))]
    if found := re.match(r"3\.\d+", said):
        return found[0]
    return f"3.{(dlls or folders)[0][1]}" if dlls or folders else ""


def _base_programs(settings: dict[str, str]) -> Path | None:
    """Return the folder of the python.exe that a virtual environment starts, which is where Windows looks for DLLs."""
    home = Path(settings["home"]) if settings.get("home") else None
    return home if home is not None and home.is_dir() and child(home, "python.exe") else None


def _system32(root: Path) -> Path | None:
    if os.name == "nt":
        return child(Path(os.environ.get("SYSTEMROOT", r"C:\Windows")), "system32")
    found = (child(above, "windows", "system32") for above in (root, *root.parents))
    return next((folder for folder in found if folder is not None), None)
