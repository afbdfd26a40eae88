"""What `invoke` does where it is started: in the checkout, in another one, in somebody else's, in none."""

from __future__ import annotations

import os
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
