"""What an installer takes without choosing: `pylock.TARGET.toml` (PEP 751) and the same as requirements with hashes.

Both name every wheel of the pair and everything that it requires, each with its SHA-256. The pair's wheels lie beside
them; the others are PyPI's, as the recipe's lock has them (`invoke lock`).
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from recipes.sources import lock as locks
from recipes.spec.schema import Artifact, Published, Recipe, TargetName
from recipes.wheels.placing import WheelFacts, facts_of, folder_lock, read_metadata
from recipes.wheels.repack import TARGETS, repacking_of
from wheelhouse.console import warn
from wheelhouse.files import write_atomic

HEAD = "# Written by dml-wheelhouse, from recipe '{recipe}': its wheels for {target}, and all that they require.\n"
_OURS = HEAD.partition("{")[0]
_NAME = re.compile(r"pylock\.([^.]+)\.toml")
_WINDOWS = {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt", "extra": ""}


@dataclass(frozen=True, kw_only=True)
class Pin:
    """One wheel of a lock file: beside it (`size` is known then), or at an address."""

    filename: str
    sha256: str
    url: str = ""
    size: int = 0


Packages = dict[tuple[str, str], list[Pin]]
"""Name and version to the wheels of that release."""


def write_lockfiles(recipe: Recipe, recipe_file: Path, folder: Path, default: str) -> list[Path]:
    """Write the lock files for the recipe's wheels that lie in `folder`, one pair of files a target; return them.

    The recipe called `default` gives them their short names. None are written for a recipe without a lock, and none,
    with a warning, where that lock lacks what a wheel requires.
    """
    lock = locks.read(locks.file_of(recipe_file), recipe.name)
    if lock is None or recipe.published is None:
        return []
    foreign = [Pin(filename=a.url.rpartition("/")[2], sha256=a.sha256, url=a.url) for a in lock.archive]
    written = []
    with folder_lock(folder):
        for target, wheels in _present(recipe.published, folder).items():
            stem = target if recipe.name == default else f"{recipe.name.replace('.', '-')}-{target}"
            packages = _packages([*_ours(wheels), *(p for p in foreign if _fits(p.filename, target))])
            texts = {
                folder / f"pylock.{stem}.toml": to_pylock(packages, recipe, target),
                folder / f"requirements.{stem}.txt": to_requirements(packages, recipe, target),
            }
            changed = {path: text for path, text in texts.items() if not _says(path, text)}
            lacking = _lacking(packages, folder, wheels) if changed else ""
            if lacking:
                mend = f"`invoke lock --recipe {recipe.name} --upgrade all`"
                warn(f"No lock file for {target}: {lacking}. {mend} mends it.")
                continue
            for path, text in changed.items():
                write_atomic(path, text)
            written += list(texts)
    return written


def remove_outdated(folder: Path, wheels: Sequence[WheelFacts]) -> None:
    """Remove the lock files in `folder` that name a wheel which is not there, or not with that content."""
    there = {wheel.filename: wheel.sha256 for wheel in wheels}
    for path in folder.glob("pylock.*.toml"):
        text = path.read_text(encoding="utf-8", errors="replace")
        name = _NAME.fullmatch(path.name)
        if name is None or not text.startswith(_OURS):
            continue
        try:
            listed = [w for package in tomllib.loads(text)["packages"] for w in package["wheels"] if "path" in w]
            good = all(there.get(w["path"]) == w["hashes"]["sha256"] for w in listed)
        except (tomllib.TOMLDecodeError, KeyError, TypeError):
            good = False
        if not good:
            path.unlink()
            (folder / f"requirements.{name[1]}.txt").unlink(missing_ok=True)


def to_pylock(packages: Packages, recipe: Recipe, target: TargetName) -> str:
    """Return the lock file that PEP 751 describes: one for all Pythons, as tags choose among a package's wheels."""
    lines = [
        HEAD.format(recipe=recipe.name, target=target).rstrip(),
        'lock-version = "1.0"',
        'created-by = "dml-wheelhouse"',
        "environments = [\"sys_platform == 'win32'\"]",
    ]
    if recipe.pythons:
        lines.append(f"requires-python = {json.dumps('>=' + recipe.pythons[0])}")
    for (name, version), pins in packages.items():
        lines += ["", "[[packages]]", f"name = {json.dumps(name)}", f"version = {json.dumps(version)}", "wheels = ["]
        lines += [f"  {_wheel_entry(pin)}," for pin in pins]
        lines.append("]")
    return "\n".join(lines) + "\n"


