"""Finding a Python of a given minor version: one that pins were verified with, or that a wheel is for."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from wheelhouse.errors import ToolchainError
from wheelhouse.machine.remedies import install

_PROBE = "import sys; print('%d.%d' % sys.version_info[:2])"
_PROBE_SECONDS = 20


def find(version: str) -> tuple[str, ...]:
    """Return the argv prefix that starts a Python of minor version `version` ("3.11"): this one if it is right.

    Raise ToolchainError when this machine has none.
    """
    if version == running():
        return (sys.executable,)
    found = located(version)
    if found is None:
        raise ToolchainError(
            f"Python {version} is needed and was not found (this one is {running()}).", remedy=how_to_get(version)
        )
    return found


def located(version: str) -> tuple[str, ...] | None:
    """Return the argv prefix of a Python of that minor version, on PATH or where its installers put it, or None."""
    return _found(version, os.environ.get("PATH", ""))


def how_to_get(version: str) -> str:
    """Return what to type on this system to have a Python of that version, in a place where `find` looks."""
    return "Install it: " + install(
        windows=f"`winget install Python.Python.{version}`, or without rights `uv python install {version}`",
        debian=f"`apt install python{version} python{version}-venv`, or where there is no such package `pip install uv "
        f"&& uv python install {version}`",
        other=f"`uv python install {version}` (`pip install uv`)",
    )


def choose(versions: Sequence[str]) -> str:
    """Return the one to use of some minor versions that will all do: this Python's, else the first that is found.

    The first of all when none is found: `find` then says what to do.
    """
    if running() in versions:
        return running()
    return next((version for version in versions if located(version) is not None), versions[0])


def running() -> str:
    """Return the minor version of the Python that runs this program: "3.11"."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def python_in(folder: Path) -> Path:
    """Return where a virtual environment has its interpreter."""
    return folder / "Scripts" / "python.exe" if os.name == "nt" else folder / "bin" / "python"


def site_packages(folder: Path, version: str) -> Path:
    """Return where a virtual environment of Python `version` has its packages."""
    if os.name == "nt":
        return folder / "Lib" / "site-packages"
    return folder / "lib" / f"python{version}" / "site-packages"


@cache
def _found(version: str, path: str) -> tuple[str, ...] | None:
    """Look for it once in a run: a candidate may take seconds to say what it is."""
    return next((candidate for candidate in _candidates(version, path) if _version_of(candidate) == version), None)


def _candidates(version: str, path: str) -> Iterator[tuple[str, ...]]:
    """Yield what may start it: every one on PATH, because on Windows they are all called python.exe; then the rest."""
    folders = list(dict.fromkeys(path.split(os.pathsep)))
    for name in (f"python{version}", "python3", "python"):
        found = (shutil.which(name, path=folder) for folder in folders if folder)
        yield from ((program,) for program in dict.fromkeys(found) if program)
    if os.name == "nt" and (launcher := shutil.which("py", path=path)):
        yield (launcher, f"-{version}")
    yield from ((str(program),) for program in _elsewhere(version) if program.is_file())


def _elsewhere(version: str) -> Iterator[Path]:
    """Yield interpreters that need not be on PATH: those of Windows' registry, of uv and of pyenv."""
    yield from _registered(version)
    home, own = Path.home(), "python.exe" if os.name == "nt" else f"bin/python{version}"
    roaming = Path(os.environ.get("APPDATA", home / "AppData" / "Roaming"))
    share = Path(os.environ.get("XDG_DATA_HOME", home / ".local" / "share"))
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR", (roaming if os.name == "nt" else share) / "uv" / "python"))
    yield from _newest_first(folder / own for folder in uv.glob(f"cpython-{version}.*"))
    pyenv = Path(os.environ.get("PYENV_ROOT", home / ".pyenv"))
    kept = pyenv / "pyenv-win" / "versions" if os.name == "nt" else pyenv / "versions"
    yield from _newest_first(folder / own for folder in kept.glob(f"{version}.*"))


def _newest_first(programs: Iterator[Path]) -> list[Path]:
    return sorted(programs, key=lambda path: [int(n) for n in re.findall(r"\d+", str(path))], reverse=True)


def _registered(version: str) -> Iterator[Path]:
    """Yield what installers have written into the registry (PEP 514); nothing on other systems."""
    if sys.platform == "win32":
        import contextlib
        import winreg

        for root in (winreg.HKEY_CURRENT_USER, winreg.HKEY_LOCAL_MACHINE):
            with contextlib.suppress(OSError):
                folder = winreg.QueryValue(root, rf"Software\Python\PythonCore\{version}\InstallPath")
                yield Path(folder) / "python.exe"
    yield from ()


@cache
def _version_of(candidate: tuple[str, ...]) -> str | None:
    """Ask a candidate; a pyenv shim, or Windows' shop alias, is there and still starts nothing.

    Its answer is a version in ASCII; what else it says (the alias: in the user's language and code page) is not read.
    """
    try:
        done = subprocess.run([*candidate, "-c", _PROBE], capture_output=True, timeout=_PROBE_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("ascii", errors="replace").strip()
