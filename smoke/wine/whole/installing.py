"""The project as a user has it on Windows: a checkout in the profile, `venv`, and `pip install -e` in it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from smoke.wine.whole import machine as windows
from smoke.wine.whole import pythons
from smoke.wine.whole.machine import Machine
from wheelhouse.console import task
from wheelhouse.errors import ToolchainError
from wheelhouse.file_locks import locked
from wheelhouse.files import remove_tree, require_space, sha256_bytes, sha256_file, write_atomic
from wheelhouse.paths import ROOT, log_dir
from wheelhouse.process import Command, run

_SECONDS = 1800.0
_MADE_FROM = "installed-from.txt"
"""In the virtual environment: what it was made from."""


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
    argv = ["git", "-c", "safe.directory=*", "-C", str(source), "ls-files", "-z", "-co", "--exclude-standard"]
    try:
        done = subprocess.run(argv, capture_output=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        raise ToolchainError(
            f"git cannot say what belongs to {source}.", remedy="It has to be a clone, and git on PATH."
        ) from error
    return [name for name in done.stdout.decode("utf-8").split("\0") if name]


def _copy(source: Path, target: Path) -> None:
    own = source.stat()
    if target.is_file():
        there = target.stat()
        if (there.st_size, there.st_mtime_ns) == (own.st_size, own.st_mtime_ns):
            return
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)


def _install(machine: Machine, start: tuple[str, ...]) -> None:
    python = next(each for each in pythons.recipe().pythons if each.minor == machine.minor)
    wanted = sha256_bytes(f"{pythons.step(python).key} {sha256_file(ROOT / 'pyproject.toml')}".encode())
    environment = machine.checkout / machine.environment
    note = environment / _MADE_FROM
    if note.is_file() and note.read_text(encoding="utf-8") == wanted:
        return
    require_space(environment, pythons.recipe().size, "The project in Windows Python")
    remove_tree(environment)
    words = (
        (windows.program_of(machine.minor), "-m", "venv", machine.environment),
        (machine.python, "-m", "pip", "install", "--quiet", "-e", ".[test]"),
    )
    for number, argv in enumerate(words):
        log = log_dir() / "wine" / f"install-{machine.minor}-{number}.log"
        with task(f"Windows Python {machine.minor}: {' '.join(argv[1:])}") as shown:
            run(Command(argv=(*start, *argv), timeout=_SECONDS), log=log, on_line=shown.update)
    write_atomic(note, wanted)
