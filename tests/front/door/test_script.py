"""What `invoke` does where it is started: in the checkout, in another one, in somebody else's, in none."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from front.door.script import nearest_tasks
from wheelhouse.paths import ROOT

OURS = [sys.executable, "-c", "from front.door.script import main; main()"]
INVOKES = [sys.executable, "-m", "invoke"]
FOREIGN = "from invoke.tasks import task\n\n@task\ndef theirs(_c):\n    'Theirs.'\n    print('ran theirs')\n"


def run(command, cwd, *words):
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [*command, *words], cwd=cwd, env=environ, capture_output=True, text=True, encoding="utf-8", check=False
    )


@pytest.mark.parametrize("words", [["smoke"], ["--help"], []])
def test_outside_a_checkout(tmp_path, words):
    done = run(OURS, tmp_path, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: There is no tasks.py here or above. Run it in the checkout: cd {ROOT}\n"
    assert run(OURS, tmp_path, "--version").stdout.startswith("dml-wheelhouse ")


def test_in_the_checkout():
    done = run(OURS, ROOT / "smoke", "--version")
    assert done.stdout.startswith("dml-wheelhouse ")
    assert "Usage: invoke smoke" in run(OURS, ROOT, "smoke", "-h").stdout


def test_started_by_invoke_itself():
    assert "Usage: invoke smoke" in run(INVOKES, ROOT, "smoke", "-h").stdout
    assert run(INVOKES, ROOT, "smok").returncode == 2
    assert "Build wheels:" in run(INVOKES, ROOT).stdout


def test_in_a_folder_with_tasks_of_somebody_else(tmp_path):
    (tmp_path / "tasks.py").write_text(FOREIGN, encoding="utf-8")
    (tmp_path / "below").mkdir()
    assert run(OURS, tmp_path / "below", "theirs").stdout == "ran theirs\n"


@pytest.mark.parametrize("command", [OURS, INVOKES])
def test_in_another_checkout(tmp_path, command):
    (tmp_path / "tasks.py").write_bytes((ROOT / "tasks.py").read_bytes())
    done = run(command, tmp_path, "clean", "--yes")
    assert (done.returncode, done.stdout) == (2, "")
    assert str(ROOT) in done.stderr
    assert str(tmp_path) in done.stderr
    assert "Traceback" not in done.stderr


def test_the_nearest_tasks_are_taken(tmp_path):
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "tasks.py").touch()
    assert nearest_tasks(tmp_path / "a/b") == (tmp_path / "tasks.py").resolve()


def test_completion_of_a_shell():
    words = ["--complete", "--", "invoke", "smoke", "--al"]
    assert "--all-backends" in run(INVOKES, ROOT, *words).stdout
    assert "--all-backends" in run(OURS, ROOT, *words).stdout
    assert "build-dml" in run(OURS, ROOT, "--complete", "--", "invoke", "buil").stdout


MOMENTS = {
    "while it imports": ("sys.addaudithook(lambda e, a: e == 'import' and a[0] == 'psutil' and send())", "pass"),
    "while a process runs": ("", "run(Command(argv=SLEEP), log=LOG, on_line=lambda _: send())"),
    "while it computes": ("", "send(); time.sleep(60)"),
}
"""What happens before the door is opened, and behind it; the signal comes from the code, so at that very moment."""

SIGNALLED = """
import os, sys, time
from pathlib import Path
LOG = Path({log!r})
SLEEP = (sys.executable, "-c", "print(1, flush=True); import time; time.sleep(60)")
def send():
    os.kill(os.getpid(), {number})
    time.sleep(60)
{before}
from front.door import script, signals
def act(_root):
    import psutil
    from front.door.ending import ended
    from wheelhouse.process import Command, run
    signals.heed()
    def inside():
        {inside}
    sys.exit(ended(inside))
script._ours = act
script.main()
"""


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_whoever_ends_it_hears_the_same(tmp_path, name, moment):
    number = int(getattr(signal, name))
    before, inside = MOMENTS[moment]
    code = SIGNALLED.format(log=str(tmp_path / "log"), number=number, before=before, inside=inside)
    usual = "default_int_handler" if name == "SIGINT" else "SIG_DFL"  # whatever these tests were started with ignores
    code = f"import signal; signal.signal({number}, signal.{usual})\n{code}"
    done = run([sys.executable, "-c", code], ROOT)
    assert done.stderr.strip().endswith("interrupted: what was finished is kept, the next run goes on from there")
    assert "Traceback" not in done.stderr
    assert done.returncode == 128 + number


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_what_was_ignored_stays_so(tmp_path):
    """`nohup invoke smoke` goes on when its terminal is closed."""
    code = SIGNALLED.format(log="x", number=int(signal.SIGHUP), before="", inside="send()").replace(
        "sleep(60)", "sleep(0)"
    )
    ignoring = f"import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n{code}"
    assert run([sys.executable, "-c", ignoring], ROOT).returncode == 0
