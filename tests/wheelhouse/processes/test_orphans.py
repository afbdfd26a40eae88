"""What a killed run had started ends with it."""

import os
import signal
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="process groups are POSIX's")

PARENT = """
import sys
from pathlib import Path
from wheelhouse.process import Command, run
child = "import os, subprocess, sys, time; g = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])"
child += "; print(os.getpid(), g.pid, flush=True); time.sleep(600)"
run(Command(argv=(sys.executable, "-c", child)), log=Path(sys.argv[1]), on_line=lambda line: print(line, flush=True))
"""


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:  # noqa: PTH123 - a zombie that nobody waits for is gone too
        return stat.read().rsplit(")", 1)[1].split()[0] == "Z"


@pytest.mark.skipif(sys.platform != "linux", reason="zombies are told from /proc")
def test_children_and_grandchildren_end_when_the_parent_is_killed(tmp_path):
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path / "log")], stdout=subprocess.PIPE, text=True)
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(pids) == 2
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    for _ in range(600):  # a busy machine may take its time; it must not take for ever
        if all(gone(pid) for pid in pids):
            return
        time.sleep(0.05)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    pytest.fail("a process survived")
