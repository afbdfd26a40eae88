"""An index has a wheel of every pin, for every Python and system that an environment is said to be for.

Nothing is installed: `pip install --dry-run` for the platform, also for Pythons that this machine has not.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from packaging.markers import Marker

from smoke.environments import environment_recipes
from smoke.environments.environment_recipes import EnvironmentRecipe

pytestmark = pytest.mark.network

GLIBC = [f"manylinux_2_{minor}_x86_64" for minor in (34, 31, 28, 27, 24, 17, 12, 5)]
SYSTEMS = {
    "win32-amd64": ["win_amd64"],
    "win32-arm64": ["win_arm64"],
    "linux-x86_64": [*GLIBC, "manylinux2014_x86_64", "manylinux1_x86_64", "linux_x86_64"],
}


def cases() -> Iterator[object]:
    """Yield environment, Python and system: if thorough all, else the newest Python on Windows for what most need."""
    thorough = settings.get_current_profile_name() == "thorough"
    for name in environment_recipes.environment_names() if thorough else ("dml", "main"):
        recipe = environment_recipes.environment(name)
        pythons, systems = (recipe.python, *recipe.also), [s for s in SYSTEMS if s not in recipe.impossible]
        for version, system in itertools.product(pythons, systems) if thorough else [(pythons[-1], systems[0])]:
            yield pytest.param(name, version, system)


def wanted(recipe: EnvironmentRecipe, version: str, system: str) -> list[str]:
    """Return the pins that hold there, without what is compiled there and without what wheels of ours replace."""
    platform, _, machine = system.partition("-")
    machine = {"amd64": "AMD64", "arm64": "ARM64"}.get(machine, machine)
    there = {
        "sys_platform": platform, "platform_machine": machine, "python_version": version,
        "python_full_version": f"{version}.0", "platform_system": "Windows" if platform == "win32" else "Linux",
    }  # fmt: skip
    pins = [pin.partition(";") for pin in (*recipe.packages, *recipe.resolved)]
    kept = [name.strip() for name, _, marker in pins if not marker or Marker(marker).evaluate(there)]
    own = recipe.compiled.package if recipe.compiled and recipe.compiled.platform == platform else "none of them"
    return [pin for pin in kept if not pin.startswith(f"{own}==")]


@pytest.mark.parametrize(("name", "version", "system"), list(cases()))
def test_every_pin_has_a_wheel(tmp_path: Path, name: str, version: str, system: str) -> None:
    pins = tmp_path / "pins.txt"
    found = wanted(environment_recipes.environment(name), version, system)
    pins.write_text("\n".join(found) + "\n", encoding="utf-8")
    platforms = [word for tag in SYSTEMS[system] for word in ("--platform", tag)]
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet", "install", "--dry-run")
    only = ("--no-deps", "--only-binary=:all:", "--ignore-installed", "--target", str(tmp_path / "none"))
    argv = (*pip, *only, "--implementation", "cp", "--python-version", version, *platforms, "--requirement", str(pins))
    done = subprocess.run(argv, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr[-2000:]
