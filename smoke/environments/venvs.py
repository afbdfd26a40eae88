"""Making a virtual environment from pins: `venv`, then pip, with pip's failures explained.

A virtual environment is built beside its place and renamed, like every step's output. Python itself does not mind
(its paths are relative to pyvenv.cfg), the console scripts do: their first line names the folder they were installed
into. So they are removed, and tools are started as `python -m tool`.
"""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from smoke.environments import pip
from smoke.environments.environment_recipes import EnvironmentRecipe
from smoke.environments.wheel_fit import distribution, requirements
from wheelhouse import process
from wheelhouse.console import task, warn
from wheelhouse.errors import ToolchainError
from wheelhouse.files import require_space
from wheelhouse.machine import interpreters
from wheelhouse.machine.interpreters import python_in
from wheelhouse.paths import CACHE_SHORTER, SHORT_NAME, log_dir, require_short
from wheelhouse.process import Command
from wheelhouse.processes.own_settings import for_pip


def make(folder: Path, *, name: str, recipe: EnvironmentRecipe, version: str, wheels: Sequence[Path]) -> None:
    """Fill the empty `folder` with a virtual environment: the recipe's packages, or `wheels` for the replaceable ones.

    Raise ToolchainError, NetworkError, ResourceError or StepFailedError; InputError where the folder lies too deep.
    """
    require_short(folder, max(recipe.deepest, *map(_deepest, wheels), 0), remedy=CACHE_SHORTER)
    require_space(folder, int(recipe.size * 1.1), f"The environment '{name}'")
    base = interpreters.find(version)
    what = f" with {', '.join(wheel.name for wheel in wheels)}" if wheels else f": {recipe.label}"
    with task(f"environment {name}{what}") as shown:
        installer = _bare(folder, base, name)
        pins = folder / "pins.txt"
        kept = [pin for pin in recipe.packages if not wheels or _still_wanted(pin, recipe, wheels)]
        pins.write_text("\n".join(kept) + "\n", encoding="utf-8", newline="\n")
        shown.progress(0, len(kept), unit="packages")
        temporary = folder / pip.TEMPORARY
        pip.install(installer, ["--no-deps", "-r", str(pins)], title=f"{name}-pins", shown=shown, temporary=temporary)
        if recipe.resolved:
            wanted = ["-c", str(pins), *recipe.resolved]
            pip.install(installer, wanted, title=f"{name}-resolved", shown=shown, temporary=temporary)
            _warn_about_cuda(folder)
        if wheels:
            chosen = [*_beside(wheels), "-c", str(pins), *map(for_pip, wheels)]
            pip.install(installer, chosen, title=f"{name}-wheels", shown=shown, temporary=temporary)
    _remove_scripts(folder)


def _deepest(wheel: Path) -> int:
    """Return the length of the longest path that a wheel brings into an environment on Windows."""
    with zipfile.ZipFile(wheel) as content:
        names = [PurePosixPath("Lib/site-packages", name) for name in content.namelist()]
    return max((max(len(str(name)), len(str(name.parent)) + SHORT_NAME) for name in names), default=0)


def _bare(folder: Path, base: tuple[str, ...], name: str) -> tuple[str, ...]:
    """Make the virtual environment without pip in it; return the argv prefix of a pip that installs into it.

    Our own Python's pip serves where it can (`pip --python`): that saves unpacking one, and works on Debian without
    `python3-venv`, whose absence only breaks `ensurepip`.
    """
    log = log_dir() / "environments" / f"{name}-venv.log"
    process.run(Command(argv=(*base, "-m", "venv", "--without-pip", str(folder)), timeout=120), log=log)
    if own := pip.own(python_in(folder)):
        return own
    target = str(python_in(folder))
    done = process.run(Command(argv=(target, "-m", "ensurepip", "--default-pip"), timeout=300), log=log, check=False)
    if done.returncode != 0:
        raise ToolchainError(
            f"Neither {sys.executable} nor {base[0]} has pip.",
            remedy=f"Install it (Debian, Ubuntu: `apt install python3-pip {Path(base[0]).name}-venv`).",
            log=log,
        )
    return (target, "-m", "pip")


def _still_wanted(pin: str, recipe: EnvironmentRecipe, wheels: Sequence[Path]) -> bool:
    """Say whether a pin holds beside `wheels`: one that they replace does only if they ask for it and allow it.

    So a GenAI wheel that is content with the pinned ONNX Runtime gets that, and not whatever is newest today.
    """
    pinned = Requirement(pin)
    name = canonicalize_name(pinned.name)
    if name not in recipe.replaceable:
        return True
    if any(distribution(wheel) == name for wheel in wheels):
        return False
    version = next(iter(pinned.specifier)).version
    asked = [r for wheel in wheels for r in requirements(wheel) if canonicalize_name(r.name) == name]
    return bool(asked) and all(r.specifier.contains(version, prereleases=True) for r in asked)


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
