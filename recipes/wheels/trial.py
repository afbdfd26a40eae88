"""Trying finished wheels out, as far as this machine can: installed into a fresh environment, imported, smoked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wheelhouse import scratch
from wheelhouse.console import say
from wheelhouse.errors import StepFailedError
from wheelhouse.files import sha256_bytes, sha256_file, write_atomic
from wheelhouse.machine.interpreters import python_in
from wheelhouse.paths import cache_dir, log_dir
from wheelhouse.process import Command, Completed, run
from wheelhouse.processes.own_settings import for_pip

State = Literal["built", "smoked"]
IMPORTED = "dml-wheelhouse: imported"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """How far it came: "smoked", or only "built", with the reason."""

    state: State
    note: str = ""


def try_out(wheels: Sequence[Path], *, python: str, module: str, smoke: Sequence[str], why_not: str = "") -> Trial:
    """Install the wheels for one Python, import `module` and run the recipe's `smoke` lines; `why_not`: it cannot be.

    What passed once is not tried again. Raise StepFailedError when they do not install or import although their
    requirements are there: such wheels are removed from their folder first.
    """
    if why_not:
        return Trial(state="built", note=why_not)
    content = {wheel.name: sha256_file(wheel) for wheel in wheels}
    key = sha256_bytes(json.dumps([content, python, module, list(smoke)], sort_keys=True).encode())
    passed = cache_dir("trials", key)
    if passed.is_file():
        return Trial(state="smoked")
    say(f"try out {', '.join(content)}")
    with scratch.folder() as folder:
        try:
            trial = _try(
                wheels,
                python,
                "\n".join([f"import {module}", f"print({IMPORTED!r}, flush=True)", *smoke]),
                folder,
            )
        except StepFailedError:
            for wheel in wheels:
                wheel.unlink(missing_ok=True)
            raise
    if trial.state == "smoked":
        write_atomic(passed, "\n".join(content) + "\n")
    return trial


def _try(wheels: Sequence[Path], python: str, code: str, folder: Path) -> Trial:
    """Requirements come from an index only if the wheels do not do without them: a trial works offline if it can."""
    _run(folder, (python, "-m", "venv", str(folder / "v")), "environment")
    fresh = str(python_in(folder / "v"))
    pip = (fresh, "-I", "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet")
    _run(folder, (*pip, "--no-index", "--no-deps", *map(for_pip, wheels)), "install")
    argv = (fresh, "-I", "-X", "utf8", "-c", code)
    done = _run(folder, argv, "smoke", check=False)
    if done.returncode:
        missing = _run(folder, (*pip, "--retries", "1", *map(for_pip, wheels)), "requirements", check=False)
        if missing.returncode:
            return Trial(state="built", note="not tried: an index to install its requirements from was not reached")
        done = _run(folder, argv, "smoke", check=False)
    if done.returncode == 0:
        return Trial(state="smoked")
    reason = done.tail[-1].strip() if done.tail else f"exit code {done.returncode}"
    if done.log and IMPORTED in done.log.read_text(encoding="utf-8", errors="replace").splitlines():
        return Trial(state="built", note=f"imported, but its smoke failed here: {reason}")
    raise StepFailedError(
        f"{wheels[-1].name} installs but cannot be imported: {reason}",
        remedy="The wheels were removed again. The log has the whole output.",
        log=done.log,
    )


def _run(folder: Path, argv: tuple[str, ...], what: str, *, check: bool = True) -> Completed:
    command = Command(argv=argv, cwd=folder, timeout=900, temporary=folder / ".temporary")
    return run(command, log=log_dir() / f"trial-{what}.log", check=check, echo=False)
