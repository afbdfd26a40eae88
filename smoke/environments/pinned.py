"""Environments: how to start the Python that a backend, a converter or an exporter runs in.

Each is a virtual environment in the cache folder, made from the exact pins of `recipes/environments/NAME.toml` and
named by their hash, so that other pins, or a wheel of one's own, make another environment and leave this one alone.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence
from pathlib import Path

from smoke.environments import environment_recipes
from smoke.environments.compiled import from_sdist
from smoke.environments.environment_recipes import EnvironmentRecipe
from smoke.environments.source import Environment, Readiness
from wheelhouse import manifests, steps
from wheelhouse.errors import UnsupportedError, WheelhouseError
from wheelhouse.files import sha256_file
from wheelhouse.machine import interpreters
from wheelhouse.paths import CACHE_SHORTER, cache_dir, require_short, resolved
from wheelhouse.steps import Step

MAIN = "main"
"""Everything that needs torch: transformers (the reference), OpenVINO, and all conversions and exports."""
ORT = "ort"
"""ONNX Runtime GenAI alone; the one to give wheels of one's own to."""

NPU_LEGACY = "npu-legacy"
"""Intel's archived NPU library with the libraries of its time."""


def prepare(name: str, *, wheels: Sequence[Path] = ()) -> Environment:
    """Return an environment, making it first unless it is there: then this takes milliseconds and starts nothing.

    `wheels` replace the recipe's `replaceable` packages; what they require is installed with them. Raise UsageError
    (no such environment), UnsupportedError (impossible on this system), InputError (a wheel that cannot be used),
    ToolchainError (no suitable Python), NetworkError (a package cannot be fetched), ResourceError (disk full) or
    StepFailedError.
    """
    recipe = environment_recipes.environment(name)
    if refused := _impossible(name, recipe):
        raise refused
    wheels = tuple(map(resolved, wheels))
    version = _python_version(recipe, wheels)
    if recipe.compiled is not None and from_sdist.needed(recipe.compiled):
        wheels = (*wheels, from_sdist.wheel(recipe.compiled))
    step = _step(name, recipe, version, wheels)

    def make(folder: Path) -> None:
        from smoke.environments import venvs  # only where something is installed

        venvs.make(folder, name=name, recipe=recipe, version=version, wheels=wheels)

    steps.ensure(step, make, quiet_when_fresh=True, damage=_damage)
    return _environment(name, recipe, step)


def status(name: str) -> Readiness:
    """Say whether an environment is ready, without making anything. Raise UsageError when there is no such name."""
    recipe = environment_recipes.environment(name)
    source = recipe.compiled if recipe.compiled is not None and from_sdist.needed(recipe.compiled) else None
    own = from_sdist.built(source) if source else None
    version = _python_version(recipe, ())
    step = _step(name, recipe, version, (own,) if own else ())
    if (own or not source) and steps.why_to_run(step) is None and _damage(step.output) is None:
        return Readiness(ready=True, makeable=True)
    try:
        if refused := _impossible(name, recipe):
            raise refused
        if source and (problem := from_sdist.obstacle(source)):
            raise problem  # before the Python: nobody should install one for an environment that cannot be
        interpreters.find(version)
        require_short(steps.partial_of(step.output), recipe.deepest, remedy=CACHE_SHORTER)
    except WheelhouseError as error:
        return Readiness(ready=False, makeable=False, reason=error.message, remedy=error.remedy)
    return Readiness(
        ready=False,
        makeable=True,
        reason=f"The environment '{name}' ({recipe.label}) has not been made yet.",
        remedy="The first `invoke smoke` that needs it makes it.",
    )


def _impossible(name: str, recipe: EnvironmentRecipe) -> UnsupportedError | None:
    why = recipe.impossible.get(f"{sys.platform}-{platform.machine().lower()}")
    if why is None:
        return None
    return UnsupportedError(
        f"The environment '{name}' cannot be made on this system. {why}",
        remedy="Compare backends on another machine; the wheels themselves can be built, audited and installed here.",
    )


def _python_version(recipe: EnvironmentRecipe, wheels: Sequence[Path]) -> str:
    """Return the Python to use: this one where the pins are for it, else one that is found; the wheels decide."""
    version = interpreters.choose((recipe.python, *recipe.also))
    if not wheels:
        return version
    from smoke.environments.wheel_fit import python_for

    return python_for(wheels, version)


def _step(name: str, recipe: EnvironmentRecipe, version: str, wheels: Sequence[Path]) -> Step:
    inputs = {
        "python": f"{version} {sys.platform} {platform.machine()}",
        "packages": "\n".join(recipe.packages),
        "resolved packages": "\n".join(recipe.resolved),
        **{f"wheel {wheel.name}": sha256_file(wheel) for wheel in wheels},
    }
    key = Step(name=name, output=Path(), inputs=inputs).key
    return Step(name=f"environment {name}", output=cache_dir("environments", f"{name}-{key[:8]}"), inputs=inputs)


def _damage(folder: Path) -> str | None:
    if not interpreters.python_in(folder).exists():
        return "the Python that it was made with is gone"
    if not manifests.doubted():
        return None
    from smoke.environments import whole  # reads everything that is installed

    return whole.damage(folder)


def _environment(name: str, recipe: EnvironmentRecipe, step: Step) -> Environment:
    wheels = [label.removeprefix("wheel ") for label in step.inputs if label.startswith("wheel ")]
    return Environment(
        name=name,
        python=(str(interpreters.python_in(step.output)),),
        env=dict(recipe.variables),
        label=recipe.label if not wheels or recipe.compiled else f"{name} with {', '.join(wheels)}",
        key=step.key,
        home=str(interpreters.site_packages(step.output.resolve(), step.inputs["python"].split()[0])),
    )
