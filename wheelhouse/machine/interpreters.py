"""Finding a Python of a given minor version: the one that pins were verified with, or that a wheel is for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from wheelhouse.errors import ToolchainError

_PROBE = "import sys; print('%d.%d' % sys.version_info[:2])"
_PROBE_SECONDS = 20


def find(version: str) -> tuple[str, ...]:
    """Return the argv prefix that starts a Python of minor version `version` ("3.11"): this one if it is right.

    Raise ToolchainError when this machine has none.
    """
    if version == running():
        return (sys.executable,)
    for candidate in _candidates(version):
        if _version_of(candidate) == version:
            return candidate
    raise ToolchainError(
        f"Python {version} is needed and was not found (this one is {running()}).",
        remedy=f"Install it (Debian, Ubuntu: `apt install python{version} python{version}-venv`; Windows: "
        f"`winget install Python.Python.{version}`; anywhere: `uv python install {version}`) so that "
        f"`python{version}` or `py -{version}` starts it.",
    )


def running() -> str:
    """Return the minor version of the Python that runs this program: "3.11"."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def python_in(folder: Path) -> Path:
    """Return where a virtual environment has its interpreter."""
    return folder / "Scripts" / "python.exe" if os.name == "nt" else folder / "bin" / "python"


def _candidates(version: str) -> Iterator[tuple[str, ...]]:
    """Yield what may start it: every one on PATH, because on Windows they are all called python.exe."""
    folders = list(dict.fromkeys(os.environ.get("PATH", "").split(os.pathsep)))
    for name in (f"python{version}", "python3", "python"):
        found = (shutil.which(name, path=folder) for folder in folders if folder)
        yield from ((program,) for program in dict.fromkeys(found) if program)
    if os.name == "nt" and (launcher := shutil.which("py")):
        yield (launcher, f"-{version}")


def _version_of(candidate: tuple[str, ...]) -> str | None:
    """Ask a candidate; a pyenv shim, or Windows' shop alias, is there and still starts nothing."""
    try:
        done = subprocess.run(
            [*candidate, "-c", _PROBE], capture_output=True, text=True, timeout=_PROBE_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
