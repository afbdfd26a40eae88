"""Transcripts: the golden files read like what an expert types, and a run executes what they say.

Write them anew with `python -m tests.recipes.building.test_plan` and read the difference.
"""

import sys
from pathlib import Path

import pytest

from recipes.building import parts as doors
from recipes.building.parts import build_git_lane, plan_git_lane
from recipes.building.plan import Note, lines
from recipes.spec.request import Request, options_from
from recipes.spec.target import Target
from tests.recipes import upstream
from tests.recipes.staging.test_ort_home import COMMITS
from wheelhouse.errors import RecipeError, UnsupportedError, UsageError
from wheelhouse.process import Command, render
from wheelhouse.processes.quoting import Shell

GOLDEN = Path(__file__).parent / "golden"
CASES: dict[str, tuple[str, Shell, dict]] = {
    "windows-x64.cmd.txt": ("windows-x64", "cmd", {"pythons": ("3.12", "3.13")}),
    "windows-x64.powershell.txt": ("windows-x64", "powershell", {"pythons": ("3.12",)}),
    "windows-arm64.cmd.txt": ("windows-arm64", "cmd", {"pythons": ("3.12",)}),
    "windows-arm64.powershell.txt": ("windows-arm64", "powershell", {"pythons": ("3.12",)}),
    "windows-x64-published.cmd.txt": ("windows-x64", "cmd", {"pythons": ("3.12",), "ort": "published"}),
}


def made(folder, name, monkeypatch=None):
    target, shell, options = CASES[name]
    recipe = folder / "mini.toml"
    recipe.write_text(
        upstream.recipe_text(dict.fromkeys(COMMITS, "0123456789" * 4)).replace("linux-arm64", "linux-x64"),
        encoding="utf-8",
    )
    request = Request(recipe=str(recipe), target=target, options=options_from(**options))
    text = "\n".join(lines(plan_git_lane(request), shell)) + "\n"
    for mark in ("'", '"', ""):  # a folder with a space in its name is quoted
        text = text.replace(f"{mark}{recipe}{mark}", recipe.name)
    return text


@pytest.fixture
def on_linux(monkeypatch):
    monkeypatch.setattr(doors, "host_target", lambda: Target(os="linux", arch="x64"))


@pytest.mark.parametrize("name", CASES)
def test_golden(tmp_path, name, on_linux):
    assert made(tmp_path, name) == (GOLDEN / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", CASES)
def test_what_matters_is_there(tmp_path, name, on_linux):
    text = made(tmp_path, name)
    order = ["git init", "VsDevCmd.bat" if ".cmd." in name else "Launch-VsDevShell.ps1"]
    order += [] if "published" in name else ["build.py"]
    order += ["invoke stage", "-DENABLE_TELEMETRY=OFF", "--target minigenai", "wheel.tags=cp312-cp312-win_"]
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    assert "-DFETCHCONTENT_FULLY_DISCONNECTED=ON" in text
    if "arm64" in name:
        assert "--arm64" in text
        assert "-A ARM64" in text
        assert ("-arch=arm64 -host_arch=amd64" if ".cmd." in name else "-Arch arm64 -HostArch amd64") in text
        assert "PYTHON_MODULE_EXTENSION=.cp312-win_arm64.pyd" in text
        assert "sccache" not in text  # Visual Studio's generator has no compiler launcher
    assert ("--use_dml" in text) == ("published" not in name)


def test_a_plan_starts_nothing_and_fetches_nothing(tmp_path, on_linux, monkeypatch):
    monkeypatch.setattr("subprocess.Popen", lambda *_, **__: pytest.fail("a process was started"))
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("a connection was opened"))
    for name in CASES:
        made(tmp_path, name)
    assert [p.name for p in tmp_path.iterdir()] == ["mini.toml"]


@pytest.mark.skipif(sys.platform != "linux", reason="the plan of this very system")
@pytest.mark.parametrize("compiler", ["c++", "no-such-compiler"])
def test_a_plan_for_this_system_needs_neither_its_tools_nor_its_pythons(tmp_path, monkeypatch, compiler):
    recipe = tmp_path / "mini.toml"
    recipe.write_text(upstream.recipe_text(dict.fromkeys(COMMITS, "0" * 40)), encoding="utf-8")
    monkeypatch.setenv("CXX", compiler)
    monkeypatch.setattr("subprocess.Popen", lambda *_, **__: pytest.fail("a process was started"))
    request = Request(recipe=str(recipe), options=options_from(pythons=("3.13", "3.14")))
    text = "\n".join(lines(plan_git_lane(request), "posix"))
    assert "3.14" in text
    assert "wheel.tags=cp314-cp314-linux_" in text


def test_every_process_of_a_plan_is_named_in_the_same_shell(tmp_path, on_linux):
    request = Request(recipe=str(tmp_path / "mini.toml"), target="windows-x64", options=options_from())
    made(tmp_path, "windows-x64.cmd.txt")
    items = plan_git_lane(request)
    text = "\n".join(lines(items, "cmd"))
    for item in items:
        if isinstance(item, Command):
            assert render(item, "cmd") in text
        elif isinstance(item, Note):
            assert f"rem {item.text}" in text


def test_windows_cannot_be_built_here(tmp_path, on_linux, monkeypatch):
    made(tmp_path, "windows-x64.cmd.txt")
    monkeypatch.setattr("recipes.building.git_lane.fetch_projects", lambda *_, **__: pytest.fail("fetched"))
    request = Request(recipe=str(tmp_path / "mini.toml"), target="windows-x64", options=options_from())
    with pytest.raises(UnsupportedError, match="compiles for Windows"):
        build_git_lane(request, tmp_path / "wheels")


def test_a_python_that_is_not_the_recipes(tmp_path, on_linux):
    made(tmp_path, "windows-x64.cmd.txt")
    request = Request(recipe=str(tmp_path / "mini.toml"), target="windows-x64", options=options_from(pythons=("3.10",)))
    with pytest.raises(UsageError, match=r"not for Python 3\.10"):
        plan_git_lane(request)


def test_cross_compiling_needs_the_targets_python(tmp_path, on_linux):
    made(tmp_path, "windows-x64.cmd.txt")
    options = options_from(pythons=("3.13",))
    request = Request(recipe=str(tmp_path / "mini.toml"), target="windows-arm64", options=options)
    with pytest.raises(RecipeError, match=r"names no Python 3\.13 for windows-arm64"):
        plan_git_lane(request)


if __name__ == "__main__":
    import tempfile

    doors.host_target = lambda: Target(os="linux", arch="x64")
    for name in CASES:
        with tempfile.TemporaryDirectory() as folder:
            (GOLDEN / name).write_text(made(Path(folder), name), encoding="utf-8")
