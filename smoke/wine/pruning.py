"""Windows Pythons that nothing refers to any more: other wheels, or another recipe, make another folder each time."""

from __future__ import annotations

import time
from pathlib import Path

from smoke.wine import mounts, places, setup
from smoke.wine.parts import windows_python
from smoke.wine.recipe import WineRecipe, npu_compiler
from wheelhouse import steps
from wheelhouse.errors import BusyError
from wheelhouse.file_locks import locked
from wheelhouse.files import sha256_file, size_of
from wheelhouse.paths import wheels_dir

UNUSED_DAYS = 7.0
"""How long a Python for wheels from elsewhere (`--wheel`) is kept after its last use."""
_WHEEL = "wheel "


def prune(recipe: WineRecipe) -> int:
    """Remove the Pythons that nothing refers to, and what killed runs left of others; return the bytes freed.

    One that is being made or used is left alone.
    """
    freed = 0
    for folder in sorted(places.base().glob("python-*")):
        if not is_wanted(recipe, folder):
            freed += _remove(folder, folder)
    for leftover in sorted([*places.base().glob(".python-*.partial"), *places.base().glob(".python-*.old")]):
        freed += _remove(leftover, leftover.with_name(leftover.stem.removeprefix(".")))
    return freed


def is_wanted(recipe: WineRecipe, folder: Path) -> bool:
    """Return whether a later run could ask for this Python."""
    inputs = steps.recorded_inputs(folder)
    if inputs is None:
        return False
    if any(inputs.get(name) != value for name, value in windows_python.key_of(recipe, ()).items()):
        return False  # the recipe is another by now
    wheels = {name.removeprefix(_WHEEL): value for name, value in inputs.items() if name.startswith(_WHEEL)}
    pinned = {wheel.filename: wheel.sha256 for wheel in npu_compiler()}
    if all(pinned.get(name) == value for name, value in wheels.items()):
        return True
    here = {name: sha256_file(wheels_dir() / name) for name in wheels if (wheels_dir() / name).is_file()}
    if any(wheels[name] != value for name, value in here.items()):
        return False  # built again since
    return len(here) == len(wheels) or time.time() - folder.stat().st_mtime < UNUSED_DAYS * 86400


def _remove(folder: Path, step: Path) -> int:
    """Remove a folder of the Python `step` unless that is in use; return the bytes freed."""
    size = size_of(folder)
    try:
        with setup.unused(step, timeout=0), locked(step, timeout=0):
            mounts.remove(folder)
    except BusyError:
        return 0
    return size
