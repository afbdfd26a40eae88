"""Tools are found and told apart without starting them."""

import os
import sys
from pathlib import Path

import pytest

from recipes.building import tools
from recipes.building.tools import Tools, assumed_tools, cache_defines, find_python, find_tools, generator, stamp
from recipes.spec.target import Target
from wheelhouse.errors import ToolchainError

LINUX, WINDOWS = Target(os="linux", arch="x64"), Target(os="windows", arch="x64")
WINDOWS_ARM = Target(os="windows", arch="arm64")


def test_a_replaced_program_has_another_stamp(tmp_path):
    program = tmp_path / "cc"
    program.write_text("one", encoding="utf-8")
    before = stamp(program)
    program.write_text("other", encoding="utf-8")
    assert stamp(program) != before


def test_a_tool_from_pypi_is_its_version_however_often_it_is_installed(monkeypatch, tmp_path):
    beside = Path(sys.executable).parent / "cmake"
    monkeypatch.setattr("importlib.metadata.version", lambda _: "4.1.0")
    assert tools._told_apart("cmake", str(beside)) == "cmake 4.1.0"
    elsewhere = tmp_path / "cmake"
    elsewhere.write_text("", encoding="utf-8")
    assert tools._told_apart("cmake", str(elsewhere)) == stamp(elsewhere)


def test_no_compiler(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler -std=c++20")
    with pytest.raises(ToolchainError, match="'no-such-compiler' was not found"):
        find_tools(LINUX, (), minimum_cmake="3.0")


def test_no_visual_studio(monkeypatch):
    monkeypatch.setattr(tools.windows, "identity", lambda _: "none")
    monkeypatch.setattr(tools.shutil, "which", lambda _: None)
    with pytest.raises(ToolchainError, match="No Visual Studio"):
        find_tools(WINDOWS, (), minimum_cmake="3.0")


def test_old_cmake_of_the_environment(monkeypatch):
    monkeypatch.setattr("importlib.metadata.version", lambda _: "3.22.1")
    with pytest.raises(ToolchainError, match=r"CMake 3\.22\.1 .* is too old: the sources need 3\.28"):
        tools._require_cmake(str(Path(sys.executable).parent / "cmake"), "3.28")


def test_old_cmake_of_the_system(tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/cmake").write_text("", encoding="utf-8")
    (tmp_path / "share/cmake-3.25/Modules").mkdir(parents=True)
    with pytest.raises(ToolchainError, match=r"CMake 3\.25 "):
        tools._require_cmake(str(tmp_path / "bin/cmake"), "3.28")
    tools._require_cmake(str(tmp_path / "bin/cmake"), "3.25")


def test_a_tool_that_is_missing(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ToolchainError, match="'no-such-tool' was not found"):
        tools._tool("no-such-tool")


def test_this_python_needs_no_search(monkeypatch):
    monkeypatch.setattr(tools, "_ask_for_python", lambda _: pytest.fail("asked"))
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert os.access(find_python(version), os.X_OK)


def test_another_python_is_asked_for_once(monkeypatch, tmp_path):
    python = tmp_path / "python3.99"
    python.write_text("", encoding="utf-8")
    asked = []
    monkeypatch.setattr(tools, "_ask_for_python", lambda v: asked.append(v) or str(python))
    assert [find_python("3.99"), find_python("3.99")] == [str(python)] * 2
    assert asked == ["3.99"]
    python.write_text("upgraded", encoding="utf-8")
    find_python("3.99")
    assert asked == ["3.99", "3.99"]


@pytest.mark.skipif(sys.platform == "win32", reason="a link stands for a Python in another folder")
def test_a_python_below_a_users_name_is_found_whatever_its_code_page(monkeypatch, tmp_path):
    python = tmp_path / "Zoë Müller" / "python"
    python.parent.mkdir()
    python.symlink_to(Path(sys.executable).resolve())
    monkeypatch.setattr("wheelhouse.machine.interpreters.find", lambda _: (str(python),))
    monkeypatch.setenv("PYTHONIOENCODING", "cp1252")
    assert tools._ask_for_python("3.99") == str(python)


@pytest.mark.parametrize("content", ["", "[]", "{"])
def test_a_damaged_notebook_is_no_obstacle(tmp_path, content):
    (tmp_path / "n").write_text(content, encoding="utf-8")
    assert tools._read_notebook(tmp_path / "n") == {}


@pytest.mark.parametrize(
    ("target", "host", "expected"),
    [
        (LINUX, LINUX, "-G Ninja"),
        (WINDOWS, WINDOWS, "-G Ninja"),
        (WINDOWS_ARM, WINDOWS_ARM, "-G Ninja"),
        (WINDOWS_ARM, WINDOWS, "-G Visual Studio 17 2022 -A ARM64"),
        (WINDOWS, WINDOWS_ARM, "-G Visual Studio 17 2022 -A x64"),
    ],
)
def test_generator(target, host, expected):
    assert " ".join(generator(target, host)) == expected


def test_compile_cache_and_ninja_are_handed_to_cmake():
    found = Tools(cmake="cmake", ninja="/x/ninja", python="p", pythons={}, launcher="sccache")
    assert cache_defines(found) == {
        "CMAKE_MAKE_PROGRAM": "/x/ninja",
        "CMAKE_C_COMPILER_LAUNCHER": "sccache",
        "CMAKE_CXX_COMPILER_LAUNCHER": "sccache",
    }
    assert cache_defines(assumed_tools(LINUX, ())) == {}
