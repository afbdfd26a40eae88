"""Other people's checkers of wheels, in an environment of their own: made on demand, with pins."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from front.benching.timing import run
from wheelhouse import steps
from wheelhouse.paths import ROOT, cache_dir
from wheelhouse.steps import Step

PINS = ("auditwheel==6.8.2", "check-wheel-contents==0.6.3", "delvewheel==1.13.2", "twine==7.0.0")


def prepared() -> Path:
    """Return the environment, made first where it is not there. Raise StepFailedError without a network."""
    wanted = Step(
        name="the environment of other checkers",
        output=cache_dir("bench-environment"),
        inputs={"pins": " ".join(PINS), "python": sys.version},
    )

    def make(partial_folder: Path) -> None:
        # packages go into a folder, not an environment: that would know the name it had while it was made
        argv = (sys.executable, "-m", "pip", "install", "--quiet", "--target", str(partial_folder / "site"), *PINS)
        run(argv, ROOT)

    steps.ensure(wanted, make, quiet_when_fresh=True)
    return wanted.output / "site"


def actions(site: Path, wheels: Sequence[str]) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield what each program is called, and what runs it over all wheels, as it takes them: one by one, or at once."""
    env = {"PYTHONPATH": str(site)}
    for name, start, several in (
        ("delvewheel show", ("-m", "delvewheel", "show"), False),
        ("check-wheel-contents", ("-m", "check_wheel_contents"), True),
        ("twine check", ("-m", "twine", "check"), True),
        ("auditwheel show (refuses wheels for Windows)", ("-m", "auditwheel", "show"), False),
    ):
        groups = [list(wheels)] if several else [[wheel] for wheel in wheels]
        yield name, partial(_each, [(sys.executable, *start, *group) for group in groups], env)


def _each(commands: Sequence[Sequence[str]], env: dict[str, str]) -> None:
    for argv in commands:
        run(argv, ROOT, env=env, check=False)  # what they find is not the question
