"""Environments made for real, by venv and pip, from wheels of our own: no index, no network."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from smoke.environments import environment_recipes, pinned, pip, venvs
from tests.recipes.wheel_factory import make_wheel
from wheelhouse import paths, process
from wheelhouse.errors import InputError, NetworkError, ToolchainError, UnsupportedError, UsageError
from wheelhouse.machine import interpreters


def recipe(*packages: str, python: str = "", resolved: str = "", size: int = 1000) -> str:
    return (
        f'label = "demo"\npython = "{python or interpreters.running()}"\nsize = {size}\ndeepest = 100\n'
        f"packages = {json.dumps(packages)}\nresolved = {json.dumps([resolved] if resolved else [])}\n"
        'replaceable = ["runtime"]\n[variables]\nGREETING = "hello"\nPYTHONNOUSERSITE = "1"\n'
    )


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of wheels that is all pip can see; recipes come from `recipes` beside it."""
    folder = tmp_path / "shelf"
    recipes = tmp_path / "recipes"
    recipes.mkdir()
    monkeypatch.setattr(environment_recipes, "ENVIRONMENTS", recipes)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", folder.as_uri())  # a space would part a path in two
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    wheel(folder, "runtime", "1.0")
    wheel(folder, "helper", "1.0")
    wheel(folder, "helper", "2.0")
    return folder


def wheel(folder: Path, name: str, version: str, *requires: str) -> Path:
    script = f"[console_scripts]\n{name} = {name}:main\n".encode()
    return make_wheel(
        folder,
        package=name,
        version=version,
        tag="py3-none-any",
        headers=tuple(f"Requires-Dist: {r}" for r in requires),
        files={f"{name}/__init__.py": f"version = {version!r}\n".encode()},
        extra={"entry_points.txt": script},
    )


def write(shelf: Path, text: str) -> None:
    (shelf.parent / "recipes" / "demo.toml").write_text(text, encoding="utf-8")


def version_of(environment: pinned.Environment, package: str) -> str:
    return value_of(environment, package, "version")


