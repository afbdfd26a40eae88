"""What a killed run had started ends with it."""

import subprocess
import sys
import time

import psutil
import pytest

from wheelhouse.process import Command, run

PARENT = """
import sys
from pathlib import Path
from wheelhouse.process import Command, run
child = "import os, subprocess, sys, time; sleep = [sys.executable, '-c', 'import time; time.sleep(600)']"
child += "; g = subprocess.Popen(sleep); n = subprocess.Popen(sleep, process_group=0)"  # as Ninja starts its jobs
child += "; print(os.getpid(), g.pid, n.pid, flush=True); time.sleep(600)"
run(Command(argv=(sys.executable, "-c", child)), log=Path(sys.argv[1]), on_line=lambda line: print(line, flush=True))
"""


def gone(pid):
    """Return whether a process has ended: a zombie that nobody waits for has, too."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.skipif(sys.platform not in {"linux", "win32"}, reason="process groups there, jobs here")
def test_children_and_grandchildren_end_when_the_parent_is_killed(tmp_path):
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "log")], stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(pids) == 3
    assert not any(gone(pid) for pid in pids)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for _ in range(600):  # a busy machine may take its time; it must not take for ever
        if all(gone(pid) for pid in pids):
            return
        time.sleep(0.05)
    for pid in pids:
        psutil.Process(pid).kill()
    pytest.fail("a process survived")


def test_processes_with_groups_of_their_own_end_when_we_are_interrupted(tmp_path):
    code = "import os, subprocess, sys, time; sleep = [sys.executable, '-c', 'import time; time.sleep(600)']"
    code += "; n = subprocess.Popen(sleep, process_group=0); print(os.getpid(), n.pid, flush=True); time.sleep(600)"
    pids = []

    def interrupt(line):
        pids.extend(map(int, line.split()))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(Command(argv=(sys.executable, "-c", code)), log=tmp_path / "log", on_line=interrupt)
    assert len(pids) == 2
    assert all(gone(pid) for pid in pids)
