"""What is printed for cmd is what cmd passes on: typed into a batch file and run by cmd.exe itself.

It reads one in the console's code page, which Python calls "oem".
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from wheelhouse.process import Command, render

pytestmark = pytest.mark.skipif(sys.platform != "win32", reason="cmd.exe is Windows'")

ARGUMENTS = [
    "plain", "two words", "a&b", "a|b", "<x>", "(x86)", "^", "a^b c", "semi;colon", "comma,eq=", "bang!", "",
    r"C:\Program Files\x", "C:\\Program Files\\x\\", 'say "hi"', 'say "hi" & go', "-DX=1.0", "@file", "ümläut", "*.txt",
]  # fmt: skip
"""`%` is left out: at a prompt it stays where no such variable exists, in a batch file it has to be doubled."""

ECHO = "import json, sys; open('got.json', 'a').write(json.dumps(sys.argv[1:]) + chr(10))"


def test_cmd_passes_on_every_argument(tmp_path: Path) -> None:
    (tmp_path / "echo.py").write_text(ECHO, encoding="utf-8")
    groups = [ARGUMENTS[start : start + 5] for start in range(0, len(ARGUMENTS), 5)]
    lines = [render(Command(argv=(sys.executable, "echo.py", *group)), "cmd") for group in groups]
    (tmp_path / "typed.bat").write_bytes("".join(f"@{line}\r\n" for line in lines).encode("oem"))
    subprocess.run(["cmd.exe", "/d", "/c", "typed.bat"], cwd=tmp_path, check=False)
    got = [json.loads(line) for line in (tmp_path / "got.json").read_text(encoding="utf-8").splitlines()]
    assert got == groups


def test_directory_and_variables_are_set(tmp_path: Path) -> None:
    folder = tmp_path / "a & b"
    folder.mkdir()
    code = "import os; open('got.txt', 'w', encoding='utf-8').write(os.environ['K'])"
    command = Command(argv=(sys.executable, "-c", code), cwd=folder, env={"K": "v & w"})
    (tmp_path / "typed.bat").write_bytes(f"@{render(command, 'cmd')}\r\n".encode("oem"))
    subprocess.run(["cmd.exe", "/d", "/c", "typed.bat"], cwd=tmp_path, check=True)
    assert (folder / "got.txt").read_text(encoding="utf-8") == "v & w"
