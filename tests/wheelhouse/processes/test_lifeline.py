"""What was started does not outlive a program that is killed outright."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from wheelhouse.processes.lifeline import _prctl, die_with_parent

PARENT = """
import sys, threading
from pathlib import Path
from wheelhouse.process import Command, run

body = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
command = Command(argv=(sys.executable, "-c", body))

def start():
    run(command, log=Path(sys.argv[1]) / "x.log", on_line=lambda line: print(line, flush=True))

thread = threading.Thread(target=start)
thread.start()
thread.join()
"""


TALKING = """
import subprocess, sys
from wheelhouse.processes.orphans import start_with_us

body = "import os, sys, time; print(os.getpid(), flush=True); sys.stdin.readline(); time.sleep(60)"
worker = start_with_us((sys.executable, "-c", body), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
print(worker.stdout.readline().decode(), flush=True)
worker.wait()
"""


@pytest.mark.skipif(sys.platform not in {"linux", "win32"}, reason="signals there, jobs here")
@pytest.mark.parametrize("program", [PARENT, TALKING])
def test_a_started_process_dies_with_a_killed_program(tmp_path: Path, program: str) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    end = time.monotonic() + 30
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end, "the child goes on"
        time.sleep(0.05)


def test_elsewhere_nothing_is_asked_of_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    _prctl.cache_clear()
    monkeypatch.setattr(sys, "platform", "win32")
    assert die_with_parent() is None
    _prctl.cache_clear()
