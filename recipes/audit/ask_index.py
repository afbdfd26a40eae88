"""Ask a package index, through pip and its own configuration, which versions of a distribution a target can have."""

from __future__ import annotations

import os
import re
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from recipes.audit.pip_answers import Pip
from recipes.audit.readers.wheel import Wheel
from recipes.audit.surroundings import Offer, canonical
from recipes.audit.wheel_target import platform, python_version
from wheelhouse.errors import InputError

if TYPE_CHECKING:
    from packaging.requirements import Requirement

TIME_LIMIT = 25.0
"""Seconds that one question may take, a start of pip included."""

_MOST_AT_A_TIME = 4

_CURRENT_GLIBC = 39
_VERSIONS = re.compile(r"^Available versions:\s*(.+)$", re.MULTILINE)
_NOT_FOUND = re.compile(r"No matching distribution found", re.IGNORECASE)
_OFFLINE = re.compile(
    r"connection|Retrying|timed out|resolution|unreachable|ProxyError|SSLError|HTTP error 5|Could not fetch",
    re.IGNORECASE,
)


class IndexAsker:
    """Answers what indexes have; every question is asked once, and several at the same time.

    pip's configured indexes are asked when `configured` is set, and `index`, a URL or a folder of wheels, when given.
    """

    def __init__(self, index: str | None = None, *, configured: bool = True, time_limit: float = TIME_LIMIT) -> None:
        self._indexes: list[str | None] = [*([None] if configured else []), *([index] if index else [])]
        self._time_limit = time_limit
        count = min(_MOST_AT_A_TIME, os.cpu_count() or 1)
        self._pips = [Pip() for _ in range(count)]
        self._free: SimpleQueue[Pip] = SimpleQueue()
        for pip in self._pips:
            self._free.put(pip)
        self._pool = ThreadPoolExecutor(max_workers=count)
        self._asked: dict[tuple[str, str, str], list[Future[Offer]]] = {}

    def prefetch(self, requirement: Requirement, wheel: Wheel) -> list[Future[Offer]]:
        """Begin to ask; the answer is had with `__call__`."""
        key = (canonical(requirement), platform(wheel), python_version(wheel))
        if key not in self._asked:
            self._asked[key] = [self._pool.submit(self._ask, key, index) for index in self._indexes]
        return self._asked[key]

    def _ask(self, key: tuple[str, str, str], index: str | None) -> Offer:
        pip = self._free.get()
        try:
            return _ask(pip, *key, time_limit=self._time_limit, index=index)
        finally:
            self._free.put(pip)

    def __call__(self, requirement: Requirement, wheel: Wheel) -> tuple[Offer, ...]:
        """Return what every index has of the required distribution for the wheel's platform and Python."""
        offers = tuple(future.result() for future in self.prefetch(requirement, wheel))
        if None not in self._indexes and not any(offer.versions for offer in offers):
            offers += (Offer(source="PyPI", unknown="it was not asked"),)  # a private index need not have everything
        return offers

    def close(self) -> None:
        """End what is under way and give the threads back."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        for _ in range(2):  # the second time what was begun at the very end
            for pip in self._pips:
                pip.end()
            self._pool.shutdown()


def ask_versions(name: str, target: str, python: str) -> Offer:
    """Ask pip's configured indexes for the versions of one distribution for a platform tag and a Python ("3.12")."""
    pip = Pip()
    try:
        return _ask(pip, name, target, python, time_limit=TIME_LIMIT)
    finally:
        pip.end()


def _ask(pip: Pip, name: str, target: str, python: str, *, time_limit: float, index: str | None = None) -> Offer:
    """Ask pip for the versions of one distribution; what goes wrong makes the Offer unknown."""
    source = "PyPI" if index is None else index
    arguments = ["index", "versions", name, *_target_options(target, python), *_where(index)]
    arguments += ["--disable-pip-version-check", "--no-input", "--timeout=8", "--retries=1"]
    try:
        answer = pip.ask(arguments, seconds=time_limit)
    except TimeoutError:
        return Offer(source=source, unknown=f"no answer within {time_limit:.0f} s")
    except OSError as error:
        return Offer(source=source, unknown=f"pip could not be started: {error.strerror}")
    return _answer(source, answer.code, answer.out, answer.err)


def _answer(source: str, returncode: int, stdout: str, stderr: str) -> Offer:
    """Turn pip's output into an Offer: "not found" is an answer only when nothing hints at the connection."""
    found = _VERSIONS.search(stdout)
    if returncode == 0 and found:
        return Offer(source=source, versions=tuple(v.strip() for v in found[1].split(",") if v.strip()))
    if _NOT_FOUND.search(stderr) and not _OFFLINE.search(stderr):
        return Offer(source=source)
    if "No module named pip" in stderr:
        return Offer(source=source, unknown="pip is not installed in this Python")
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    if _OFFLINE.search(stderr):
        return Offer(source=source, unknown="pip could not connect to it")
    return Offer(source=source, unknown=lines[-1][:160] if lines else f"pip ended with exit code {returncode}")


def _target_options(target: str, python: str) -> list[str]:
    """Return pip's options for a platform tag: a newer manylinux accepts the older ones, so the whole row is given.

    A plain "linux_…" promises nothing about the C library: it is taken for a current system.
    """
    if target == "any":
        return []
    found = re.fullmatch(r"(?:manylinux_2_(\d+)|linux)_(x86_64|aarch64)", target)
    newest = max(int(found[1] or _CURRENT_GLIBC), 28) if found else 0
    older = [f"manylinux_2_{n}_{found[2]}" for n in range(newest, 4, -1)] if found else []
    legacy = [f"manylinux2014_{found[2]}", f"linux_{found[2]}"] if found else []
    platforms = [option for name in dict.fromkeys((target, *older, *legacy)) for option in ("--platform", name)]
    return ["--only-binary=:all:", "--python-version", python, *platforms]


def require_index(index: str) -> None:
    """Raise InputError for an `index` that is neither a folder nor an address; "" is none at all."""
    address = urlsplit(index)
    named = (address.scheme in {"http", "https"} and address.hostname) or (address.scheme == "file" and address.path)
    if index and not named and not Path(index).is_dir():
        raise InputError(
            f"--index {index} is neither a folder nor an address.",
            remedy="Give a folder of wheels, a folder with simple/ in it, or https://….",
        )


def _where(index: str | None) -> list[str]:
    """Return pip's options for one index alone: a folder of wheels, a folder with `simple/` in it, or a URL."""
    if index is None:
        return []
    folder = Path(index)
    if folder.is_dir():
        simple = next((f for f in (folder / "simple", folder) if (f / "index.html").is_file()), None)
        place = ["--index-url", simple.resolve().as_uri()] if simple else ["--no-index"]
        return [*place, "--find-links", str(folder.resolve())]
    return ["--index-url", index]
