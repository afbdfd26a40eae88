"""Targets, hosts, options and folders."""

import pytest

from recipes.spec.load import load
from recipes.spec.request import options_from
from recipes.spec.target import (
    Target,
    choose_target,
    foreign_layout,
    host_target,
    parse_target,
    require_buildable,
    shell_of,
)
from tests.recipes.staging.test_ort_home import COMMITS
from tests.recipes.upstream import recipe_text
from wheelhouse.errors import UnsupportedError, UsageError

LINUX, WINDOWS = Target(os="linux", arch="x64"), Target(os="windows", arch="x64")
WINDOWS_ARM = Target(os="windows", arch="arm64")


@pytest.fixture
def recipe(tmp_path):
    (tmp_path / "mini.toml").write_text(recipe_text(COMMITS), encoding="utf-8")
    return load(str(tmp_path / "mini.toml"))


@pytest.mark.parametrize(
    ("name", "platform"),
    [
        ("windows-x64", "win_amd64"),
        ("windows-arm64", "win_arm64"),
        ("linux-x64", "linux_x86_64"),
        ("linux-arm64", "linux_aarch64"),
    ],
)
def test_names_and_wheel_platforms(name, platform):
    assert (parse_target(name).name, parse_target(name).wheel_platform) == (name, platform)


def test_unknown_target():
    with pytest.raises(UsageError, match="Did you mean 'windows-x64'"):
        parse_target("windows-x86")


def test_this_machine_is_a_target():
    assert host_target().name in {"linux-x64", "linux-arm64", "windows-x64", "windows-arm64"}


def test_a_machine_that_is_none(monkeypatch):
    monkeypatch.setattr("sys.platform", "darwin")
    with pytest.raises(UnsupportedError, match="Nothing is built on darwin"):
        host_target()


def test_the_host_is_chosen_where_the_recipe_has_it_and_windows_elsewhere(recipe):
    windows_only = type(recipe)(
        description="x",
        name="w",
        targets=("windows-x64", "windows-arm64"),
        pythons=("3.12",),
        onnxruntime=recipe.onnxruntime,
        genai=recipe.genai,
    )
    here = parse_target(recipe.targets[0])
    assert choose_target(recipe, host=here) == here
    assert choose_target(windows_only, host=LINUX) == WINDOWS
    assert choose_target(windows_only, arch="arm64", host=LINUX) == WINDOWS_ARM
    assert choose_target(windows_only, target="windows-arm64", arch="x64", host=LINUX) == WINDOWS_ARM
    with pytest.raises(UsageError, match="is not for linux-x64"):
        choose_target(windows_only, target="linux-x64", host=LINUX)


def test_what_a_host_can_compile(recipe):
    require_buildable(recipe, LINUX, LINUX)
    require_buildable(recipe, WINDOWS_ARM, WINDOWS)
    with pytest.raises(UnsupportedError, match="Visual Studio only") as refused:
        require_buildable(recipe, WINDOWS, LINUX)
    assert "--lane published" in refused.value.remedy
    assert "--plan" in refused.value.remedy
    with pytest.raises(UnsupportedError, match="cannot compile for linux-arm64"):
        require_buildable(recipe, Target(os="linux", arch="arm64"), LINUX)


def test_options(tmp_path):
    assert options_from().ort == "build"
    assert options_from(ort="published").ort == "published"
    given = options_from(ort_home=str(tmp_path), source_mirror=str(tmp_path))
    assert (given.ort, given.ort_home, given.source_mirror) == ("given", tmp_path, str(tmp_path))
    assert options_from(source_mirror="https://mirror.invalid/x").source_mirror == "https://mirror.invalid/x"
    with pytest.raises(UsageError, match="exclude each other"):
        options_from(ort="build", ort_home="x")
    with pytest.raises(UsageError, match="Did you mean 'published'"):
        options_from(ort="publish")


def test_two_pins_of_one_source_lie_apart(recipe):
    layout = foreign_layout(recipe, WINDOWS)
    places = {str(layout.source("ort", pin)) for pin in ("tag v1.24.4", "tag v1.25.0", "a" * 40, "b" * 40)}
    assert len(places) == 4
    assert str(layout.source("ort", "tag v1.24.4")) == r"C:\dml-wheelhouse\third_party\ort-v1.24.4"


def test_paths_on_windows_stay_short(recipe):
    # ONNX Runtime's longest path below its build folder has about 170 characters; Windows' limit is 260
    assert len(str(foreign_layout(recipe, WINDOWS_ARM).work / "ort")) < 80


def test_shells():
    assert (shell_of("windows"), shell_of("linux")) == ("cmd", "posix")
