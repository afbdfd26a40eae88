"""The workflows, issue forms and hooks: checked by the tools made for that, and held to the recipes."""

from __future__ import annotations

import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tasks
from front.door.program import FrontDoor
from recipes.building.origins import built_folder
from recipes.spec.load import available, load
from recipes.spec.schema import Recipe
from smoke.environments.environment_recipes import environment
from tests.recipes.contexts import context, mini_recipe
from wheelhouse.paths import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def read(path: Path) -> dict[str, Any]:
    from ruamel.yaml import YAML

    return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))


def steps() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Yield workflow name, job and step of every step."""
    for path in WORKFLOWS:
        for job in read(path)["jobs"].values():
            for step in job.get("steps", ()):
                yield path.stem, job, step


def scripts_beside_python() -> str:
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])


def tool(name: str) -> str:
    found = shutil.which(name, path=scripts_beside_python())
    assert found is not None, f"{name} is not installed: `pip install -e '.[test]'`"
    return found


def run_tool(*argv: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PATH": scripts_beside_python()}  # actionlint looks for shellcheck there
    return subprocess.run(
        argv, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=120, encoding="utf-8"
    )


needs_shellcheck = pytest.mark.skipif(
    sys.platform == "win32" and platform.machine() == "ARM64", reason="PyPI has no shellcheck for Windows on ARM64"
)


def test_there_are_workflows() -> None:
    assert {p.stem for p in WORKFLOWS} == {"outdated", "release", "smoke", "test", "weekly", "windows"}


def test_zizmor_finds_nothing() -> None:
    done = run_tool(tool("zizmor"), "--offline", "--no-progress", str(ROOT / ".github"))
    assert done.returncode == 0, done.stdout


def test_workflows_follow_githubs_schema() -> None:
    done = run_tool(tool("check-jsonschema"), "--builtin-schema", "vendor.github-workflows", *map(str, WORKFLOWS))
    assert done.returncode == 0, done.stdout


@needs_shellcheck
def test_actionlint_and_shellcheck_find_nothing() -> None:
    tool("shellcheck")
    done = run_tool(tool("actionlint"), "-no-color", *map(str, WORKFLOWS))
    assert done.returncode == 0, done.stdout


@needs_shellcheck
@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("needs: attest", "needs: atest", "atest"),
        ("contains(fromJSON(", "contain(fromJSON(", '"contain"'),
        ('"$TAG"', "$TAG", "SC2086"),
        ("runs-on: ubuntu-24.04", "runs-on: ubuntu-24.40", "ubuntu-24.40"),
    ],
)
def test_actionlint_would_find_a_fault(tmp_path: Path, old: str, new: str, fault: str) -> None:
    text = (ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8")
    assert old in text
    broken = tmp_path / "release.yml"
    broken.write_text(text.replace(old, new), encoding="utf-8")
    done = run_tool(tool("actionlint"), "-no-color", str(broken))
    assert done.returncode == 1
    assert fault in done.stdout


def scripts(interpreter: str) -> list[str]:
    """Every file in .ci whose first line names the interpreter."""
    files = sorted((ROOT / ".ci").iterdir())
    return [str(f) for f in files if interpreter in f.read_text(encoding="utf-8").partition("\n")[0]]


@needs_shellcheck
def test_shellcheck_finds_nothing_in_the_scripts() -> None:
    done = run_tool(tool("shellcheck"), *scripts("bash"))
    assert done.returncode == 0, done.stdout


def test_every_action_is_pinned_by_commit_with_its_version_beside_it() -> None:
    used: dict[str, set[str]] = {}
    for path in WORKFLOWS:
        for line in path.read_text(encoding="utf-8").splitlines():
            found = re.search(r"uses: (\S+)(.*)", line)
            if found and not found[1].startswith("./"):
                assert re.fullmatch(r"[\w.-]+/[\w.-]+(/[\w.-]+)*@[0-9a-f]{40}", found[1]), line
                assert re.fullmatch(r" # v\d+\.\d+\.\d+", found[2]), line
                used.setdefault(found[1].split("@")[0], set()).add(found[1] + found[2])
    assert used
    assert not {action: pins for action, pins in used.items() if len(pins) > 1}


def test_no_workflow_has_rights_or_secrets_beyond_what_its_jobs_name() -> None:
    for path in WORKFLOWS:
        workflow = read(path)
        assert workflow["permissions"] == {}, path
        assert "concurrency" in workflow, path
        assert "secrets." not in path.read_text(encoding="utf-8")
        for name, job in workflow["jobs"].items():
            assert "permissions" in job, f"{path.name}: {name}"
            assert "uses" in job or "timeout-minutes" in job, f"{path.name}: {name}"


def test_checkouts_keep_no_credentials() -> None:
    checkouts = [step for _, _, step in steps() if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def lines() -> list[tuple[str, str]]:
    """Every line that some step runs, with the workflow's name."""
    return [(name, line.strip()) for name, _, step in steps() for line in step.get("run", "").splitlines()]


