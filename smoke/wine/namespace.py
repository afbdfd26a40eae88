"""How a program gets namespaces of its own, what it needs for that, and the SPEC that process_one.py reads."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from wheelhouse.errors import ToolchainError, UnsupportedError, WheelhouseError

SESSION = Path(__file__).resolve().parent / "inside" / "process_one.py"
FAILED = 70
"""The exit code of process_one.py when the session itself, not its program, failed."""

_PROGRAMS = {"setpriv": "util-linux", "unshare": "util-linux", "chroot": "coreutils"}


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What process_one.py is to run and in what surroundings: see there."""

    root: str
    argv: tuple[str, ...]
    prefix: str | None = None
    writable: bool = False
    display: bool = False
    env: Mapping[str, str] = field(default_factory=dict)
    pass_env: tuple[str, ...] = ()
    binds: Mapping[str, str] = field(default_factory=dict)
    plant: Mapping[str, str] = field(default_factory=dict)
    uses: tuple[str, ...] = ()
    cwd: str | None = None
    start: str | None = None

    def text(self) -> str:
        """Return the content of the SPEC file."""
        return json.dumps(asdict(self), indent=1, sort_keys=True)


def isolated(*argv: str) -> tuple[str, ...]:
    """Return the command line that runs `argv` in namespaces that vanish when it, or we, end.

    `setpriv` ends unshare when this process dies, `kill -9` included; unshare ends process 1 of the namespaces with
    itself; and the kernel ends all others with process 1, then removes the mounts, which nobody else sees.
    """
    watched = ("setpriv", "--pdeathsig", "KILL")
    return (*watched, "unshare", "--mount", "--pid", "--ipc", "--fork", "--kill-child=KILL", "--", *argv)


def session(spec: Path) -> tuple[str, ...]:
    """Return the command line that runs the program of a SPEC file; arguments for the program may follow."""
    # -I: nothing of the user's Python settings; the session is a program of its own.
    return isolated(sys.executable, "-I", str(SESSION), str(spec))


def obstacle() -> WheelhouseError | None:
    """Return why this host can never or not now run sessions, or None. Starts nothing."""
    if sys.platform != "linux" or os.uname().machine != "x86_64":
        return UnsupportedError(
            "The Wine runtime needs Linux on x86_64.",
            remedy="On Windows, `invoke smoke --backend dml` uses the system's own DirectML.",
        )
    if os.geteuid() != 0:
        return UnsupportedError(
            "The Wine runtime needs root: it mounts file systems in a namespace of its own.",
            remedy="Run it as root, for example `sudo $(which invoke) wine-setup`.",
        )
    if not _may_mount():
        return UnsupportedError(
            "This container may not mount file systems (it lacks CAP_SYS_ADMIN).",
            remedy="Run it on the machine itself, or start the container with --privileged.",
        )
    missing = sorted({package for name, package in _PROGRAMS.items() if shutil.which(name) is None})
    if missing:
        return ToolchainError(f"Missing: {', '.join(missing)}.", remedy=f"`apt-get install {' '.join(missing)}`.")
    return None


def require() -> None:
    """Raise what stands in the way of sessions on this host, if anything does: see `obstacle`."""
    problem = obstacle()
    if problem is not None:
        raise problem


def _may_mount() -> bool:
    """Return whether this process has CAP_SYS_ADMIN (bit 21 of the effective capabilities)."""
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> 21 & 1)
    return False
