"""A set-up from nothing, killed at random moments of every stage: `pytest -m wine`, as root.

Where there is no runtime yet, it makes the real one: in CI that costs little more than a set-up. Where there is one, it
makes another if DML_WHEELHOUSE_KILLS says how often to kill it. DML_WHEELHOUSE_SEED decides when.
"""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from smoke.wine import mounts, namespace, places
from wheelhouse.paths import CACHE_VARIABLE, ROOT, cache_dir

pytestmark = pytest.mark.wine

COUNT = "DML_WHEELHOUSE_KILLS"
KILLS = int(os.environ.get(COUNT, "3"))
SEED = int(os.environ.get("DML_WHEELHOUSE_SEED", "1"))
STAGES = {
    "debootstrap trixie": 25.0,
    "reading Debian's package lists": 2.0,
    "installing Wine, Mesa": 45.0,
    "compiling d3d12.dll": 1.5,
    "making a Wine prefix": 8.0,
    "installing the wheels": 10.0,
    "self-test of the Wine runtime": 5.0,
}
"""What the set-up says when a stage begins, in order, and the seconds into it in which the kill falls."""


@pytest.fixture
def cache(tmp_path):
    """The cache when it has no runtime, else a new one."""
    problem = namespace.obstacle()
    if problem is not None:
        pytest.skip(f"needs what the Wine runtime needs: {problem}")
    if not places.root().exists():
        yield places.base().parent
        return
    if COUNT not in os.environ:
        pytest.skip(f"the Wine runtime is there; {COUNT}=3 makes another one and kills its making three times")
    folder = tmp_path / "cache"
    folder.mkdir()
    # Fetching what pip has downloaded again would test the network only.
    (folder / "downloads").symlink_to(cache_dir("downloads").resolve())
    yield folder
    mounts.remove(folder / "wine")  # gigabytes, and pytest keeps three


def start(cache: Path, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as stream:
        return subprocess.Popen(
            [sys.executable, "-m", "invoke", "wine-setup"],
            cwd=ROOT,
            env={**os.environ, CACHE_VARIABLE: str(cache)},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
        )


def belonging_to(cache: Path) -> list[str]:
    """Return the processes that work on the runtime: by their command lines, or by what is mounted for them."""
    runtime = str(cache / "wine")
    found = []
    for process in psutil.process_iter(["pid", "cmdline"]):
        line = " ".join(process.info["cmdline"] or ())
        try:
            seen = Path(f"/proc/{process.pid}/mountinfo").read_text(encoding="utf-8", errors="replace")
        except OSError:  # it has just ended
            continue
        if process.pid != os.getpid() and (runtime in line or runtime in seen):
            found.append(f"{process.pid} {line}")
    return found


def gone(cache: Path, seconds: float = 30.0) -> bool:
    deadline = time.monotonic() + seconds
    while belonging_to(cache):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def kill_in(stage: str, seconds: float, cache: Path, log: Path) -> bool:
    """Start a set-up and kill it `seconds` after `stage` has begun; return whether it lived long enough."""
    process = start(cache, log)
    while process.poll() is None and f"… {stage}" not in log.read_text(encoding="utf-8", errors="replace"):
        time.sleep(0.05)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
    return process.wait() != 0


def test_a_set_up_killed_at_random_moments_is_finished_by_the_next(cache, tmp_path):
    moments = random.Random(SEED)
    order = list(STAGES)
    killed = 0
    for number, stage in enumerate(sorted(moments.choices(order, k=KILLS), key=order.index)):
        killed += kill_in(stage, moments.uniform(0.0, STAGES[stage]), cache, tmp_path / f"log-{number}")
        assert gone(cache), belonging_to(cache)
        assert mounts.mounted_below(cache / "wine") == []
    assert killed > KILLS // 2  # the others were at their end before their moment came
    log = tmp_path / "log"
    assert start(cache, log).wait(900) == 0, log.read_text(encoding="utf-8", errors="replace")[-3000:]
    assert gone(cache), belonging_to(cache)
    assert mounts.mounted_below(cache / "wine") == []
    assert not list((cache / "wine").glob(".*.partial"))
    assert not list((cache / "wine").glob(".*.old"))
