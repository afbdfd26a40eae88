"""What the wheels of a published recipe require of others, resolved by pip for every Python and platform, and recorded.

The record is the recipe's lock (`recipes/sources/lock.py`): the file's address on PyPI and its SHA-256, both worked out
from the content that arrived, through whichever index pip is configured for.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from recipes.sources.lock import FORMAT, Lock, LockedArchive
from recipes.spec.schema import Recipe
from recipes.wheels.lockfiles import required_by, result_of
from recipes.wheels.placing import read_metadata
from wheelhouse.downloads import CONNECT_SECONDS, DOWNLOAD_SECONDS
from wheelhouse.errors import InputError, NetworkError
from wheelhouse.files import by_name, sha256_file
from wheelhouse.paths import display, log_dir
from wheelhouse.process import Command, run

_PYPI = "https://files.pythonhosted.org/packages"


def record(recipe: Recipe, wheels: Path, scratch: Path, kept: Sequence[str] = ()) -> Lock:
    """Return the lock of a published recipe, whose wheels lie in `wheels`; download into `scratch`.

    `kept` are requirements (`name==version`) that are to stay as they are. The oldest Python chooses the versions, for
    one release of a package is to serve them all. Raise InputError without the wheels, NetworkError for what pip lacks.
    """
    found: dict[str, LockedArchive] = {}
    for platform in sorted({a.platform for a in recipe.published.artifacts} if recipe.published else ()):
        chosen = list(kept)
        for python in sorted(recipe.pythons, key=lambda version: int(version.partition(".")[2])):
            folder = scratch / f"{platform}-{python}"
            wanted = sorted(set(_required(recipe, wheels, platform, python)))
            _download(wanted, chosen, folder, platform, python)
            for file in sorted(folder.glob("*.whl"), key=by_name):
                name, version = file.name.split("-")[:2]
                chosen.append(f"{name}=={version}")
                found[file.name] = LockedArchive(url=address_of(file), sha256=sha256_file(file))
    return Lock(format=FORMAT, recipe=recipe.name, checksum="", archive=tuple(found.values()))


def address_of(file: Path) -> str:
    """Return where PyPI keeps a file of this content: under its BLAKE2b-256."""
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=32)).hexdigest()
    return f"{_PYPI}/{digest[:2]}/{digest[2:4]}/{digest[4:]}/{file.name}"


def _required(recipe: Recipe, wheels: Path, platform: str, python: str) -> Iterator[str]:
    """Yield what the recipe's wheels for this Python and platform require besides each other."""
    published = recipe.published
    tag = f"cp{python.replace('.', '')}"
    mine = [a for a in published.artifacts if (a.platform, a.python) == (platform, tag)] if published else []
    files = [wheels / result_of(a, published) for a in mine] if published else []
    own = {file.name.split("-")[0].replace("_", "-") for file in files}
    for file in files:
        if not file.is_file():
            raise InputError(
                f"{file.name} is not in {display(wheels)}, and what it requires stands in it.",
                remedy=f"First `invoke build-dml --lane published --recipe {recipe.name}`.",
            )
        yield from (f"{name}{limits}" for name, limits in required_by(read_metadata(file)) if name not in own)


def _download(wanted: Sequence[str], limits: Sequence[str], folder: Path, platform: str, python: str) -> None:
    folder.mkdir(parents=True)
    constraints = folder / "constraints.txt"
    constraints.write_text("\n".join(limits) + "\n", encoding="utf-8", newline="\n")
    pip = (
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "--no-input",
        "download",
        "--progress-bar",
        "off",
    )
    target = ("--only-binary=:all:", "--implementation", "cp", "--platform", platform, "--python-version", python)
    options = ("--timeout", str(CONNECT_SECONDS), "--constraint", str(constraints), "--dest", str(folder))
    log = log_dir() / f"requirements-{platform}-{python}.log"
    done = run(Command(argv=(*pip, *target, *options, *wanted), timeout=DOWNLOAD_SECONDS), log=log, check=False)
    if done.returncode != 0 or done.timed_out:
        raise NetworkError(
            f"pip found no wheels for {', '.join(wanted)} (Python {python}, {platform}).",
            remedy="Check the network and `pip config list`; the log has pip's own words.",
            log=log,
        )
