"""The two packages that make DirectML, and finding their wheels."""

from __future__ import annotations

import contextlib
from pathlib import Path

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

PACKAGES = ("onnxruntime-directml", "onnxruntime-genai-directml")
BUILD = "Make the pair of wheels with `invoke build-dml`, or give it with --wheel FILE --wheel FILE."


def package_of(wheel: Path) -> str:
    """Return the name of the package that a wheel holds, as PyPI writes it."""
    return wheel.name.split("-", maxsplit=1)[0].lower().replace("_", "-")


def newest_first(folder: Path, package: str) -> list[Path]:
    """Return the wheels of a package in a folder, the newest version first, and of one version the newest Python."""
    found = []
    for wheel in folder.glob(f"{package.replace('-', '_')}-*.whl"):
        with contextlib.suppress(InvalidWheelFilename):
            found.append((parse_wheel_filename(wheel.name)[1], wheel.name, wheel))
    return [wheel for _, _, wheel in sorted(found, reverse=True)]
