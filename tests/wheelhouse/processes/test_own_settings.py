"""The user's settings say where packages come from, and nothing else."""

import sys
from pathlib import PurePosixPath, PureWindowsPath

import pytest

from wheelhouse.process import Command, run
from wheelhouse.processes.own_settings import for_pip, inherited


@pytest.mark.parametrize(
    "name", ["PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_PROXY", "PIP_CERT", "PATH", "CXX", "pip_index_url"]
)
def test_where_packages_are_is_the_users_choice(name):
    assert inherited({name: "x"}) == {name: "x"}


@pytest.mark.parametrize(
    "name",
    [
        "PIP_REQUIRE_HASHES",
        "PIP_CONFIG_SETTINGS",
        "PIP_TARGET",
        "PIP_NO_BINARY",
        "PIP_ANYTHING_NEW",
        "SKBUILD_CMAKE_ARGS",
        "pip_user",
    ],
)
def test_what_is_done_with_them_is_ours(name):
    assert inherited({name: "x"}) == {}


def test_processes_do_not_see_them(monkeypatch, tmp_path):
    monkeypatch.setenv("SKBUILD_WHEEL_PY_API", "cp39")
    monkeypatch.setenv("PIP_REQUIRE_HASHES", "1")
    seen = []
    code = "import os; print(sorted(n for n in os.environ if n.startswith(('PIP_REQ', 'SKBUILD', 'MINE'))))"
    run(Command(argv=(sys.executable, "-c", code), env={"MINE": "1"}), log=tmp_path / "log", on_line=seen.append)
    assert seen == ["['MINE']"]


def test_what_pip_would_read_as_a_marker_becomes_an_address(tmp_path):
    assert for_pip(PurePosixPath("/a/b.whl")) == "/a/b.whl"
    assert for_pip(PurePosixPath("/a;b/c[x].whl")) == "file:///a%3Bb/c%5Bx%5D.whl"
    assert for_pip(PureWindowsPath("C:/a;b/c.whl")) == "file:///C:/a%3Bb/c.whl"
    assert for_pip(PureWindowsPath("//server/share/a;b/c.whl")) == "file://server/share/a%3Bb/c.whl"


@pytest.mark.parametrize("folder", ["a;b", "a [x]", "a#b", "a@b", "a b & c"])
def test_pip_installs_from_any_folder(tmp_path, folder):
    from tests.recipes.wheel_factory import make_wheel

    wheel = make_wheel(tmp_path / folder, tag="py3-none-any")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--no-index", "--no-deps", "--quiet")
    run(Command(argv=(*pip, "--target", str(tmp_path / "t"), for_pip(wheel))), log=tmp_path / "log", echo=False)
    assert (tmp_path / "t" / "demo_pkg" / "__init__.py").is_file()
