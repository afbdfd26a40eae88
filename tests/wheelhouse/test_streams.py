"""Nothing that is printed can raise, whatever the code page or the locale is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from wheelhouse.paths import ROOT

SAID = "✓ Zoë … 中文\n"
PRINT = f"""
import sys
from wheelhouse import streams
streams.settle()
print({SAID!a}, end="")
print({SAID!a}, file=sys.stderr)
"""


WAIT = """
import time
from wheelhouse import streams
streams.settle()
try:
    print("ready", flush=True)
    time.sleep(600)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def run(*argv: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
    own = {k: v for k, v in os.environ.items() if k not in {"PYTHONIOENCODING", "PYTHONUTF8"}}
    return subprocess.run([sys.executable, *argv], cwd=ROOT, env=own | variables, capture_output=True, check=False)


@pytest.mark.parametrize(
    "variables",
    [
        {
            "LC_ALL": "C",
            "PYTHONCOERCECLOCALE": "0",
            "PYTHONUTF8": "0",
        },  # ASCII; cp1252 on Windows
        {"PYTHONUTF8": "1"},
    ],
)
def test_a_pipe_gets_utf_8_with_the_same_line_ends_everywhere(variables: dict[str, str]) -> None:
    done = run("-c", PRINT, **variables)
    assert done.returncode == 0, done.stderr
    assert done.stdout == SAID.encode()


@pytest.mark.parametrize("encoding", ["cp1252", "cp437", "ascii"])
def test_an_encoding_that_is_asked_for_is_kept_and_shows_what_it_has(encoding: str) -> None:
    done = run("-c", PRINT, PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr
    assert done.stdout == SAID.encode(encoding, errors="replace")


@pytest.mark.skipif(sys.platform != "win32", reason="Ctrl+Break is Windows'")
@pytest.mark.not_in_wine("without a console it refuses to send Ctrl+Break (error 12)")
def test_ctrl_break_is_taken_as_ctrl_c() -> None:
    python = getattr(sys, "_base_executable", sys.executable)  # an environment's python.exe would be told, too
    process = subprocess.Popen(
        (python, "-c", WAIT),
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        creationflags=subprocess.CREATE_NEW_PROCESS_GROUP,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == b"ready"
        process.send_signal(signal.CTRL_BREAK_EVENT)
        assert process.stdout.read().strip() == b"interrupted"
    finally:
        process.kill()
        process.communicate()


def test_every_command_sets_its_streams() -> None:
    done = run("-m", "invoke", "recipes", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert b"\r" not in done.stdout
