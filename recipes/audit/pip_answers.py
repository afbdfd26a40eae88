"""Ask pip several questions in one process: on Windows a start of Python and its pip takes longer than the answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from wheelhouse.processes import own_settings
from wheelhouse.processes.orphans import end_and_close, end_with_descendants, start_with_us

_CHILD = Path(__file__).with_name("pip_child.py")
_ASCII_LINES = {"PYTHONIOENCODING": "ascii:backslashreplace"}
"""JSON without anything else in it, whatever the code page."""


class Answer(NamedTuple):
    """How pip ended, and what it printed."""

    code: int
    out: str
    err: str


class Pip:
    """One Python with pip in it, started at the first question, and again after one that took too long."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def ask(self, arguments: Sequence[str], *, seconds: float) -> Answer:
        """Return what `pip ARGUMENTS` says. Raise TimeoutError after `seconds`, OSError if Python cannot be started."""
        process = self._process or self._start()
        assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 - both are pipes
        over = threading.Event()

        def end() -> None:
            over.set()
            end_with_descendants(process)

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()
        try:
            with suppress(OSError, ValueError):  # it has ended, or is being ended
                process.stdin.write(json.dumps(list(arguments)) + "\n")
                process.stdin.flush()
            line = process.stdout.readline()
        finally:
            timer.cancel()
        if line:
            return Answer(*json.loads(line))
        self.end()
        if over.is_set():
            raise TimeoutError
        return Answer(process.returncode or 1, "", f"pip ended with exit code {process.returncode}")

    def end(self) -> None:
        """End the process, if there is one."""
        process, self._process = self._process, None
        if process is not None:
            end_and_close(process)

    def _start(self) -> subprocess.Popen[str]:
        self._process = start_with_us(
            (sys.executable, "-P", str(_CHILD)),  # -P: its folder is no place for what pip imports
            env=own_settings.inherited(os.environ) | _ASCII_LINES,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="ascii",
        )
        return self._process