def expressions_filled(line: str) -> str:
    return line.replace("${{ matrix.arch }}", "x64").replace("${{ matrix.python }}", "3.12")


@pytest.mark.parametrize(("workflow", "line"), [entry for entry in lines() if entry[1].startswith("invoke ")])
def test_every_invoke_line_is_one_that_invoke_takes(workflow: str, line: str) -> None:
    door = FrontDoor(tasks.namespace)
    door.argv = shlex.split(expressions_filled(line).partition(" || ")[0])
    door.parse_tasks()
    assert len(door.tasks) == 1


def as_typed(line: str) -> list[str]:
    """A line's words, for the recipe that a run without input takes."""
    return shlex.split(re.sub(r"\$(env:)?RECIPE\b", "dml", expressions_filled(line)))


READ_ONLY = [line for _, line in lines() if re.match(r"invoke (recipes|build-dml .*--plan)", line)]


@pytest.mark.parametrize("line", READ_ONLY)
def test_lines_that_ask_for_no_windows_are_run(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    FrontDoor(tasks.namespace).run(as_typed(line), exit=False)
    said = capsys.readouterr()
    assert "windows-x64" in said.out
    assert not said.err


def test_the_line_that_makes_one_record_of_many_is_run(tmp_path: Path) -> None:
    (line,) = (line for _, line in lines() if "recipes.building.built" in line)
    recipe = tmp_path / "dml.toml"
    recipe.write_bytes((ROOT / "recipes" / "dml.toml").read_bytes())
    for python in ("3.11", "3.12"):
        record = tmp_path / "built" / f"built-x64-{python}" / "dml.built.toml"
        record.parent.mkdir(parents=True)
        entry = {"target": "windows-x64", "python": python, "state": "built", "by": "x", "when": f"2026-{python}"}
        rows = [f'{key} = "{value}"' for key, value in {**entry, "recipe-hash": "0" * 64}.items()]
        record.write_text("\n".join(['format = 1\nrecipe = "dml"\n[[built]]', *rows]), encoding="utf-8")
    program, *words = [word.replace("dml", str(recipe)) for word in as_typed(line)]
    assert program == "python"
    done = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, cwd=tmp_path, timeout=60, encoding="utf-8"
    )
    assert done.stdout == "2 entries taken over\n", done.stderr
    assert (tmp_path / "dml.built.toml").read_text(encoding="utf-8").count("[[built]]") == 2


def test_powershell_gets_no_bare_commas() -> None:
    """PowerShell makes `3.11,3.12` two arguments; in quotes it stays one."""
    bare = [line for name, line in lines() if name == "windows" and re.search(r",", re.sub(r'"[^"]*"', "", line))]
    assert bare == []


def windows_jobs() -> dict[str, dict[str, Any]]:
    return dict(read(ROOT / ".github/workflows/windows.yml")["jobs"])


def windows_run(job: str) -> list[str]:
    """The lines that the steps of one Windows job run."""
    return [line.strip() for step in windows_jobs()[job]["steps"] for line in step.get("run", "").splitlines()]


def installed_pythons(job: str) -> list[str]:
    """The Pythons that a job installs, in its order."""
    (versions,) = [
        step["with"]["python-version"]
        for step in windows_jobs()[job]["steps"]
        if "python-version" in step.get("with", {})
    ]
    return str(versions).split()


def compiled_recipes() -> list[Recipe]:
    """What the Windows jobs may be started with: the recipes of a source build for Windows, and the miniature one."""
    found = [recipe for recipe in map(load, available()) if recipe.genai is not None]
    directml = [recipe for recipe in found if recipe.genai.package.endswith("-directml")]
    assert directml
    return [mini_recipe(), *directml]


def test_architectures_are_those_of_the_recipes() -> None:
    matrices = {name: job["strategy"]["matrix"] for name, job in windows_jobs().items() if "strategy" in job}
    assert set(matrices) == {"ort", "genai", "wheel"}
    for recipe in compiled_recipes():
        wanted = {target for target in recipe.targets if target.startswith("windows-")}
        for name, matrix in matrices.items():
            given = matrix.get("arch") or [entry["arch"] for entry in matrix["include"]]
            assert {f"windows-{arch}" for arch in given} == wanted, (recipe.name, name)


def test_pythons_are_those_of_the_recipes_wherever_they_are_named() -> None:
    options = [found[1] for line in windows_run("ort") if (found := re.search(r'--python "([^"]+)"', line))]
    named = [*(option.split(",") for option in options), installed_pythons("ort")]
    named.append(windows_jobs()["wheel"]["strategy"]["matrix"]["python"])
    assert len(named) == 4
    for recipe in [*compiled_recipes(), load("published")]:
        for versions in named:
            assert sorted(versions) == sorted(recipe.pythons), recipe.name


def test_the_unit_tests_run_on_every_python_that_a_user_has() -> None:
    jobs = read(ROOT / ".github/workflows/test.yml")["jobs"]
    others = jobs["pythons"]["strategy"]["matrix"]["python"]
    assert ["3.11", *others] == list(load("published").pythons)
    assert "python3.11 -m venv" in (ROOT / ".ci/run").read_text(encoding="utf-8")


