"""DirectML's environment: where Direct3D 12 can be had, and how to start a Python there."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from smoke.environments import directml_pair, wheel_fit
from wheelhouse.errors import InputError, ToolchainError, UnsupportedError
from wheelhouse.machine import interpreters
from wheelhouse.paths import wheels_dir

if TYPE_CHECKING:
    from smoke.environments.source import Environment, Readiness, Source

ENVIRONMENT = "dml"
"""The environment recipe that a pair of DirectML wheels completes."""
NO_GRAPH = "-nograph"
"""What the names of variants end with that capture no graph."""
WITHOUT_CAPTURE = {"provider_options": {"enable_graph_capture": "0"}}
CAPTURE_AT_FAULT = (
    "Without graph capture ({name}) it is right: on this device a captured graph computes something else when it is "
    'replayed (https://github.com/microsoft/onnxruntime-genai/issues/2300). Set enable_graph_capture to "0" under dml '
    "in the model's genai_config.json, or update the driver."
)
CAPTURE_NOT_AT_FAULT = "Graph capture is not why: without it ({name}) it is wrong, too."


def source() -> Source:
    """Return where DirectML's environment comes from on this system. Other ways to DirectML are added here."""
    system: str = sys.platform  # as a plain string: the type checker knows one system only
    if system == "win32":
        return NativeWindows()
    if system == "linux":
        from smoke.wine.environment import WineSource

        return WineSource()
    return NoDirect3D()


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two wheels that install together, in the order of PACKAGES, and the Python that they install on."""

    wheels: tuple[Path, ...]
    python: str

    @property
    def problem(self) -> ToolchainError | None:
        """Why they cannot be installed on this machine: it does not have that Python."""
        try:
            interpreters.find(self.python)
        except ToolchainError as error:
            return error
        return None


def find_pair(given: Sequence[Path], folder: Path) -> Pair | None:
    """Return one wheel of each package that install together: those `given`, completed with those of `folder`.

    Of several, the first for this Python, else the first for one that this machine has; the newest GenAI comes first.
    None when there is no such pair at all.
    """
    newest = [wheel for package in directml_pair.PACKAGES for wheel in directml_pair.newest_first(folder, package)]
    found: dict[str, Pair] = {}
    for pair in directml_pair.complete(given, newest):
        with contextlib.suppress(InputError):
            python = wheel_fit.python_for(pair, interpreters.running())
            found.setdefault(python, Pair(wheels=pair, python=python))
    return found[interpreters.choose(list(found))] if found else None


@dataclass(frozen=True, kw_only=True)
class NativeWindows:
    """A virtual environment with the pair of wheels, on Windows itself."""

    def status(self) -> Readiness:
        """See Source."""
        from smoke.environments.source import Readiness

        pair = find_pair((), wheels_dir())
        if pair is not None and (problem := pair.problem):
            return Readiness(
                ready=False,
                makeable=False,
                reason=f"The pair of wheels in wheels/ is for Python {pair.python}. {problem.message}",
                remedy=f"`invoke build-dml --python {interpreters.running()}` makes a pair for this Python. "
                f"Or: {problem.remedy}",
            )
        if pair is not None:
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
        if pair is None and wheels:
            raise directml_pair.no_partner(wheels)
        if pair is None:
            status = self.status()
            raise UnsupportedError(status.reason, remedy=status.remedy)
        return pinned.prepare(ENVIRONMENT, wheels=pair.wheels)

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
