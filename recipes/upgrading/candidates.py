"""Newer releases of what a published recipe pins, downloaded to be looked at."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from packaging.version import Version

from recipes.audit.ask_index import ask_versions
from recipes.audit.surroundings import Offer
from recipes.spec.schema import Published, Recipe
from wheelhouse.downloads import CONNECT_SECONDS, DOWNLOAD_SECONDS, cached_path
from wheelhouse.errors import NetworkError, RecipeError
from wheelhouse.files import by_name, move, sha256_file
from wheelhouse.paths import cache_dir, log_dir
from wheelhouse.process import Command, run

Target = tuple[str, str]
"""Python tag and platform, ("cp312", "win_arm64")."""


@dataclass(frozen=True, kw_only=True)
class Release:
    """One release of a package: its wheels by target, as far as there are any. `pinned`: the recipe has this one."""

    package: str
    version: str
    pinned: bool
    wheels: Mapping[Target, Path] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Package and version."""
        return f"{self.package} {self.version}"


def published_of(recipe: Recipe) -> Published:
    """Return the published part of a recipe. Raise RecipeError when it has none."""
    if recipe.published is None:
        raise RecipeError(
            f"Recipe '{recipe.name}' pins sources and no wheels.",
            remedy="`invoke lock --upgrade all` renews its lock.",
        )
    return recipe.published


def newer(recipe: Recipe) -> dict[str, str]:
    """Return, for each package that the recipe pins, the newest version on the index if it is newer, else "".

    Raise NetworkError when the index does not answer.
    """
    pins = {a.package: a for a in published_of(recipe).artifacts}
    with ThreadPoolExecutor(max_workers=4) as pool:
        asked = [pool.submit(ask_versions, a.package, a.platform, _dotted(a.python)) for a in pins.values()]
        offers = dict(zip(pins, (future.result() for future in asked), strict=True))
    return {package: _newest(package, pin.version, offers[package]) for package, pin in pins.items()}


def _newest(package: str, pinned: str, offer: Offer) -> str:
    if offer.unknown:
        raise NetworkError(
            f"The index did not say which versions of {package} there are: {offer.unknown}.",
            remedy="Check the network and `pip config list`.",
        )
    if not offer.versions:
        raise NetworkError(
            f"No index that pip is configured for has any {package}, so whether there is a newer one is not known.",
            remedy="Look at `pip config list`: a mirror there may lack it.",
        )
    found = max(offer.versions, key=Version)
    return found if Version(found) > Version(pinned) else ""


def release(recipe: Recipe, package: str, version: str) -> Release:
    """Return a release with its wheels for every target of the recipe, downloading those that are not pinned."""
    pins = {(a.python, a.platform): a for a in published_of(recipe).artifacts if a.package == package}
    if all(pin.version == version for pin in pins.values()):
        places = {target: cached_path(pin.sha256, pin.filename) for target, pin in pins.items()}
        lacking = [target for target, place in places.items() if not place.is_file()]
        found = {target: place for target, place in places.items() if place.is_file()}
        found |= _download(package, version, lacking) if lacking else {}
        return Release(package=package, version=version, pinned=True, wheels=found)
    return Release(package=package, version=version, pinned=False, wheels=_download(package, version, list(pins)))


def _download(package: str, version: str, targets: list[Target]) -> dict[Target, Path]:
    with ThreadPoolExecutor(max_workers=3) as pool:
        arrived = pool.map(lambda target: _fetch(package, version, target), targets)
        return {target: path for target, path in zip(targets, arrived, strict=True) if path is not None}


def _fetch(package: str, version: str, target: Target) -> Path | None:
    """Return one wheel where downloads lie, by the hash that it has; None when pip finds none."""
    python, platform = target
    folder = cache_dir("candidates", f"{package}-{version}", f"{python}-{platform}")
    if not (there := _only(folder)):
        folder.mkdir(parents=True, exist_ok=True)
        pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "download", "--no-deps")
        options = ("--only-binary=:all:", "--platform", platform, "--python-version", _dotted(python))
        limits = ("--timeout", str(CONNECT_SECONDS), "--progress-bar", "off", "--dest", str(folder))
        command = Command(argv=(*pip, *options, *limits, f"{package}==={version}"), timeout=DOWNLOAD_SECONDS)
        run(command, log=log_dir() / f"candidate-{package}-{python}-{platform}.log", check=False)
        there = _only(folder)
    return there


def _only(folder: Path) -> Path | None:
    return next(iter(sorted(folder.glob("*.whl"), key=by_name)), None)


def keep(wheel: Path) -> str:
    """Put a wheel where pinned downloads lie, so that a build does not fetch it again; return its SHA-256."""
    digest = sha256_file(wheel)
    place = cached_path(digest, wheel.name)
    if not place.is_file():
        place.parent.mkdir(parents=True, exist_ok=True)
        partial = place.with_name(f".{place.name}.partial")
        partial.write_bytes(wheel.read_bytes())
        move(partial, place)
    return digest


def combinations(found: Mapping[str, tuple[Release, ...]]) -> Iterator[tuple[Release, ...]]:
    """Yield one release of each package, the newest of all first; without the combination that is pinned already."""
    for chosen in itertools.product(*found.values()):
        if not all(one.pinned for one in chosen):
            yield chosen


def _dotted(python: str) -> str:
    return f"{python[2]}.{python[3:]}" if python.startswith("cp") else "3.12"