def _wheel_entry(pin: Pin) -> str:
    place = f"url = {json.dumps(pin.url)}" if pin.url else f"path = {json.dumps(pin.filename)}, size = {pin.size}"
    return f"{{ {place}, hashes = {{ sha256 = {json.dumps(pin.sha256)} }} }}"


def to_requirements(packages: Packages, recipe: Recipe, target: TargetName) -> str:
    """Return the same as a requirements file for `pip install --require-hashes`; it looks in the file's folder."""
    lines = [HEAD.format(recipe=recipe.name, target=target).rstrip(), "--only-binary :all:", "--find-links ."]
    for (name, version), pins in packages.items():
        lines.append(" \\\n    ".join([f"{name}=={version}", *(f"--hash=sha256:{pin.sha256}" for pin in pins)]))
    return "\n".join(lines) + "\n"


def result_of(artifact: Artifact, published: Published) -> str:
    """Return the file name of the wheel that an artifact becomes."""
    repacking = repacking_of(artifact, published)
    return artifact.filename if repacking is None else repacking.filename


def required_by(metadata: bytes) -> Iterator[tuple[str, str]]:
    """Yield name and specifier of what a wheel's METADATA requires on Windows, extras aside."""
    from email.parser import BytesHeaderParser

    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    for line in BytesHeaderParser().parsebytes(metadata).get_all("Requires-Dist", []):
        requirement = Requirement(str(line))
        if requirement.marker is None or requirement.marker.evaluate(dict(_WINDOWS)):
            yield canonicalize_name(requirement.name), str(requirement.specifier)


def _present(published: Published, folder: Path) -> dict[TargetName, list[WheelFacts]]:
    """Return the recipe's wheels that are in the folder, by target."""
    targets = {result_of(a, published): TARGETS[a.platform] for a in published.artifacts if a.platform in TARGETS}
    found: dict[TargetName, list[WheelFacts]] = {}
    for wheel in facts_of(sorted(path for name in targets if (path := folder / name).is_file())):
        found.setdefault(targets[wheel.filename], []).append(wheel)
    return found


def _ours(wheels: Iterable[WheelFacts]) -> Iterator[Pin]:
    return (Pin(filename=w.filename, sha256=w.sha256, size=w.size) for w in wheels)


def _fits(filename: str, target: TargetName) -> bool:
    from packaging.utils import parse_wheel_filename

    platforms = {tag.platform for tag in parse_wheel_filename(filename)[3]}
    return "any" in platforms or any(TARGETS.get(platform) == target for platform in platforms)


def _packages(pins: Iterable[Pin]) -> Packages:
    from packaging.utils import parse_wheel_filename

    found: Packages = {}
    for pin in pins:
        name, version, _, _ = parse_wheel_filename(pin.filename)
        found.setdefault((name, str(version)), []).append(pin)
    return {key: sorted(found[key], key=lambda pin: pin.filename) for key in sorted(found)}


def _says(path: Path, text: str) -> bool:
    try:
        return path.read_text(encoding="utf-8") == text
    except (OSError, UnicodeDecodeError):
        return False


def _lacking(packages: Packages, folder: Path, wheels: Iterable[WheelFacts]) -> str:
    """Return what one of the wheels requires and the packages do not satisfy, or ""."""
    from packaging.specifiers import SpecifierSet

    for wheel in wheels:
        for name, specifier in required_by(read_metadata(folder / wheel.filename)):
            versions = [version for known, version in packages if known == name]
            if not any(SpecifierSet(specifier).contains(version, prereleases=True) for version in versions):
                return f"{wheel.filename} requires {name}{specifier}, which the recipe's lock does not have"
    return ""
