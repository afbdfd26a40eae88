"""Archives by URL: pinned, or recorded on first fetch; from the public place or a mirror; taken over as CMake does."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from urllib.request import url2pathname

from recipes.sources.checkout import PUBLIC_HOST, is_folder
from recipes.sources.pins import Pins
from wheelhouse.errors import InputError, IntegrityError, NetworkError
from wheelhouse.files import move, remove_tree, sha256_file
from wheelhouse.unpacking import unpack


def fetch_archive(
    url: str, name: str, pins: Pins, *, sha256: str | None = None, sha1: str = "", mirror: str = ""
) -> Path:
    """Return the archive at `url`, kept in the download cache as `name` and the URL's last part.

    `sha1` is upstream's own hash, which a new archive must have. With `mirror`, a folder or another address, it is
    looked up there: on the public host's own paths, of any other host below its name, if it is there. Raises
    NetworkError when it cannot be had, IntegrityError when its hash is not the pinned or recorded one.
    """
    expected = sha256 or pins.sha256(url)
    # the last part of a NuGet address is a bare version: the name makes the file's name telling
    archive = _get(url, f"{name}-{PurePosixPath(url).name}", expected, mirror)
    if sha1 and expected is None:
        _require_sha1(archive, url, sha1)
    if sha256 is None:
        pins.learn_archive(url, sha256_file(archive))
    return archive


def _require_sha1(archive: Path, url: str, expected: str) -> None:
    actual = hashlib.sha1(archive.read_bytes(), usedforsecurity=False).hexdigest()
    if actual != expected:
        raise IntegrityError(
            f"{url} delivered a file with SHA-1 {actual}, but upstream's table says {expected}.",
            remedy="Nothing was recorded. Try again; if it stays so, do not trust that source, and ask upstream.",
        )


def _get(url: str, filename: str, expected: str | None, mirror: str) -> Path:
    from wheelhouse.downloads import UrlFile, fetch_url
    from wheelhouse.files import verified

    asked = UrlFile(url=url, filename=filename, sha256=expected, remember=False)
    if not mirror:
        return fetch_url(asked)
    rest = url.removeprefix(PUBLIC_HOST) if url.startswith(PUBLIC_HOST) else url.partition("://")[2]
    if not is_folder(mirror):
        try:
            return fetch_url(replace(asked, url=f"{mirror.rstrip('/')}/{rest}"))
        except NetworkError:
            if url.startswith(PUBLIC_HOST):
                raise
            return fetch_url(asked)
    local = Path(url2pathname(mirror.removeprefix("file:")) if mirror.startswith("file:") else mirror) / rest
    if not local.is_file():
        if not url.startswith(PUBLIC_HOST):
            return fetch_url(asked)
        raise NetworkError(f"The mirror has no {local}.", remedy=f"Put {url} there, or go without --source-mirror.")
    return local if expected is None else verified(local, expected, remedy=f"Replace it by the file at {url}.")


def take_over(archive: Path, into: Path, take: Mapping[str, str]) -> None:
    """Unpack an archive as CMake does, without its one top folder; or of it only `take` (path inside to place).

    Raises IntegrityError as `unpack` does, InputError for something to take that is not there.
    """
    whole = into / ".whole"
    unpack(archive, whole)
    entries = list(whole.iterdir())
    top = entries[0] if len(entries) == 1 and entries[0].is_dir() else whole
    for inside, place in take.items() if take else [(entry.name, entry.name) for entry in top.iterdir()]:
        source = whole / inside if take else top / inside
        if not source.exists():
            raise InputError(f"{archive.name} has no {inside}, which the recipe takes over.", remedy="Correct 'take'.")
        (into / place).parent.mkdir(parents=True, exist_ok=True)
        move(source, into / place)
    remove_tree(whole)