def test_the_build_runs_on_the_python_that_comes_last() -> None:
    """setup-python puts the last one first on PATH, and the DirectML backend's pins were verified with that one."""
    assert installed_pythons("ort")[-1] == environment("dml").python
    assert installed_pythons("genai") == installed_pythons("prove") == [environment("dml").python]


def test_the_plan_that_is_shown_is_the_build_that_is_run() -> None:
    plan, ort = (line for line in windows_run("ort") if "--recipe" in line)
    (genai,) = (line for line in windows_run("genai") if "--recipe" in line)
    (wheel,) = (line for line in windows_run("wheel") if "--recipe" in line)
    one = {"build-ort": ort, "build-genai": genai, "build-dml --lane git": wheel}
    for task, line in one.items():
        bare = re.sub(r'--python "[^"]+"', '--python "3.11,3.12,3.13,3.14"', line)
        assert plan == f"{bare.replace(task, 'build-dml --lane git')} --plan"
    assert '--python "${{ matrix.python }}"' in wheel


def test_jobs_that_share_steps_have_the_same_tools() -> None:
    """The versions of CMake and Ninja are part of every key: another one would compile the core again."""
    jobs = ("ort", "genai", "wheel")
    installs = [line for job in jobs for line in windows_run(job) if line.startswith("python -m pip install")]
    assert len(installs) == len(jobs)
    assert len(set(installs)) == 1
    assert re.search(r"cmake==\d\S+ ninja==\d\S+$", installs[0])


def artifacts(job: str, action: str) -> dict[str, str]:
    """Artifact to paths, of what a Windows job uploads or downloads."""
    found = [step["with"] for step in windows_jobs()[job]["steps"] if f"/{action}-artifact@" in step.get("uses", "")]
    return {str(one.get("name", one.get("pattern"))): str(one["path"]) for one in found}


def test_what_one_job_hands_on_is_what_the_next_takes_to_the_same_place() -> None:
    handed = {name: path for job in ("lock", "ort", "genai") for name, path in artifacts(job, "upload").items()}
    taken = {job: artifacts(job, "download") for job in ("ort", "genai", "wheel")}
    assert set(taken["ort"]) == {"lock"}
    assert set(taken["genai"]) == {"lock", "ort-${{ matrix.arch }}"}
    assert set(taken["wheel"]) == {"lock", "ort-${{ matrix.arch }}", "core-${{ matrix.arch }}"}
    for places in taken.values():
        for name, place in places.items():
            # an artifact's root is the part of its paths before the first pattern
            assert {path.partition("/*")[0] for path in handed[name].split()} == {place}, name


def test_what_is_handed_on_is_what_the_steps_make(tmp_path: Path) -> None:
    build = context(tmp_path)
    made = {Path(built_folder(build, "3.12")), *map(Path, (build.core, build.core_build, build.ort_home, build.prefix))}
    patterns = [
        path.removeprefix(".cache/build/*/").partition("/")[0]
        for job, name in (("ort", "ort-${{ matrix.arch }}"), ("genai", "core-${{ matrix.arch }}"))
        for path in artifacts(job, "upload")[name].split()
    ]
    assert len(patterns) == len(made)
    assert all(any(folder.match(pattern) for pattern in patterns) for folder in made)


def test_every_script_that_a_workflow_calls_is_there_and_starts() -> None:
    called = {found[1] for _, line in lines() for found in re.finditer(r"(\.ci/\w+)", line)}
    own = {"run", "site", "summary", "sboms", "install", "propose", "upgrade", "windows"}
    assert called == {f".ci/{script}" for script in own}
    assert {str(ROOT / script) for script in called} <= {*scripts("bash"), *scripts("python3")}
    for script in scripts("python3"):
        compile(Path(script).read_text(encoding="utf-8"), script, "exec")


def test_issue_forms_and_hooks_follow_their_schemas_and_ask_the_doctor() -> None:
    check = tool("check-jsonschema")
    forms = [p for p in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if p.stem != "config"]
    assert forms
    done = run_tool(check, "--builtin-schema", "vendor.github-issue-forms", *map(str, forms))
    assert done.returncode == 0, done.stdout
    bot = str(ROOT / ".github" / "dependabot.yml")
    assert run_tool(check, "--builtin-schema", "vendor.dependabot", bot).returncode == 0
    assert all("invoke doctor --json" in form.read_text(encoding="utf-8") for form in forms)


def test_hooks_run_what_ci_runs() -> None:
    (repo,) = read(ROOT / ".pre-commit-config.yaml")["repos"]
    entries = {hook["entry"].split(" --force")[0] for hook in repo["hooks"]}
    assert {"ruff format", "ruff check", "mypy", "pytest -q"} <= entries
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert all(re.search(rf"\b{entry.split()[0]}\b", ci) for entry in entries)
