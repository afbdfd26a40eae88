"""Archives by URL: pinned, or recorded on first fetch; from the public place or from a mirror; unpacked safely."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path, PurePosixPath

from recipes.sources.checkout import PUBLIC_HOST
from recipes.sources.pins import Pins
from wheelhouse.errors import IntegrityError, NetworkError
from wheelhouse.files import sha256_file
from wheelhouse.unpacking import extract_tar


def fetch_archive(url: str, name: str, pins: Pins, *, sha256: str | None = None, mirror: str = "") -> Path:
    """Return the archive at `url`, kept in the download cache as `name` and the URL's last part.

    With `mirror`, an address on the public host is looked up there: a folder, or another address. Raises NetworkError
    when it cannot be had, IntegrityError when its hash is not the pinned or recorded one.
    """
    expected = sha256 or pins.known(url)
    # the last part of a NuGet address is a bare version: the name makes the file's name telling
    archive = _get(url, f"{name}-{PurePosixPath(url).name}", expected, mirror)
    if sha256 is None:
        pins.learn(url, sha256_file(archive))
    return archive


def _get(url: str, filename: str, expected: str | None, mirror: str) -> Path:
    from wheelhouse.downloads import UrlFile, fetch_url

    if not mirror or not url.startswith(PUBLIC_HOST):
        return fetch_url(UrlFile(url=url, filename=filename, sha256=expected))
    rest = url.removeprefix(PUBLIC_HOST)
    if "://" in mirror and not mirror.startswith("file://"):
        return fetch_url(UrlFile(url=f"{mirror.rstrip('/')}/{rest}", filename=filename, sha256=expected))
    local = Path(mirror.removeprefix("file://")) / rest
    if not local.is_file():
        raise NetworkError(f"The mirror has no {local}.", remedy=f"Put {url} there, or go without --source-mirror.")
    if expected is not None and sha256_file(local) != expected:
        raise IntegrityError(
            f"{local} has SHA-256 {sha256_file(local)}, but {expected} is pinned.",
            remedy=f"Replace it by the file at {url}.",
        )
    return local


def unpack(archive: Path, into: Path) -> None:
    """Unpack a ZIP (NuGet packages are ZIPs) or tar archive; members that would land elsewhere are refused."""
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                opened.extractall(into)  # zipfile itself drops '..' and absolute parts
        else:
            extract_tar(archive, into)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise IntegrityError(
            f"{archive.name} cannot be unpacked ({error}).", remedy="Remove it and run again."
        ) from error
