"""Nothing that is printed can raise, whatever the code page or the locale is."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from wheelhouse import streams
from wheelhouse.paths import ROOT
from wheelhouse.processes.effort import in_wine

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


class Terminal(io.TextIOWrapper):
    """A console: it shows what its code page has."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., io.BytesIO]]:
    """Put streams as Windows makes them into the place of ours; a call gives what was written to one."""
    monkeypatch.delenv("PYTHONIOENCODING", raising=False)
    number = getattr(signal, "SIGBREAK", None) or signal.SIGUSR1  # type: ignore[attr-defined,unused-ignore]
    monkeypatch.setattr(signal, "SIGBREAK", number, raising=False)
    monkeypatch.setattr(streams.sys, "platform", "win32")
    kept = []

    def make(name: str, kind: type[io.TextIOWrapper], code_page: str, content: bytes = b"") -> io.BytesIO:
        raw = io.BytesIO(content)
        kept.append(kind(raw, encoding=code_page, newline="\r\n", write_through=True))
        monkeypatch.setattr(sys, name, kept[-1])
        return raw

    before = signal.signal(number, signal.SIG_IGN)
    yield make
    signal.signal(number, before)


def test_a_file_gets_no_line_ends_of_windows(windows: Callable[..., io.BytesIO]) -> None:
    raw = windows("stdout", io.TextIOWrapper, "cp1252")
    streams.settle()
    print(SAID, end="")
    assert raw.getvalue() == SAID.encode()


@pytest.mark.parametrize("code_page", ["cp437", "cp850", "cp1252", "cp932", "cp65001"])
def test_a_console_shows_what_its_code_page_has(windows: Callable[..., io.BytesIO], code_page: str) -> None:
    encoding = {"cp65001": "utf-8"}.get(code_page, code_page)
    raw = windows("stdout", Terminal, encoding)
    streams.settle()
    print(SAID, end="")
    assert raw.getvalue().replace(b"\r", b"") == SAID.encode(encoding, errors="replace")


@pytest.mark.parametrize(
    ("console", "shown"), [("cp850", "cp850"), ("utf-8", "utf-8"), ("cp99", "cp1252"), (None, "cp1252")]
)
def test_a_console_that_is_given_bytes_gets_them_in_its_own_code_page(
    windows: Callable[..., io.BytesIO], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, console: str, shown: str
) -> None:
    windows("stdin", io.TextIOWrapper, "cp1252")
    monkeypatch.setattr(os, "device_encoding", lambda _: console)
    with Terminal(io.BufferedWriter(io.FileIO(tmp_path / "said", "w")), encoding="cp1252", newline="\n") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        streams.settle()
        print(SAID, end="")
    assert (tmp_path / "said").read_bytes() == SAID.encode(shown, errors="replace")


def test_what_is_typed_or_piped_in_cannot_raise(windows: Callable[..., io.BytesIO]) -> None:
    windows("stdin", io.TextIOWrapper, "cp1252", b"ausf\x81hren\r\n")
    streams.settle()
    assert sys.stdin.readline().strip() == "ausf\ufffdhren"


def test_ctrl_break_interrupts(windows: Callable[..., io.BytesIO]) -> None:
    streams.settle()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGBREAK)  # type: ignore[attr-defined,unused-ignore]


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


@pytest.mark.skipif(not in_wine(), reason="the lane's machine")
def test_the_lane_has_the_code_pages_that_it_speaks_of() -> None:
    """Whatever the language of the host is: what passes there passes on a Windows of western Europe."""
    ask = "import ctypes, locale; k = ctypes.windll.kernel32; print(locale.getencoding(), k.GetACP(), k.GetOEMCP())"
    assert run("-c", ask, PYTHONUTF8="0").stdout.split() == [b"cp1252", b"1252", b"437"]
