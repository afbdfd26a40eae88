"""Whole Windows Pythons, as an installer leaves them: python.org's embeddable builds with venv and ensurepip added."""

from __future__ import annotations

import io
import shutil
import tarfile
import venv
import zipfile
from functools import cache
from pathlib import Path, PurePosixPath

from msgspec import Struct

from smoke.wine import places, setup
from smoke.wine.parts import pinned_wheels
from smoke.wine.parts.windows_python import fetched_sdist
from smoke.wine.recipe import RECIPE, Wheel, WindowsPython
from smoke.wine.whole import compiled
from wheelhouse import strict_toml
from wheelhouse.errors import InputError
from wheelhouse.files import remove_tree, sha256_file, sha256_tree, write_atomic
from wheelhouse.steps import Step

BOOTSTRAP = Path(__file__).resolve().parent / "bootstrap.py"
VENV = Path(venv.__file__).parent
"""The module that makes virtual environments: plain Python, the same on every system, taken from this one."""
_LAUNCHERS = ("python.exe", "pythonw.exe", "venvlauncher.exe", "venvwlauncher.exe")
"""Names under which the venv of one version or another looks for what it copies as python.exe."""
_LIBRARIES_OF_MODULES = ("libffi", "libssl", "libcrypto", "sqlite3")


class WholeRecipe(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """What recipes/wine/windows-python.toml says; `size` in bytes, `folder` relative to the user's profile."""

    user: str
    folder: str
    size: int
    pythons: tuple[WindowsPython, ...]
    pip: Wheel


@cache
def recipe() -> WholeRecipe:
    """Return the recipe. Raise RecipeError when it is wrong."""
    return strict_toml.load(RECIPE.parent / "windows-python.toml", WholeRecipe)


def step(python: WindowsPython) -> Step:
    """Return the step that makes one of the Pythons."""
    inputs = {
        "python": python.sha256,
        "pip": recipe().pip.sha256,
        "bootstrap": sha256_file(BOOTSTRAP),
        "venv": sha256_tree(VENV, skip=lambda path: "__pycache__" in path.parts),
        "launcher": sha256_file(compiled.SOURCE / "launcher.c"),
    }
    return Step(name=f"Windows Python {python.minor}", output=places.base() / f"whole-{python.minor}", inputs=inputs)


def ensure(python: WindowsPython) -> Path:
    """Make a Python unless it is there; return its folder. Raise NetworkError, IntegrityError or InputError."""
    wanted = step(python)

    def make(folder: Path) -> None:
        files = folder / places.FILES
        _unpack(python, files)
        library = files / "Lib"
        shutil.copytree(VENV, library / "venv", ignore=shutil.ignore_patterns("__pycache__"))
        (library / "venv" / "scripts" / "nt").mkdir(parents=True, exist_ok=True)
        for name in _LAUNCHERS:
            shutil.copyfile(compiled.ensure() / compiled.LAUNCHER, library / "venv" / "scripts" / "nt" / name)
        _add_pip(library / "ensurepip", python)
        (library / "site-packages").mkdir(exist_ok=True)

    setup.ensure_unused(wanted, make)
    return wanted.output / places.FILES


def _unpack(python: WindowsPython, target: Path) -> None:
    """Unpack the embeddable build where an installer puts the same files: modules into DLLs/, the library into Lib/."""
    sdist = fetched_sdist(python)
    with tarfile.open(sdist) as archive:
        member = archive.extractfile(python.member)
        if member is None:
            raise InputError(f"{sdist.name} has no {python.member}.")
        content = member.read()
    with zipfile.ZipFile(io.BytesIO(content)) as build:
        for name in build.namelist():
            file = PurePosixPath(name)
            # The ._pth file of an embeddable Python switches site-packages off.
            if file.parent.name == python.folder and file.suffix != "._pth" and not name.endswith("/"):
                write_atomic(target / _place(file.name), build.read(name))
    library = next(target.glob("python3*.zip"))
    with zipfile.ZipFile(library) as modules:
        for name in modules.namelist():
            modules.extract(name, target / "Lib")
    remove_tree(library)


def _place(name: str) -> str:
    return f"DLLs/{name}" if name.endswith(".pyd") or name.startswith(_LIBRARIES_OF_MODULES) else name


def _add_pip(folder: Path, python: WindowsPython) -> None:
    pip = recipe().pip
    (wheel,) = pinned_wheels.fetched([pip], python.minor)
    write_atomic(folder / wheel.name, wheel.read_bytes())
    write_atomic(folder / "__init__.py", '"""Installs pip: see __main__."""\n')
    write_atomic(folder / "__main__.py", BOOTSTRAP.read_bytes())
