"""Making a virtual environment from pins: `venv`, then pip, with pip's failures explained.

A virtual environment is built beside its place and renamed, like every step's output. Python itself does not mind
(its paths are relative to pyvenv.cfg), the console scripts do: their first line names the folder they were installed
into. So they are removed, and tools are started as `python -m tool`.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from smoke import interpreters
from smoke.catalogue import EnvironmentRecipe
from smoke.interpreters import python_in
from wheelhouse import process
from wheelhouse.console import Task, task, warn
from wheelhouse.errors import NetworkError, ResourceError, StepFailedError, ToolchainError, WheelhouseError
from wheelhouse.files import require_space
from wheelhouse.paths import log_dir
from wheelhouse.process import Command

PIP_SECONDS = 3600.0
_OPTIONS = ("--disable-pip-version-check", "--no-input", "--progress-bar", "off", "--no-compile")
_UNREACHABLE = re.compile(
    r"NewConnectionError|ConnectTimeout|ReadTimeout|ProxyError|SSLError|Max retries exceeded|Connection refused"
    r"|Temporary failure in name resolution|Name or service not known|Network is unreachable|ConnectionResetError",
)
_MISSING = re.compile(r"No matching distribution found for (.+)|Could not find a version that satisfies .*? (\S+==\S+)")
_PIP_WITH_PYTHON_OPTION = (22, 3)


def make(folder: Path, *, name: str, recipe: EnvironmentRecipe, version: str, wheels: Sequence[Path]) -> None:
    """Fill the empty `folder` with a virtual environment: the recipe's packages, or `wheels` for the replaceable ones.

    Raise ToolchainError, NetworkError, ResourceError or StepFailedError.
    """
    require_space(folder, int(recipe.size * 1.1), f"The environment '{name}'")
    base = interpreters.find(version)
    with task(f"environment {name}: {recipe.label}") as shown:
        pip = _bare(folder, base, name)
        pins = folder / "pins.txt"
        kept = [pin for pin in recipe.packages if not (wheels and _package(pin) in recipe.replaceable)]
        pins.write_text("\n".join(kept) + "\n", encoding="utf-8")
        _install(pip, ["--no-deps", "-r", str(pins)], f"{name}-pins", shown)
        if recipe.resolved:
            _install(pip, ["-c", str(pins), *recipe.resolved], f"{name}-resolved", shown)
            _warn_about_cuda(folder)
        if wheels:
            _install(pip, [*_beside(wheels), "-c", str(pins), *map(str, wheels)], f"{name}-wheels", shown)
    _remove_scripts(folder)


def _bare(folder: Path, base: tuple[str, ...], name: str) -> tuple[str, ...]:
    """Make the virtual environment without pip in it; return the argv prefix of a pip that installs into it.

    Our own Python's pip serves where it can (`pip --python`): that saves unpacking one, and works on Debian without
    `python3-venv`, whose absence only breaks `ensurepip`.
    """
    log = log_dir() / "environments" / f"{name}-venv.log"
    process.run(Command(argv=(*base, "-m", "venv", "--without-pip", str(folder)), timeout=120), log=log)
    target = str(python_in(folder))
    if _own_pip_can():
        return (sys.executable, "-m", "pip", "--python", target)
    done = process.run(Command(argv=(target, "-m", "ensurepip", "--default-pip"), timeout=300), log=log, check=False)
    if done.returncode != 0:
        raise ToolchainError(
            f"Neither {sys.executable} nor {base[0]} has pip.",
            remedy=f"Install it (Debian, Ubuntu: `apt install python3-pip {Path(base[0]).name}-venv`).",
            log=log,
        )
    return (target, "-m", "pip")


def _own_pip_can() -> bool:
    if importlib.util.find_spec("pip") is None:
        return False
    found = tuple(int(part) for part in importlib.metadata.version("pip").split(".")[:2])
    return found >= _PIP_WITH_PYTHON_OPTION


def _install(pip: tuple[str, ...], arguments: Sequence[str], title: str, shown: Task) -> None:
    log = log_dir() / "environments" / f"{title}.log"
    command = Command(argv=(*pip, "install", *_OPTIONS, *arguments), timeout=PIP_SECONDS)
    try:
        process.run(command, log=log, on_line=shown.update)
    except StepFailedError as error:
        raise explain(error, log) from error


def explain(error: StepFailedError, log: Path) -> WheelhouseError:
    """Return what pip's failure means for a person, judged by the output in `log`; `error` itself if unknown."""
    output = log.read_text(encoding="utf-8", errors="replace")
    if "No space left on device" in output:
        return ResourceError(
            "The disk filled up while packages were being installed.",
            remedy="Free some space, or set DML_WHEELHOUSE_CACHE to a folder on a larger disk.",
            log=log,
        )
    if _UNREACHABLE.search(output):
        return NetworkError(
            "pip cannot reach the package index.",
            remedy="Check the network and `pip config list` (index, proxy, certificate), then run the same again: "
            "what is finished is kept. For a machine without network, `pip download` the pins in "
            "recipes/environments elsewhere and name that folder in PIP_FIND_LINKS.",
            log=log,
        )
    if found := _MISSING.search(output):
        return NetworkError(
            f"The package index that pip uses does not offer {found[1] or found[2]}.",
            remedy="`pip config list` shows which index that is; use PyPI, or a mirror that has this version.",
            log=log,
        )
    return error


def _package(pin: str) -> str:
    return pin.split("==", maxsplit=1)[0].strip().lower().replace("_", "-")


def _beside(wheels: Sequence[Path]) -> list[str]:
    """Let pip find a wheel's counterpart in the same folder: of a pair, giving one is enough."""
    folders = dict.fromkeys(str(wheel.parent) for wheel in wheels)
    return [argument for folder in folders for argument in ("--find-links", folder)]


def _warn_about_cuda(folder: Path) -> None:
    if any(folder.glob("[Ll]ib/**/site-packages/nvidia")):
        warn(
            "pip took a CUDA build of torch: gigabytes that nothing here uses. Name the index of torch's CPU builds "
            "in pip's configuration (extra-index-url) and remove this environment to have the small one."
        )


def _remove_scripts(folder: Path) -> None:
    for script in python_in(folder).parent.iterdir():
        if not script.name.lower().startswith(("python", "pythonw", "vcruntime", "msvcp")):
            script.unlink()
