"""DirectML on Linux as a backend's environment: Wine's Python with a pair of DirectML wheels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from smoke.environments import directml_pair
from smoke.environments.source import Environment, Readiness
from smoke.wine import namespace, places, recipe, selftest, setup
from smoke.wine.parts import windows_python
from wheelhouse import steps
from wheelhouse.errors import UnsupportedError
from wheelhouse.paths import wheels_dir
from wheelhouse.steps import Step

NAME = "wine"
SETUP = "`invoke wine-setup` makes it (as root, on Linux on x86_64)."


@dataclass(frozen=True, kw_only=True)
class WineEnvironment(Environment):
    """A Python in Wine: the host's file system is its drive Z:."""

    @property
    def reads_terminal(self) -> bool:
        """See Environment: given a terminal, Wine makes a Windows console of it, which redraws what is on it."""
        return False

    def host_path(self, path: Path) -> str:
        """See Environment."""
        return places.windows(path)


def prepare(wheels: Sequence[Path] = (), *, resolve: bool = True) -> WineEnvironment:
    """Return Wine's Python with `wheels` installed by its pip; instantaneous when it is there.

    Without `resolve` they are put there whatever they require.

    Raise UnsupportedError where Wine cannot run here, InputError for a wheel that does not fit, StepFailedError when
    pip cannot resolve what the wheels require.
    """
    wheels = tuple(wheel.resolve() for wheel in wheels)
    return _environment(setup.python_with(wheels, resolve=resolve))


def _environment(made: Step) -> WineEnvironment:
    files = made.output / places.FILES
    return WineEnvironment(
        name=NAME,
        python=namespace.session(made.output / windows_python.SPEC),
        env={},
        label=recipe.load().label,
        key=made.key,
        home=places.windows(files / windows_python.SITE),
        software_device=True,
    )


def find_pair(given: Sequence[Path], folder: Path) -> tuple[Path, ...]:
    """Return one wheel of each package for the runtime's Python: those `given`, completed with what belongs to them.

    Of `folder`, the newest comes first. Raise InputError when one of the given wheels does not fit, or when nothing
    completes them; return () when none is given and there is no pair.
    """
    wanted = recipe.load()
    windows_python.check_wheels(wanted, given)
    newest = [wheel for package in directml_pair.PACKAGES for wheel in directml_pair.newest_first(folder, package)]
    fitting = [wheel for wheel in newest if windows_python.fits(wanted, wheel)]
    pair = next(directml_pair.complete(given, fitting), ())
    if given and not pair:
        raise directml_pair.no_partner(given)
    return pair


def is_set_up() -> bool:
    """Return whether the runtime is made and has passed its self-test."""
    return setup.finished(recipe.load()) and steps.why_to_run(selftest.step(recipe.load())) is None


@dataclass(frozen=True, kw_only=True)
class WineSource:
    """Where backend `dml` comes from on Linux."""

    def status(self) -> Readiness:
        """See Source: ready when the runtime is made and there is a pair of wheels to install in it."""
        problem = namespace.obstacle()
        if problem is not None:
            return Readiness(ready=False, makeable=False, reason=problem.message, remedy=problem.remedy)
        if not is_set_up():
            return Readiness(
                ready=False,
                makeable=False,  # by this command; a download of this size is asked for by name
                reason="The Wine runtime, which has Direct3D 12 in software, is not set up.",
                remedy=SETUP,
            )
        if not find_pair((), wheels_dir()):
            return Readiness(
                ready=False,
                makeable=False,
                reason=f"There is no pair of DirectML wheels for Python {recipe.load().python.minor} in wheels/.",
                remedy=directml_pair.BUILD,
            )
        return Readiness(ready=True, makeable=True)

    def prepare(self, wheels: Sequence[Path]) -> Environment:
        """See Source."""
        status = self.status()
        if not status.ready and not wheels:
            raise UnsupportedError(status.reason, remedy=status.remedy)
        return prepare(find_pair(wheels, wheels_dir()))

    def takes(self, wheel: Path) -> bool:
        """See Source."""
        return directml_pair.package_of(wheel) in directml_pair.PACKAGES
