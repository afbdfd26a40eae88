"""Artifacts from outside by their pinned SHA-256, kept content-addressed in the cache: offline after the first time.

Files of a package index come through `pip download`, so the user's index configuration (mirrors, proxies, credentials,
certificates) holds for them too; plain URLs come through pooch. Whatever arrives is hashed before it gets its final
name, so an interrupted or falsified download is never mistaken for the artifact.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wheelhouse.console import Task, say, task
from wheelhouse.errors import IntegrityError, NetworkError
from wheelhouse.file_locks import locked
from wheelhouse.files import intact, move, remove_tree, sha256_bytes, sha256_file, verified, write_atomic
from wheelhouse.known_failures import recognise
from wheelhouse.paths import cache_dir, log_dir
from wheelhouse.process import Command, run

if TYPE_CHECKING:
    import requests

CONNECT_SECONDS = 15
"""How long one connection may be silent before it counts as dead."""
DOWNLOAD_SECONDS = 1800.0
"""How long one pip process, or the download of one file, may take in all."""
MOST_BYTES = 8_000_000_000
"""The most that one file from a plain URL may have: what never ends must not fill the disk."""
PARALLEL = 3

_OFFLINE = re.compile(
    r"connection broken|ConnectionError|ConnectTimeout|ReadTimeout|timed out|NewConnectionError|NameResolutionError"
    r"|Name or service not known|Temporary failure in name resolution|getaddrinfo|ProxyError|SSLError"
    r"|Network is unreachable",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class IndexFile:
    """One wheel of a package index: exactly this version, for this Python ("3.12") and platform, with this SHA-256."""

    package: str
    version: str
    filename: str
    sha256: str
    python: str
    platform: str


@dataclass(frozen=True, kw_only=True)
class UrlFile:
    """One file at a plain URL. Without `sha256` the hash is recorded on the first fetch and verified ever after.

    With `remember` off the caller keeps that record: the file is fetched anew as long as it gives no hash.
    """

    url: str
    filename: str
    sha256: str | None = None
    remember: bool = True


def cached_path(sha256: str, filename: str) -> Path:
    """Return where an artifact with this hash lies once it has been fetched."""
    return cache_dir("downloads", sha256, filename)


def is_cached(file: IndexFile) -> bool:
    """Return whether the file was fetched before (its content is not read again: `fetch_index_files` does)."""
    return cached_path(file.sha256, file.filename).is_file()


def pip_download(files: Sequence[IndexFile], folder: Path) -> Command:
    """Return the command that fetches `files`, which must share one Python and platform, into `folder`.

    `===` and not `==`: the latter also accepts local versions such as our own rebuilt wheel's.
    """
    python, platform = files[0].python, files[0].platform
    options = ("--only-binary=:all:", "--platform", platform, "--python-version", python, "--implementation", "cp")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input")
    limits = ("--timeout", str(CONNECT_SECONDS), "--retries", "1", "--progress-bar", "off")
    wanted = tuple(f"{f.package}==={f.version}" for f in files)
    argv = (*pip, "download", "--no-deps", *options, *limits, "--dest", str(folder), *wanted)
    return Command(argv=argv, timeout=DOWNLOAD_SECONDS, temporary=folder / ".temporary")


def fetch_index_files(files: Sequence[IndexFile]) -> dict[str, Path]:
    """Return the path of every file by its name; fetch what is not in the cache, or damaged there, a few at a time.

    Every file's content is hashed in this call, also one that was there.
    Raise NetworkError when pip cannot get a file, IntegrityError when its content is not what was pinned.
    """
    missing = [f for f in files if not intact(cached_path(f.sha256, f.filename), f.sha256)]
    groups: dict[tuple[str, str, int], list[IndexFile]] = {}
    for file in missing:
        alike = (file.python, file.platform, file.package)
        turn = sum((f.python, f.platform, f.package) == alike for group in groups.values() for f in group)
        groups.setdefault((file.python, file.platform, turn), []).append(file)  # pip takes one version at a time
    if groups:
        with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
            list(pool.map(_fetch_group, groups.values()))
    return {f.filename: cached_path(f.sha256, f.filename) for f in files}


def _fetch_group(files: Sequence[IndexFile]) -> None:
    with _partial_folder(f"{files[0].python}-{files[0].platform}") as folder:
        wanted = [f for f in files if not is_cached(f)]  # another run may have fetched them while we waited
        if not wanted:
            return
        _run_pip(wanted, folder)
        for file in wanted:
            arrived = folder / file.filename
            if not arrived.is_file():
                got = ", ".join(sorted(p.name for p in folder.iterdir() if p.is_file())) or "nothing"
                raise IntegrityError(f"pip was asked for {file.filename} and delivered {got}.", remedy=_MIRROR)
            _accept(arrived, file.sha256)


@contextmanager
def _partial_folder(name: str) -> Iterator[Path]:
    """Give an empty folder to download into, under a lock; nothing stays in it, of a killed run until the next one."""
    folder = cache_dir("downloads", f".{name}.partial")
    with locked(cache_dir("downloads", name)):
        remove_tree(folder)
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            remove_tree(folder)


_MIRROR = "Look at `pip config list`: an index or find-links folder there offers other files than PyPI does."


def _run_pip(files: Sequence[IndexFile], folder: Path) -> None:
    names = ", ".join(f.filename for f in files)
    log = log_dir() / f"download-{files[0].package}-{files[0].python}.log"
    with task(f"download {names}") as shown:
        done = run(pip_download(files, folder), log=log, check=False, on_line=shown.update)
    if done.returncode == 0 and not done.timed_out:
        return
    known = recognise(done.tail)
    if known is not None and known.id in {"certificate", "disk-full"}:
        raise NetworkError(f"pip could not fetch {names}: {known.cause}", remedy=known.advice, log=log)
    text = log.read_text(encoding="utf-8", errors="replace")
    if done.timed_out or _OFFLINE.search(text):
        raise NetworkError(
            f"No package index could be reached for {names}.",
            remedy="Check the network, the proxy and `pip config list`; what has arrived is kept for the next run.",
            log=log,
        )
    raise NetworkError(f"No index that pip is configured for offers {names}.", remedy=_MIRROR, log=log)


def fetch_url(file: UrlFile) -> Path:
    """Return the path of a file at a plain URL; fetch it when it is not in the cache.

    Raise NetworkError when it cannot be had, IntegrityError when its hash is not the pinned or the recorded one.
    """
    record = cache_dir("downloads", f"{sha256_bytes(file.url.encode())[:16]}.sha256")
    expected = file.sha256 or (_recorded_hash(record) if file.remember else None)
    if expected and intact(cached_path(expected, file.filename), expected):
        return cached_path(expected, file.filename)
    with _partial_folder(record.stem) as folder:
        arrived = folder / file.filename
        _get(file.url, arrived)
        actual = sha256_file(arrived)
        place = _accept(arrived, expected or actual)
        if expected is None and file.remember:
            write_atomic(record, f"{actual}  {file.url}\n")
            say(f"{file.url}: SHA-256 {actual} recorded, verified from now on")
        return place


def _recorded_hash(record: Path) -> str | None:
    """Return the hash of a record, or None where it is missing or damaged: then this is the first fetch again."""
    try:
        found = re.match(r"[0-9a-f]{64}\b", record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found and found.group()


def _get(url: str, place: Path) -> None:
    import pooch
    import requests

    with task(f"download {url}") as shown:
        get = pooch.HTTPDownloader(
            progressbar=_Bar(shown, url), timeout=CONNECT_SECONDS, hooks={"response": _refuse_downgrade}
        )
        try:
            get(url, str(place), None)
        except requests.HTTPError as error:
            status = error.response.status_code if error.response is not None else "unknown"
            raise NetworkError(
                f"{url} was answered with HTTP status {status}.",
                remedy="Check the URL in the recipe, or try again later.",
            ) from error
        except (requests.RequestException, OSError, ValueError) as error:  # pooch reads a length that may be no number
            raise NetworkError(
                f"{url} could not be fetched ({type(error).__name__}).",
                remedy="Check the network and the proxy variables, then run it again: this file starts anew.",
            ) from error


class _Bar:
    """What pooch tells its progress bar, passed on to a task's; gives up what is larger or slower than any."""

    def __init__(self, shown: Task, url: str) -> None:
        self._shown, self._url, self.total, self._done = shown, url, 0, 0
        self._end = time.monotonic() + DOWNLOAD_SECONDS

    def update(self, size: int) -> None:
        self._done += size
        if max(self._done, self.total) > MOST_BYTES or time.monotonic() > self._end:
            limits = f"{MOST_BYTES:,} bytes and {DOWNLOAD_SECONDS:.0f} s"
            raise NetworkError(f"{self._url} exceeds {limits}.", remedy="Look at the address and the proxy.")
        self._shown.progress(self._done, self.total or None, unit="bytes")

    def reset(self) -> None:
        self._done = 0

    def close(self) -> None:
        """Pooch wants it."""


def _refuse_downgrade(answer: requests.Response, *_: object, **__: object) -> None:
    """Raise NetworkError for a redirect from https to anything else: what comes then could be anybody's."""
    if answer.is_redirect and answer.url.startswith("https://"):
        place = answer.headers["location"]
        if "://" in place and not place.startswith("https://"):
            remedy = "Do not follow it: look at the address, the proxy and the mirror."
            raise NetworkError(f"{answer.url} redirects to {place}, which is not https.", remedy=remedy)


def _accept(arrived: Path, sha256: str) -> Path:
    place = cached_path(sha256, arrived.name)
    verified(arrived, sha256)
    place.parent.mkdir(parents=True, exist_ok=True)
    return move(arrived, place)