def value_of(environment: pinned.Environment, package: str, name: str) -> str:
    command = environment.command("-c", f"import {package}; print({package}.{name})")
    done = subprocess.run(
        command.argv, env=command.environment(), capture_output=True, text=True, check=True, encoding="utf-8"
    )
    return done.stdout.strip()


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Put a stand-in in the place of installations; return the names of what was installed."""
    made: list[str] = []

    def make(folder: Path, *, name: str, **_: object) -> None:
        made.append(name)
        python = interpreters.python_in(folder)
        python.parent.mkdir(parents=True)
        python.write_text("", encoding="utf-8")

    monkeypatch.setattr(venvs, "make", make)
    return made


def test_made_once_then_nothing_is_started(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel(shelf, "torchlike", "1.0", "helper>=1")
    write(shelf, recipe("runtime==1.0", "helper==1.0", resolved="torchlike==1.0"))
    assert not pinned.status("demo").ready
    assert pinned.status("demo").makeable
    made = pinned.prepare("demo")
    assert [version_of(made, name) for name in ("runtime", "torchlike")] == ["1.0", "1.0"]
    assert version_of(made, "helper") == "1.0", "what torchlike requires is taken within the pins"
    assert Path(made.home).samefile(Path(value_of(made, "runtime", "__file__")).parent.parent), "strays are known by it"
    scripts = {path.name for path in Path(made.python[0]).parent.iterdir()}
    assert not {"runtime", "helper", "activate"} & scripts, "they would name the folder that was renamed"
    monkeypatch.setattr(process, "run", lambda *_, **__: pytest.fail("a process was started"))
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a process was started"))
    assert pinned.prepare("demo") == made
    assert pinned.status("demo").ready
    Path(made.python[0]).unlink()
    assert not pinned.status("demo").ready, "the Python that it was made with is gone"


def test_other_pins_and_other_wheels_make_other_environments(shelf: Path, tmp_path: Path, installed: list[str]) -> None:
    write(shelf, recipe("runtime==1.0", "helper==1.0"))
    own = wheel(tmp_path / "wheels", "runtime", "9.0")
    made = [pinned.prepare("demo"), pinned.prepare("demo", wheels=[own])]
    wheel(tmp_path / "wheels", "runtime", "9.0", "helper")
    made.append(pinned.prepare("demo", wheels=[own]))
    write(shelf, recipe("runtime==1.0", "helper==2.0"))
    made.append(pinned.prepare("demo"))
    assert len({environment.python for environment in made}) == 4, "same name of a wheel, other content: another"
    assert len({environment.key for environment in made}) == 4
    write(shelf, recipe("runtime==1.0", "helper==1.0"))
    assert pinned.prepare("demo") == made[0]
    assert len(installed) == 4


def test_wheel_takes_the_place_of_a_package_and_brings_what_it_requires(shelf: Path, tmp_path: Path) -> None:
    write(shelf, recipe("runtime==1.0", "helper==1.0"))
    own = wheel(tmp_path / "wheels", "runtime", "9.0", "helper", "companion==3.0")
    wheel(tmp_path / "wheels", "companion", "3.0")
    mine = pinned.prepare("demo", wheels=[own])
    assert "runtime-9.0" in mine.label
    assert (version_of(mine, "runtime"), version_of(mine, "companion")) == ("9.0", "3.0")
    assert version_of(mine, "helper") == "1.0", "pins that the wheel does not replace still hold"


def test_failed_installation_leaves_nothing_and_is_explained(shelf: Path) -> None:
    write(shelf, recipe("runtime==5.0"))
    with pytest.raises(NetworkError, match=r"does not offer runtime==5\.0"):
        pinned.prepare("demo")
    assert not pinned.status("demo").ready


def test_missing_python_and_bad_wheels_are_refused(shelf: Path, tmp_path: Path) -> None:
    write(shelf, recipe("runtime==1.0", python="3.97"))
    readiness = pinned.status("demo")
    assert not readiness.ready
    assert not readiness.makeable
    assert "3.97" in readiness.remedy
    with pytest.raises(ToolchainError, match=r"Python 3\.97 is needed"):
        pinned.prepare("demo")
    with pytest.raises(InputError, match="does not exist"):
        pinned.prepare("demo", wheels=[tmp_path / "none-1.0-py3-none-any.whl"])
    with pytest.raises(UsageError, match="Did you mean 'demo'"):
        pinned.prepare("demmo")


def test_processes_are_shielded_from_the_users_python(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = pinned.Environment(name="demo", python=("python",), env={"GREETING": "hello"}, label="demo")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("VIRTUAL_ENV", "/elsewhere")
    seen = made.command("-c", "pass").environment()
    assert "PYTHONPATH" not in seen
    assert "VIRTUAL_ENV" not in seen
    assert seen["GREETING"] == "hello"
    assert seen["ORT_DISABLE_TELEMETRY"] == "1"
    assert made.host_path(tmp_path) == str(tmp_path)


@pytest.mark.parametrize(
    ("requires", "kept"),
    [
        ("", {"helper==1.0"}),
        ("runtime>=0.9", {"helper==1.0", "runtime==1.0"}),
        ("runtime==2.0", {"helper==1.0"}),
        ('runtime>=0.9; sys_platform == "plan9"', {"helper==1.0"}),
        ("runtime>=0.9; extra == 'all'", {"helper==1.0"}),
    ],
)
def test_pins_that_hold_beside_a_wheel(tmp_path: Path, requires: str, kept: set[str]) -> None:
    own = wheel(tmp_path, "genai", "9.0", *filter(None, [requires]))
    recipe = environment_recipes.EnvironmentRecipe(
        label="demo",
        python="3.11",
        size=1,
        deepest=1,
        packages=("runtime==1.0", "genai==1.0", "helper==1.0"),
        replaceable=("runtime", "genai"),
    )
    assert {pin for pin in recipe.packages if venvs._still_wanted(pin, recipe, [own])} == kept


@pytest.mark.integration
def test_without_a_pip_of_our_own_the_environment_gets_one(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(shelf, recipe("runtime==1.0"))
    monkeypatch.setattr(pip, "own", lambda *_: None)
    assert version_of(pinned.prepare("demo"), "runtime") == "1.0"


def test_a_system_that_a_recipe_excludes_is_told_why(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = recipe("helper==1.0").replace(
        "[variables]", '[impossible]\nplan9-mips = "There are no wheels."\n[variables]'
    )
    write(shelf, text)
    assert pinned.status("demo").makeable
    monkeypatch.setattr("sys.platform", "plan9")
    monkeypatch.setattr("platform.machine", lambda: "MIPS")
    state = pinned.status("demo")
    assert (state.ready, state.makeable) == (False, False)
    assert state.reason == "The environment 'demo' cannot be made on this system. There are no wheels."
    with pytest.raises(UnsupportedError, match="There are no wheels"):
        pinned.prepare("demo")


def test_windows_on_arm64_is_excluded_where_a_pin_has_no_wheel_for_it() -> None:
    none = ("openvino==", "onnxruntime-gpu==", "intel-npu-acceleration-library==")
    for name in environment_recipes.environment_names():
        found = environment_recipes.environment(name)
        excluded = "win32-arm64" in found.impossible
        there = [pin for pin in found.packages if "platform_machine" not in pin]
        assert excluded == any(pin.startswith(none) for pin in there), name


@pytest.mark.parametrize(("length", "deepest"), [(159, 100), (40, 219)])
def test_a_folder_that_lies_too_deep_for_windows_is_said_before_anything_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int, deepest: int
) -> None:
    monkeypatch.setattr(paths, "limited", lambda: True)
    monkeypatch.chdir(tmp_path)
    name = "demo/" + "d" * (deepest - len("Lib/site-packages/demo/"))
    own = make_wheel(tmp_path, tag="py3-none-any", files={name: b""})
    wanted = environment_recipes.EnvironmentRecipe(label="x", python="3.11", size=1, deepest=100, packages=())
    with pytest.raises(InputError, match=f"{length} characters long.* up to {deepest}") as raised:
        venvs.make(Path("x" * length), name="demo", recipe=wanted, version="3.11", wheels=[own] * (deepest > 100))
    assert "Set DML_WHEELHOUSE_CACHE to a short folder" in raised.value.remedy


def test_an_environment_that_would_lie_too_deep_is_no_surprise(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(shelf, recipe("runtime==1.0"))
    assert pinned.status("demo").makeable
    monkeypatch.setattr(paths, "limited", lambda: True)
    monkeypatch.setenv(paths.CACHE_VARIABLE, str(shelf.parent / ("x" * 120)))
    said = pinned.status("demo")
    assert not said.makeable
    assert "while long paths are off" in said.reason
    assert "C:\\w" in said.remedy
