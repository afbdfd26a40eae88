"""The two packages that make DirectML, and finding their wheels."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from wheelhouse.errors import InputError

PACKAGES = ("onnxruntime-directml", "onnxruntime-genai-directml")
BUILD = "Make the pair of wheels with `invoke build-dml`, or give it with --wheel FILE --wheel FILE."


def package_of(wheel: Path) -> str:
    """Return the name of the package that a wheel holds, as PyPI writes it."""
    return wheel.name.split("-", maxsplit=1)[0].lower().replace("_", "-")


def complete(given: Sequence[Path], folder: Sequence[Path]) -> Iterator[tuple[Path, ...]]:
    """Yield the pairs, in the order of PACKAGES, of what was `given`, completed with wheels of `folder`, best first.

    Two given wheels are a pair whatever their METADATA say; an installer will tell. A wheel that completes a given one
    belongs to it. Raise InputError for a wheel of GenAI that cannot be read.
    """
    runtimes, genais = (
        [w for w in given if package_of(w) == package] or [w for w in folder if package_of(w) == package]
        for package in PACKAGES
    )
    both = len({package_of(w) for w in given} & set(PACKAGES)) == len(PACKAGES)
    for genai in genais:
        wanted = [] if both else _runtime_requirements(genai)
        for runtime in runtimes:
            version = parse_wheel_filename(runtime.name)[1]
            if all(r.specifier.contains(version, prereleases=True) for r in wanted):
                yield runtime, genai


def no_partner(given: Sequence[Path]) -> InputError:
    """Return the error for wheels that nothing in wheels/ completes to a pair."""
    names = ", ".join(wheel.name for wheel in given)
    wants = [str(r) for w in given for r in _runtime_requirements(w)]
    needs = f" (it requires {', '.join(wants)})" if wants else ""
    return InputError(
        f"wheels/ has no wheel that makes a pair with {names}{needs}.",
        remedy="Give the other half with --wheel, too, or make it: `invoke build-dml`, for the older pair with "
        "`--recipe published-0.14`.",
    )


def _runtime_requirements(wheel: Path) -> list[Requirement]:
    from smoke.environments.wheel_fit import requirements

    if package_of(wheel) != PACKAGES[1]:
        return []
    return [r for r in requirements(wheel) if canonicalize_name(r.name) == PACKAGES[0]]


def newest_first(folder: Path, package: str) -> list[Path]:
    """Return the wheels of a package in a folder, the newest version first, and of one version the newest Python."""
    found = []
    for wheel in folder.glob(f"{package.replace('-', '_')}-*.whl"):
        with contextlib.suppress(InvalidWheelFilename):
            found.append((parse_wheel_filename(wheel.name)[1], wheel.name, wheel))
    return [wheel for _, _, wheel in sorted(found, reverse=True)]
