"""The development files of a Python for another processor, fetched so that a module can be cross-compiled."""

from __future__ import annotations

from pathlib import Path

from recipes.building.context import Context
from recipes.sources.archives import fetch_archive
from recipes.sources.checkout import refuse_foreign
from recipes.sources.pins import Pins
from wheelhouse.errors import RecipeError
from wheelhouse.steps import Step, ensure
from wheelhouse.unpacking import unpack


def fetch_target_python(build: Context, python: str, pins: Pins) -> None:
    """Fetch and unpack them where the build is a cross-compilation; check that the named files are in the archive.

    Raises RecipeError (not named, or not in the archive), NetworkError, IntegrityError, InputError (foreign folder).
    """
    files = build.target_python(python)
    if files is None:
        return
    folder = Path(build.target_python_folder(python))
    refuse_foreign(folder)

    def make(into: Path) -> None:
        mirror = build.options.source_mirror
        archive = fetch_archive(files.url, f"python{python}", pins, sha256=files.sha256, mirror=mirror)
        unpack(archive, into)
        for name in (f"{files.include_root}/Python.h", files.library):
            if not (into / name).is_file():
                raise RecipeError(f"{files.url} has no {name}.", remedy="Correct [target-pythons] in the recipe.")

    step = Step(name=f"fetch Python {python} for {build.target.arch}", output=folder, inputs={"url": files.url})
    ensure(step, make, quiet_when_fresh=True)
