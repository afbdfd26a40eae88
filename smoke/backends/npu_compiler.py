"""Where Intel's NPU compiler is: in OpenVINO's Windows wheel, so on Windows itself, or on Linux in Wine."""

from __future__ import annotations

import sys
from pathlib import Path

from smoke.environments import pinned
from smoke.environments.source import Environment, Readiness
from wheelhouse.errors import UnsupportedError


def status() -> Readiness:
    """Say whether the compiler can be used here, without making anything."""
    system: str = sys.platform  # as a plain string: the type checker knows one system only
    if system == "win32":
        return pinned.status(pinned.MAIN)
    from smoke.wine import environment, namespace, recipe, setup

    problem = namespace.obstacle()
    if problem is not None:
        return Readiness(ready=False, makeable=False, reason=problem.message, remedy=problem.remedy)
    if not setup.finished(recipe.load()):
        reason = "Intel's NPU compiler exists for Windows only, and the Wine runtime is not set up."
        return Readiness(ready=False, makeable=False, reason=reason, remedy=environment.SETUP)
    return Readiness(ready=True, makeable=True)


def prepare() -> Environment:
    """Return the environment of the compiler, making it first unless it is there.

    Raise UnsupportedError where this host cannot, and what fetching wheels or setting Wine up may raise.
    """
    system: str = sys.platform
    if system == "win32":
        return pinned.prepare(pinned.MAIN)
    found = status()
    if not found.ready:
        raise UnsupportedError(found.reason, remedy=found.remedy)
    from smoke.wine import environment

    return environment.prepare(_fetched())


def _fetched() -> list[Path]:
    from smoke.wine import recipe
    from smoke.wine.parts import pinned_wheels

    return pinned_wheels.fetched(recipe.npu_compiler(), recipe.load().python.minor)
