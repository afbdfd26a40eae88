"""What making the Wine runtime takes, part by part, in a cache of its own: Debian's packages come from its mirror."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from front.benching.timing import INVOKE, Part, Row
from wheelhouse import scratch
from wheelhouse.errors import StepFailedError
from wheelhouse.paths import CACHE_VARIABLE, ROOT, cache_dir

_WHAT = "`invoke wine-setup` from nothing, without the seconds in which apt downloads"
_ENDED = re.compile(r"✓ (?P<what>.+?)  +(?P<seconds>[\d.]+) s")
_FETCHED = re.compile(r"^Fetched .* in (?:(?P<minutes>\d+)min )?(?P<seconds>\d+)s", re.MULTILINE)
_DEBIANS = ("debootstrap", "installing Wine, Mesa")
_NAMED = 8
"""How many parts are named: the longest ones."""


def set_up() -> Iterator[Row]:
    """Make a whole runtime beside the one that is there, and remove it."""
    from smoke.wine import mounts, namespace

    problem = namespace.obstacle()
    if problem is not None:
        yield Row(name="wine-setup", what=_WHAT, unit="s", limit=60.0, skipped=str(problem))
        return
    with scratch.folder() as cache:
        (cache / "downloads").symlink_to(cache_dir("downloads"), target_is_directory=True)
        started, before = time.perf_counter(), os.times()
        try:
            said = _make(cache)
            whole, after = time.perf_counter() - started, os.times()
            logs = "".join(path.read_text(encoding="utf-8", errors="replace") for path in cache.rglob("apt*.log"))
        finally:
            mounts.remove(cache / "wine")
    fetching = downloading(logs)
    yield Row(
        name="wine-setup",
        what=_WHAT,
        unit="s",
        value=whole - fetching,
        limit=60.0,
        cpu_s=after.children_user + after.children_system - before.children_user - before.children_system,
        parts=(Part("apt's downloads", fetching), *parts(said)),
        note=remark(parts(said)),
    )


def parts(said: str) -> tuple[Part, ...]:
    """Return the parts of a set-up that took longest, by what it said when each had ended."""
    found = [Part(match["what"], float(match["seconds"])) for match in _ENDED.finditer(said)]
    return tuple(sorted(found, key=lambda part: -part.seconds)[:_NAMED])


def remark(found: tuple[Part, ...]) -> str:
    """Return how much of it is Debian's own installer, which only a smaller list of packages would shorten."""
    debian = sum(part.seconds for part in found if part.name.startswith(_DEBIANS))
    return (
        f"{debian:.0f} s are debootstrap and dpkg, one process at a time; debootstrap's own downloads are in its part"
    )


def downloading(logs: str) -> float:
    """Return the seconds that apt downloaded, by its own account."""
    return sum(60.0 * int(match["minutes"] or 0) + int(match["seconds"]) for match in _FETCHED.finditer(logs))


def _make(cache: Path) -> str:
    argv, env = (*INVOKE, "wine-setup"), os.environ | {CACHE_VARIABLE: str(cache), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, check=False, stdin=subprocess.DEVNULL)
    said = done.stderr.decode(sys.getdefaultencoding(), errors="replace")
    if done.returncode != 0:
        raise StepFailedError(f"`invoke wine-setup` ended with {done.returncode}: {''.join(said.splitlines()[-1:])}")
    return said
