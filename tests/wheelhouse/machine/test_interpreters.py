import os
import sys
from pathlib import Path

import pytest

from wheelhouse.errors import ToolchainError
from wheelhouse.machine import interpreters

pytestmark = pytest.mark.skipif(os.name == "nt", reason="stand-ins are shell scripts")


def stand_in(folder: Path, name: str, script: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_own_python_needs_no_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert interpreters.find(interpreters.running()) == (sys.executable,)


def test_shim_that_starts_nothing_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, "python3.97", "echo 'pyenv: python3.97: command not found' >&2; exit 127")
    right = stand_in(tmp_path, "python3", "echo 3.97")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert interpreters.find("3.97") == (str(right),)


def test_wrong_version_under_the_right_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, "python3.97", "echo 3.10")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolchainError, match=r"Python 3\.97 is needed") as caught:
        interpreters.find("3.97")
    assert "python3.97-venv" in caught.value.remedy


def test_every_folder_of_path_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """GitHub's Windows runners have four Pythons on PATH, each as python.exe in a folder of its own."""
    folders = [tmp_path / version for version in ("3.95", "3.96", "3.97")]
    for folder in folders:
        folder.mkdir()
        stand_in(folder, "python", f"echo {folder.name}")
    monkeypatch.setenv("PATH", os.pathsep.join(map(str, folders)))
    assert interpreters.find("3.97") == (str(folders[-1] / "python"),)
