"""DirectML's environment: where Direct3D 12 can be had, and how to start a Python there."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from smoke.environments import directml_pair, wheel_fit
from wheelhouse.errors import InputError, UnsupportedError
from wheelhouse.paths import wheels_dir

if TYPE_CHECKING:
    from smoke.environments.source import Environment, Readiness, Source

ENVIRONMENT = "dml"
"""The environment recipe that a pair of DirectML wheels completes."""

PYTHON = "3.12"
"""The Python to prefer; the wheels decide."""


def source() -> Source:
    """Return where DirectML's environment comes from on this system. Other ways to DirectML are added here."""
    system: str = sys.platform  # as a plain string: the type checker knows one system only
    if system == "win32":
        return NativeWindows()
    if system == "linux":
        from smoke.wine.environment import WineSource

        return WineSource()
    return NoDirect3D()


def find_pair(given: Sequence[Path], folder: Path) -> tuple[Path, ...]:
    """Return one wheel of each package that install together: those `given`, completed with the newest of `folder`.

    Return () when there is no such pair.
    """
    candidates = [
        [wheel for wheel in given if directml_pair.package_of(wheel) == package]
        or directml_pair.newest_first(folder, package)
        for package in directml_pair.PACKAGES
    ]
    for pair in itertools.product(*reversed(candidates)):  # the newest GenAI decides
        try:
            wheel_fit.python_for(pair, PYTHON)
        except InputError:
            continue
        return tuple(reversed(pair))
    return ()


@dataclass(frozen=True, kw_only=True)
class NativeWindows:
    """A virtual environment with the pair of wheels, on Windows itself."""

    def status(self) -> Readiness:
        """See Source."""
        from smoke.environments.source import Readiness

        if find_pair((), wheels_dir()):
            return Readiness(ready=True, makeable=True)
        return Readiness(
            ready=False,
            makeable=False,
            reason="There is no pair of DirectML wheels in wheels/ that installs on this system.",
            remedy=directml_pair.BUILD,
        )

    def prepare(self, wheels: Sequence[Path]) -> Environment:
        """See Source."""
        from smoke.environments import pinned

        pair = find_pair(wheels, wheels_dir())
        if not pair:
            status = self.status()
            raise UnsupportedError(status.reason, remedy=status.remedy)
        return pinned.prepare(ENVIRONMENT, wheels=pair)

    def takes(self, wheel: Path) -> bool:
        """See Source."""
        return directml_pair.package_of(wheel) in directml_pair.PACKAGES


@dataclass(frozen=True, kw_only=True)
class NoDirect3D:
    """A system without Direct3D 12."""

    def status(self) -> Readiness:
        """See Source."""
        from smoke.environments.source import Readiness

        return Readiness(
            ready=False,
            makeable=False,
            reason="DirectML needs Direct3D 12, which this system does not have. What it would load was checked on the "
            "CPU provider instead (ort-cpu, variants dml-fp16 and dml-int4).",
            remedy="Run the same command on Windows.",
        )

    def prepare(self, wheels: Sequence[Path]) -> Environment:  # noqa: ARG002 - the protocol
        """See Source; always raises UnsupportedError."""
        status = self.status()
        raise UnsupportedError(status.reason, remedy=status.remedy)

    def takes(self, wheel: Path) -> bool:
        """See Source."""
        return directml_pair.package_of(wheel) in directml_pair.PACKAGES
