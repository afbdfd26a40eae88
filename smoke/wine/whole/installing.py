"""The project as a user has it on Windows: a checkout in the profile, `venv`, and `pip install -e` in it."""

from __future__ import annotations

import json
import shutil
import tomllib
from pathlib import Path

from smoke.wine.whole import machine as windows
from smoke.wine.whole import pythons
from smoke.wine.whole.machine import Machine
from wheelhouse.console import task
from wheelhouse.errors import StepFailedError, ToolchainError
from wheelhouse.file_locks import locked
from wheelhouse.files import remove_tree, require_space, sha256_bytes, write_atomic
from wheelhouse.paths import ROOT, log_dir
from wheelhouse.process import Command, run

INSTALL = ("-m", "pip", "install", "--editable", ".[test]")
"""What a user types after `python`; the workflow for Windows, too."""
_SECONDS = 1800.0


def ensure(machine: Machine) -> tuple[str, ...]:
    """Bring the checkout up to date and install it, unless it is; return what starts a program in it.

    Raise ToolchainError without git, NetworkError or StepFailedError with pip's words.
    """
    with locked(machine.home):
        start = windows.started(machine)
        copy_checkout(ROOT, machine.checkout)
        _install(machine, start)
    return start


def copy_checkout(source: Path, target: Path) -> None:
    """Make `target` hold what git has or would take of `source`, and nothing that was there before."""
    listed = target.with_name(f".{target.name}.files")
    before = set(listed.read_text(encoding="utf-8").split("\0")) if listed.is_file() else set()
    now = [name for name in _files(source) if (source / name).is_file()]
    for name in sorted(before.difference(now)):
        if name:
            (target / name).unlink(missing_ok=True)
    for name in now:
        _copy(source / name, target / name)
    write_atomic(listed, "\0".join(now))


def _files(source: Path) -> list[str]:
    """Return the files that git has or would take, relative to `source`."""
    lines: list[str] = []
    git = ("git", "-c", "safe.directory=*", "-c", "core.quotepath=off", "-C", str(source))
    log = log_dir() / "wine" / "checkout.log"
    try:
        listing = Command(argv=(*git, "ls-files", "-co", "--exclude-standard"), timeout=60)
        run(listing, log=log, echo=False, on_line=lines.append)
    except StepFailedError as error:
        raise ToolchainError(
            f"git cannot say what belongs to {source}.", remedy="It has to be a clone.", log=log
        ) from error
    return lines


def _copy(source: Path, target: Path) -> None:
    own = source.stat()
    if target.is_file():
        there = target.stat()
        if (there.st_size, there.st_mtime_ns) == (own.st_size, own.st_mtime_ns):
            return
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)


def _install(machine: Machine, start: tuple[str, ...]) -> None:
    """Make the virtual environment unless it is there, and let pip follow what pyproject.toml says of the project."""
    python = next(each for each in pythons.recipe().pythons if each.minor == machine.minor)
    environment = machine.checkout / machine.environment
    venv = (windows.program_of(machine.minor), "-m", "venv", machine.environment)
    pip = (machine.python, *INSTALL, "--quiet")
    if _open(environment / "made-from.txt", pythons.step(python).key):
        require_space(environment, pythons.recipe().size, "The project in Windows Python")
        remove_tree(environment)
        _run(machine, "venv", (*start, *venv))
        write_atomic(environment / "made-from.txt", pythons.step(python).key)
    wanted = project_key((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    if _open(environment / "installed.txt", wanted):
        _run(machine, "pip", (*start, *pip))
        write_atomic(environment / "installed.txt", wanted)


def _open(note: Path, wanted: str) -> bool:
    """Return whether it has still to be done: the note does not say that it is."""
    return not note.is_file() or note.read_text(encoding="utf-8") != wanted


def project_key(text: str) -> str:
    """Return what identifies what pip makes of a pyproject.toml: how tests and checkers are set up is not of it."""
    tables = tomllib.loads(text)
    decisive = (tables["build-system"], tables["project"], tables.get("tool", {}).get("scikit-build"))
    return sha256_bytes(json.dumps(decisive, sort_keys=True).encode())


def _run(machine: Machine, name: str, argv: tuple[str, ...]) -> None:
    log = log_dir() / "wine" / f"whole-{machine.minor}-{name}.log"
    with task(f"Windows Python {machine.minor}: {name}") as shown:
        run(Command(argv=argv, timeout=_SECONDS), log=log, on_line=shown.update)
