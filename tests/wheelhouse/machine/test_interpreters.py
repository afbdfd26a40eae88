import os
import sys
from pathlib import Path

import pytest

from wheelhouse.errors import ToolchainError
from wheelhouse.machine import interpreters, remedies

pytestmark = pytest.mark.skipif(os.name == "nt", reason="stand-ins are shell scripts")


def stand_in(folder: Path, name: str, script: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
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


def test_a_shim_that_speaks_another_code_page_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Windows' shop alias in German: "… ausf\x81hren", which is neither UTF-8 nor cp1252."""
    for name, code in (("python3.97", 0), ("python3", 9)):
        said = "printf 'Python wurde nicht gefunden; ohne Argumente ausf\\201hren'"
        stand_in(tmp_path, name, f"{said}; {said} >&2; exit {code}")
    right = stand_in(tmp_path, "python", "echo 3.97")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert interpreters.find("3.97") == (str(right),)


def test_wrong_version_under_the_right_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, "python3.97", "echo 3.10")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolchainError, match=r"Python 3\.97 is needed") as caught:
        interpreters.find("3.97")
    assert "uv python install 3.97" in caught.value.remedy


@pytest.mark.parametrize(
    ("platform", "apt", "said"),
    [
        ("win32", None, "winget install Python.Python.3.97"),
        ("linux", "/usr/bin/apt", "python3.97-venv"),
        ("darwin", None, "uv"),
    ],
)
def test_a_remedy_is_for_this_system_alone(
    platform: str, apt: str | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remedies.sys, "platform", platform)
    monkeypatch.setattr(remedies.shutil, "which", lambda _: apt)
    remedy = interpreters.how_to_get("3.97")
    assert said in remedy
    assert ("apt" in remedy, "winget" in remedy) == (apt is not None, platform == "win32")


def test_pythons_of_uv_and_pyenv_need_not_be_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("PATH", "UV_PYTHON_INSTALL_DIR"):
        monkeypatch.setenv(variable, "")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "uv"))
    for folder in ("uv/cpython-3.97.1-linux", "pyenv/versions/3.96.9", "pyenv/versions/3.96.10"):
        (tmp_path / folder / "bin").mkdir(parents=True)
        minor = "3.97" if "3.97" in folder else "3.96"
        stand_in(tmp_path / folder / "bin", f"python{minor}", f"echo {minor}")
    assert interpreters.find("3.97") == (str(tmp_path / "uv/cpython-3.97.1-linux/bin/python3.97"),)
    assert interpreters.find("3.96") == (str(tmp_path / "pyenv/versions/3.96.10/bin/python3.96"),)
    assert interpreters.choose(("3.95", "3.96", "3.97")) == "3.96"
    assert interpreters.choose(("3.95", interpreters.running())) == interpreters.running()
    assert interpreters.choose(("3.95", "3.94")) == "3.95"


def test_every_folder_of_path_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """GitHub's Windows runners have four Pythons on PATH, each as python.exe in a folder of its own."""
    folders = [tmp_path / version for version in ("3.95", "3.96", "3.97")]
    for folder in folders:
        folder.mkdir()
        stand_in(folder, "python", f"echo {folder.name}")
    monkeypatch.setenv("PATH", os.pathsep.join(map(str, folders)))
    assert interpreters.find("3.97") == (str(folders[-1] / "python"),)
