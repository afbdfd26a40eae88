"""What the suites of kills consist of: a program in a place of its own, killed at a moment, finished by the next."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil

from wheelhouse.files import remove_tree

KILLS = int(os.environ.get("DML_WHEELHOUSE_KILLS", "36"))
"""How often runs are killed in all; each suite takes its share."""
AT_ONCE = 2
PATIENCE = 20.0
"""Seconds in which what a killed run had started must be gone: a busy machine takes its time."""


def share(of_two_hundred: int) -> int:
    """Return how many kills a suite gets that has so many of two hundred."""
    return max(1, round(KILLS * of_two_hundred / 200))


@dataclass(frozen=True)
class Scene:
    """A program to run and kill, with a cache, an output and a folder for temporary files of its own."""

    code: str
    arguments: tuple[str, ...]
    base: Path
    environment: dict[str, str]

    def start(self, place: str) -> subprocess.Popen[bytes]:
        here = self.base / place
        (here / "tmp").mkdir(parents=True, exist_ok=True)
        own = {"DML_WHEELHOUSE_CACHE": str(here / "cache"), "TMPDIR": str(here / "tmp"), "KILLED_BY_TEST": str(here)}
        argv = [sys.executable, "-c", self.code, *self.arguments, str(here / "out")]
        variables = os.environ | self.environment | own
        with (here / "err").open("wb") as said:
            return subprocess.Popen(argv, env=variables, stdout=subprocess.DEVNULL, stderr=said)

    def finish(self, place: str) -> float:
        started = time.monotonic()
        process = self.start(place)
        assert process.wait(timeout=300) == 0, (self.base / place / "err").read_text(encoding="utf-8")
        return time.monotonic() - started


def left_running(here: Path) -> list[psutil.Process]:
    """Return every process that a run in this folder started and that still lives."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("KILLED_BY_TEST") == str(here) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def settle(here: Path) -> list[psutil.Process]:
    end = time.monotonic() + PATIENCE
    while (left := left_running(here)) and time.monotonic() < end:
        time.sleep(0.05)
    return left


def told(what: str, kill: Callable[[int], None], times: int) -> None:
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        ended = sum(1 for _ in pool.map(kill, range(times)))
    print(f"{ended} of {times} kills of {what} ended well")
    assert ended == times


def kill_and_finish(scene: Scene, number: int, times: int, took: float, whole: Callable[[Path], object]) -> None:
    """Kill the scene in its `number`th of `times` parts, then require that the next run ends as `whole` does elsewhere.

    Nothing may live on, and nothing may lie in the system's folder for temporary files or half made in the cache.
    """
    here = scene.base / f"killed-{number}"
    moment = took * (number + random.Random(time.time_ns()).random()) / times
    process = scene.start(here.name)
    time.sleep(moment)
    process.kill()
    process.wait()
    assert settle(here) == [], f"something lives on after a kill at {moment:.3f} s"
    scene.finish(here.name)
    assert whole(here) == whole(scene.base / "undisturbed"), f"another result after a kill at {moment:.3f} s"
    assert list((here / "tmp").iterdir()) == [], f"litter after a kill at {moment:.3f} s"
    left = [p for p in (here / "cache").rglob("*.partial") if "downloads" not in p.parts]
    assert left == [], f"half made after a kill at {moment:.3f} s"
    remove_tree(here)


def killed(what: str, scene: Scene, of_two_hundred: int, whole: Callable[[Path], object]) -> None:
    """Run the scene undisturbed, which has to make something, then kill it as often as its share says."""
    took = scene.finish("undisturbed")
    assert whole(scene.base / "undisturbed")
    times = share(of_two_hundred)
    told(what, lambda number: kill_and_finish(scene, number, times, took, whole), times)
