"""What hangs is ended, what is slow is not."""

from __future__ import annotations

import sys
import threading
from types import SimpleNamespace

import pytest

from wheelhouse.process import Command, run
from wheelhouse.processes.idling import LITTLE, Idling, work_of

SECONDS = 0.3


def watched(*measured: float | None, stop_after: int = 1000) -> bool:
    """Return whether a tree was ended whose work is measured so; the last value stays."""
    left, ended, over = list(measured), threading.Event(), threading.Event()
    count = 0

    def measure(_pid: int) -> float | None:
        nonlocal count
        count += 1
        if count == stop_after:
            idling.stop()
            over.set()
        value = left.pop(0) if len(left) > 1 else left[0]
        if value is None:
            over.set()
        return value

    def end() -> None:
        ended.set()
        over.set()

    idling = Idling(SECONDS, measure)
    idling.begin(SimpleNamespace(pid=1), end)  # type: ignore[arg-type]
    assert over.wait(60)
    assert idling.ended == ended.is_set()
    return ended.is_set()


def test_doing_nothing_is_hanging() -> None:
    assert watched(0.0)
    assert watched(1.0, 2.0, 3.0, 3.0)


@pytest.mark.parametrize("sign", [1.0, -1.0], ids=["working", "a child that ended"])
def test_any_change_of_the_time_is_life(sign: float) -> None:
    step = 2 * LITTLE * SECONDS
    assert not watched(*(100 + sign * n * step for n in range(100)), stop_after=40)


def test_crumbs_are_no_life() -> None:
    assert watched(*(n * LITTLE * SECONDS / 100 for n in range(90)), 0.0)


def test_waiting_for_a_disk_is_life() -> None:
    assert not watched(-1.0, stop_after=40)


def test_what_is_gone_or_has_started_is_watched_no_more() -> None:
    assert not watched(0.0, None)
    assert not watched(0.0, stop_after=3)


def test_a_real_process_that_sleeps_and_what_it_started(tmp_path) -> None:
    child = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(3600)'])"
    done = run(Command(argv=(sys.executable, "-c", child)), log=tmp_path / "log", check=False, idling=Idling(2.0))
    assert done.idle_seconds == 2.0
    assert done.returncode != 0
    assert not done.timed_out


def test_a_real_process_that_ends_is_left_alone(tmp_path) -> None:
    done = run(Command(argv=(sys.executable, "-c", "pass")), log=tmp_path / "log", idling=Idling(60.0))
    assert (done.idle_seconds, done.returncode) == (0.0, 0)


def test_the_work_of_this_process_is_measured() -> None:
    import os

    before = work_of(os.getpid())
    sum(n * n for n in range(2_000_000))
    after = work_of(os.getpid())
    assert before is not None
    assert after is not None
    assert after < 0 or before < 0 or after > before
    assert work_of(2**31 - 5) is None
