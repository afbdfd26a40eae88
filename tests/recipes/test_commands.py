"""What the tasks of the git lane print and refuse."""

import json
import re

import pytest

import tasks
from front.door.program import FrontDoor
from recipes import commands
from recipes.building.transcript import transcript
from recipes.spec.request import Request, options_from
from tests.recipes import upstream
from tests.recipes.staging.test_ort_home import COMMITS
from wheelhouse.errors import UsageError

PARTS = ["build", "fetch", "build-ort", "stage", "build-genai", "wheel"]


@pytest.fixture
def request_(tmp_path):
    (tmp_path / "mini.toml").write_text(upstream.recipe_text(COMMITS), encoding="utf-8")
    return Request(recipe=str(tmp_path / "mini.toml"), target="windows-x64", options=options_from(pythons=("3.12",)))


def test_every_part_is_a_task_with_help(capsys):
    program = FrontDoor(tasks.namespace)
    program.run("invoke --list", exit=False)
    listed = capsys.readouterr().out
    assert all(f"  {part} " in listed for part in [*PARTS, "recipes"])
    for part in PARTS:
        program.run(f"invoke --help {part}", exit=False)
        assert "--source-mirror" in capsys.readouterr().out


def test_a_task_prints_a_plan(tmp_path, request_, capsys):
    program = FrontDoor(tasks.namespace)
    words = ("--plan", "--recipe", request_.recipe, "--target", "windows-arm64", "--python", "3.12")
    program.run(["invoke", "build", *words], exit=False)
    assert "--arm64" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("build", 2, "Which recipe"),
        ("build --recipe no-such", 2, "There is no recipe"),
        ("build --recipe published", 2, "compiles nothing"),
        ("fetch --recipe published --target windows-x64 --plan", 2, "compiles nothing"),
        ("stage --recipe x.toml", 4, "cannot be read"),
    ],
)
def test_mistakes_are_one_paragraph_with_an_exit_code(capsys, arguments, code, message):
    program = FrontDoor(tasks.namespace)
    with pytest.raises(SystemExit) as ended:
        program.run(f"invoke {arguments}")
    error = capsys.readouterr().err
    assert ended.value.code == code
    assert message in error
    assert "Traceback" not in error


def test_shells(request_):
    assert "rem fetch" in transcript(request_)
    assert "$env:CL" in transcript(request_, "powershell")
    with pytest.raises(UsageError, match="Did you mean 'powershell'"):
        transcript(request_, "power")
    with pytest.raises(UsageError, match="is not built from a posix shell"):
        transcript(request_, "posix")


def test_recipes_are_listed(capsys):
    commands.tell()
    lines = capsys.readouterr().out.splitlines()
    assert {"dml", "dml-1.24", "cpu", "published"} <= {line.split()[0] for line in lines if line and line[0] != " "}
    commands.tell(recipe="cpu")
    rows = [re.split("  +", line) for line in capsys.readouterr().out.splitlines()[1:4]]
    assert [row[1] for row in rows] == ["linux-x64", "linux-arm64", "windows-x64"]
    assert all(row[-1] == "plan only" for row in rows)
    commands.tell(recipe="published")
    assert "pinned" in capsys.readouterr().out


def test_recipes_as_json(capsys):
    commands.tell(as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert [row["target"] for row in told if row["recipe"] == "dml"] == ["windows-x64", "windows-arm64"]
    commands.tell(check=True, recipe="published", as_json=True)
    assert "compiles nothing" in json.loads(capsys.readouterr().out)["published"][0]


def test_what_compiles_nothing_has_no_drift(capsys):
    commands.tell(check=True, recipe="published")
    assert "compiles nothing" in capsys.readouterr().out
