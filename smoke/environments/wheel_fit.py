"""Wheels that a user wants in the place of an environment's own: are they wheels, and for which Python?"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from packaging.metadata import parse_email
from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags, platform_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from wheelhouse.errors import InputError
from wheelhouse.machine import interpreters

PYTHONS = ("3.11", "3.12", "3.13", "3.14")


def wheel_tags(wheel: Path) -> frozenset[Tag]:
    """Return a wheel's tags. Raise InputError when the file is missing, is no wheel, or is truncated."""
    if not wheel.is_file():
        raise InputError(f"The wheel {wheel} does not exist.", remedy="What has been built is in the folder wheels/.")
    try:
        _, _, _, tags = parse_wheel_filename(wheel.name)
    except InvalidWheelFilename as error:
        raise InputError(
            f"{wheel} is not named like a wheel (name-version-python-abi-platform.whl).",
            remedy="Give the file under the name that its build gave it.",
        ) from error
    if not zipfile.is_zipfile(wheel):
        raise InputError(f"{wheel} is damaged: it is not a complete zip archive.", remedy="Build or fetch it again.")
    return tags


def distribution(wheel: Path) -> str:
    """Return the normalized name of the package in a wheel: "onnxruntime-genai"."""
    return str(parse_wheel_filename(wheel.name)[0])


def requirements(wheel: Path) -> list[Requirement]:
    """Return what a wheel requires on this host. Raise InputError when it cannot be read."""
    from recipes.wheels.placing import read_metadata

    raw, _ = parse_email(read_metadata(wheel))
    found = [Requirement(line) for line in raw.get("requires_dist", [])]
    return [r for r in found if r.marker is None or r.marker.evaluate({"extra": ""})]


def python_for(wheels: Sequence[Path], preferred: str) -> str:
    """Return the Python minor version that all `wheels` install on, on this host: `preferred` if it will do.

    Otherwise it is this Python's, or one that is found on this machine. Raise InputError naming the wheel when no
    version will do.
    """
    versions = [preferred, *(version for version in PYTHONS if version != preferred)]
    tags = {wheel: wheel_tags(wheel) for wheel in wheels}
    fitting = [v for v in versions if all(not _supported(v).isdisjoint(found) for found in tags.values())]
    if fitting:
        return preferred if preferred in fitting else interpreters.choose(fitting)
    never = [wheel for wheel, found in tags.items() if all(_supported(v).isdisjoint(found) for v in versions)]
    if never:
        raise InputError(
            f"{never[0].name} cannot be installed on this host.",
            remedy="Give a wheel for this platform; a Windows wheel runs on Windows, or with `--backend dml` in Wine.",
        )
    raise InputError(
        f"No one Python can install all of {', '.join(wheel.name for wheel in wheels)}.",
        remedy="Give wheels that were built for the same Python version.",
    )


@cache
def _supported(version: str) -> frozenset[Tag]:
    major, minor = (int(part) for part in version.split("."))
    platforms = list(platform_tags())
    native = cpython_tags((major, minor), platforms=platforms)
    generic = compatible_tags((major, minor), f"cp{major}{minor}", platforms)
    return frozenset([*native, *generic])
