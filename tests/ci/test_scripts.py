"""The scripts that workflows call, really run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from recipes.wheels.index import write_index
from tests.recipes.wheel_factory import make_wheel
from wheelhouse.paths import ROOT


def run_tool(*argv: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv, capture_output=True, text=True, cwd=ROOT, env=os.environ | (env or {}), timeout=120, encoding="utf-8"
    )


BASH = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")


@BASH
def test_site_is_an_index_that_a_browser_and_pip_can_walk(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheel = make_wheel(wheels)
    write_index(wheels)
    done = run_tool("bash", str(ROOT / ".ci" / "site"), str(wheels), str(tmp_path / "site"))
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "site/simple/demo-pkg/index.html").read_text(encoding="utf-8")
    found = re.search(r'href="([^#"]+)', page)
    assert found is not None
    target = tmp_path / "site/simple/demo-pkg" / found[1]
    assert target.resolve().read_bytes() == wheel.read_bytes()
    assert target.resolve().with_name(wheel.name + ".metadata").is_file()
    assert (tmp_path / "site/index.html").is_file()


@BASH
def test_no_site_is_made_of_wheels_that_changed_after_they_were_indexed(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheel = make_wheel(wheels)
    write_index(wheels)
    wheel.write_bytes(b"swapped")
    done = run_tool("bash", str(ROOT / ".ci" / "site"), str(wheels), str(tmp_path / "site"))
    assert done.returncode != 0
    assert not (tmp_path / "site").exists()


REPORT = {
    "model": {"label": "tiny | Phi-3"},
    "results": [
        {"verdict": "PASS", "backend": "ort-cpu", "variant": "fp32", "device": "CPU", "reason": "",
         "performance": {"tokens_per_s": 23.456}},
        {"verdict": "SKIPPED", "backend": "npu", "variant": "fp16", "device": "", "reason": "no NPU\nhere"},
    ],
}  # fmt: skip


def summary(folder: Path) -> str:
    done = run_tool(sys.executable, "-I", str(ROOT / ".ci" / "summary"), str(folder), str(folder / "SHA256SUMS"))
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_summary_tells_verdicts_and_last_lines(tmp_path: Path) -> None:
    (tmp_path / "smoke").mkdir()
    (tmp_path / "smoke" / "report.json").write_text(json.dumps(REPORT), encoding="utf-8")
    (tmp_path / "unit.log").write_text("first\n" * 50 + "== 12 passed in 3 s ==\n", encoding="utf-8")
    text = summary(tmp_path)
    assert "### Smoke: tiny \\| Phi-3" in text
    assert "| PASS | ort-cpu | fp32 | CPU | 23.5 |  |" in text
    assert "| SKIPPED | npu | fp16 |  |  | no NPU here |" in text
    assert "== 12 passed in 3 s ==" in text
    assert text.count("first") < 20


@pytest.mark.parametrize("report", ["", "[]", "{}", '{"model": 1}'])
def test_summary_survives_a_run_that_ended_early(tmp_path: Path, report: str) -> None:
    assert "Nothing has run" in summary(tmp_path)
    assert "Nothing has run" in summary(tmp_path / "missing")
    (tmp_path / "report.json").write_text(report, encoding="utf-8")
    assert "report.json cannot be read" in summary(tmp_path)


def test_summary_names_the_wheels_that_were_made(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path)
    write_index(tmp_path)
    assert f"| {wheel.name} | 0.0 MB | `" in summary(tmp_path)


def test_sboms_are_taken_out_of_the_wheels(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "wheels")
    script = str(ROOT / ".ci" / "sboms")
    python = (sys.executable, "-I", "-X", "utf8")
    none = run_tool(*python, script, str(tmp_path / "wheels"), str(tmp_path / "sboms"))
    assert none.returncode == 1
    assert "has an SBOM" in none.stderr
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("demo_pkg-1.0.dist-info/sboms/other.json", "{}")
        archive.writestr("demo_pkg-1.0.dist-info/sboms/dml-wheelhouse.cdx.json", '{"bomFormat": "CycloneDX"}')
    done = run_tool(*python, script, str(tmp_path / "wheels"), str(tmp_path / "sboms"))
    assert done.returncode == 0, done.stderr
    (written,) = (tmp_path / "sboms").iterdir()
    assert written.name == f"{wheel.name}.cdx.json"
    assert json.loads(written.read_text(encoding="utf-8")) == {"bomFormat": "CycloneDX"}


def workflow_step(workflow: str, name: str) -> str:
    from ruamel.yaml import YAML

    text = (ROOT / ".github" / "workflows" / f"{workflow}.yml").read_text(encoding="utf-8")
    jobs = YAML(typ="safe", pure=True).load(text)["jobs"].values()
    (found,) = (step["run"] for job in jobs for step in job.get("steps", ()) if step.get("name") == name)
    return str(found)


@pytest.mark.skipif(sys.platform == "win32", reason="the release runs on Linux")
@pytest.mark.parametrize("swapped", [False, True])
def test_a_release_is_made_of_what_the_sums_say_and_of_nothing_else(tmp_path: Path, swapped: bool) -> None:
    wheel = make_wheel(tmp_path / "wheels")
    write_index(tmp_path / "wheels")
    (tmp_path / "sboms").mkdir()
    (tmp_path / "sboms" / "x.cdx.json").write_text("{}", encoding="utf-8")
    if swapped:
        wheel.write_bytes(b"swapped")
    stand_in = tmp_path / "bin" / "gh"
    stand_in.parent.mkdir()
    stand_in.write_text('#!/bin/sh\nprintf "%s\\n" "$@" > asked\n', encoding="utf-8")
    stand_in.chmod(0o755)
    environment = os.environ | {"PATH": f"{stand_in.parent}{os.pathsep}{os.environ['PATH']}", "TAG": "v1 & more"}
    script = workflow_step("release", "Verify and publish")
    done = subprocess.run(
        ["bash", "-e", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, encoding="utf-8"
    )
    assert (done.returncode != 0) == swapped, done.stderr
    asked = (tmp_path / "asked").read_text(encoding="utf-8").splitlines() if not swapped else []
    files = [f"wheels/{wheel.name}", "wheels/SHA256SUMS", "sboms/x.cdx.json"]
    assert asked == ([] if swapped else ["release", "create", "v1 & more", *files, "--verify-tag", "--generate-notes"])


@pytest.mark.network
@pytest.mark.skipif(sys.platform == "win32", reason="the release runs on Linux")
def test_the_lines_of_a_release_over_the_published_pair(tmp_path: Path) -> None:
    """The audit is a lane of `.ci/run`; what follows it in the workflow is run here, as it stands there."""
    assert run_tool(sys.executable, "-m", "invoke", "build-dml").returncode == 0
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    for name in ("Index", "Site", "SBOMs"):
        line = re.sub(r" (site|sboms)$", rf" {tmp_path}/\1", workflow_step("release", name))
        done = run_tool("bash", "-e", "-c", line, env={"PATH": path})
        assert done.returncode == 0, done.stderr
    wheels = {f.name for f in (ROOT / "wheels").glob("*.whl")}
    assert {f.name for f in (tmp_path / "site").glob("*.whl")} == wheels
    ours = {name for name in wheels if "+dmlwheelhouse" in name}
    assert {f.name.removesuffix(".cdx.json") for f in (tmp_path / "sboms").iterdir()} == ours
    pip = ("-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--platform", "win_amd64")
    index = ("--python-version", "3.12", "--index-url", (tmp_path / "site" / "simple").as_uri())
    folder = tmp_path / "taken"
    done = run_tool(sys.executable, *pip, *index, "--dest", str(folder), "onnxruntime-genai-directml")
    assert done.returncode == 0, done.stderr
    assert {f.name for f in folder.iterdir()} < ours


@pytest.mark.integration
def test_what_a_workflow_installs_is_the_wheel_and_not_the_indexes(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, tag="py3-none-any")
    script = str(ROOT / ".ci" / "install")
    done = run_tool(sys.executable, script, str(tmp_path), "demo-pkg", "demo_pkg", env={"PIP_NO_INDEX": "1"})
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{wheel.name}: imported from ")
    missing = run_tool(sys.executable, script, str(tmp_path), "demo-pkg", "no_such_module", env={"PIP_NO_INDEX": "1"})
    assert missing.returncode != 0
    assert "There is no wheel of other" in run_tool(sys.executable, script, str(tmp_path), "other", "other").stderr


def test_summary_reads_what_the_smoke_test_writes() -> None:
    """The fields that the summary uses are required by the schema of report.json."""
    from smoke.report import json_schema

    content = json.loads(json_schema.generate())
    result = content["$defs"]["Result"]["properties"]
    assert {"verdict", "backend", "variant", "device", "reason", "performance"} <= set(result)
    assert "tokens_per_s" in content["$defs"]["Performance"]["properties"]
    assert "label" in content["$defs"]["ModelInfo"]["properties"]


def run_lanes(folder: Path, *lines: str) -> tuple[int, list[str]]:
    """Run lanes of a test's own with the functions of .ci/run; return the exit code and what stands in each row."""
    code, rows = summed_up(folder, *lines)
    return code, [" ".join(row.split()[:2]) for row in rows]


def summed_up(folder: Path, *lines: str) -> tuple[int, list[str]]:
    """Run such lanes; return the exit code and the lines of the summary."""
    functions, end = (ROOT / ".ci" / "run").read_text(encoding="utf-8").split("install_system_packages() {")
    script = folder / ".ci" / "run"
    script.parent.mkdir()
    script.write_text("\n".join([functions, *lines, "echo", end[end.index('echo "=== summary') :]]), encoding="utf-8")
    done = subprocess.run(
        ["bash", str(script)], capture_output=True, text=True, check=False, timeout=60, encoding="utf-8"
    )
    assert done.stderr == ""
    rows = done.stdout[done.stdout.index("=== summary") :].splitlines()[1:]
    return done.returncode, [row for row in rows if not row.startswith("total")]


@pytest.mark.skipif(sys.platform == "win32", reason="bash")
def test_lanes_go_on_after_a_failure_and_the_run_fails(tmp_path: Path) -> None:
    code, rows = run_lanes(
        tmp_path,
        "lane one sh -c 'echo said; exit 3'",
        "lane two true",
        "after one lane three touch never",
        "after two lane four true",
    )
    assert (code, rows) == (1, ["one FAILED", "two passed", "three FAILED", "four passed"])
    assert (tmp_path / ".ci-logs" / "one.log").read_text(encoding="utf-8") == "said\n"
    assert not (tmp_path / "never").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="bash")
@pytest.mark.parametrize("status", [0, 5])
def test_a_chain_beside_others_is_waited_for_and_counts(tmp_path: Path, status: int) -> None:
    code, rows = run_lanes(
        tmp_path,
        f"chain() {{ lane slow sh -c 'while [ ! -e go ]; do sleep 0.05; done; exit {status}'",
        "after slow lane next true; }",
        "lane first true",
        "beside chain",
        "lane second touch go",
        "await slow",
        "after slow lane third true",
        'wait "$aside"',
    )
    verdict = "passed" if status == 0 else "FAILED"
    assert code == bool(status)
    assert rows[:3] == ["first passed", "second passed", f"slow {verdict}"]
    assert sorted(rows[3:]) == [f"next {verdict}", f"third {verdict}"]


@pytest.mark.skipif(sys.platform == "win32", reason="bash")
def test_what_was_awaited_may_never_come(tmp_path: Path) -> None:
    code, rows = run_lanes(tmp_path, "beside true", "await never", "after never lane third touch there")
    assert (code, rows) == (1, ["third FAILED"])
    assert not (tmp_path / "there").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="bash")
def test_tests_are_counted_in_windows_too(tmp_path: Path) -> None:
    """What Windows Python prints has Windows' line ends."""
    code, rows = summed_up(
        tmp_path,
        r"lane unit printf '=== 7 passed, 1 skipped in 2.00s ===\n'",
        r"lane windows-unit printf 'SKIPPED [1] t.py:1: Wine is not Windows: links\r\n=== 6 passed in 9.00s ===\r\n'",
        r"lane windows-compiles printf '2 passed in 50.00s\n'",
    )
    assert code == 0
    assert [row.strip() for row in rows[3:]] == [
        "unit tests: === 7 passed, 1 skipped in 2.00s ===",
        "in Windows Python: unit tests: === 6 passed in 9.00s ===",
        "SKIPPED [1] t.py:1: Wine is not Windows: links",
        "in Windows Python: the miniature pair: 2 passed in 50.00s",
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="bash")
def test_a_run_of_no_lanes_has_not_passed(tmp_path: Path) -> None:
    assert run_lanes(tmp_path) == (1, [])


@pytest.fixture
def forge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone with a remote, and a `gh` that writes down what it was asked: it is there from the first on."""
    work, remote, gh = tmp_path / "work", tmp_path / "remote", tmp_path / "bin" / "gh"
    for argv in (("init", "-q", "--bare", str(remote)), ("init", "-q", "-b", "main", str(work))):
        subprocess.run(["git", *argv], check=True)
    (work / "recipes").mkdir()
    (work / "recipes" / "dml.toml").write_text("x", encoding="utf-8")
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.invalid")
    for argv in (("remote", "add", "origin", str(remote)), ("add", "."), (*identity, "commit", "-qm", "first")):
        subprocess.run(["git", "-C", str(work), *argv], check=True)
    gh.parent.mkdir()
    gh.write_text(
        '#!/bin/sh\nif [ "$2" = view ]; then grep -q "^pr create" "$LOG" && exit 0 || exit 1; fi\n'
        'echo "$@" >> "$LOG"\n',
        encoding="utf-8",
    )
    gh.chmod(0o755)
    (tmp_path / "log").write_text("", encoding="utf-8")
    monkeypatch.setenv("PATH", f"{gh.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    return work


def propose(work: Path, *text: str) -> str:
    argv = ["bash", str(ROOT / ".ci" / "propose"), "records", "Record", "https://x/runs/7", *text]
    return subprocess.run(argv, check=True, capture_output=True, text=True, cwd=work, encoding="utf-8").stdout


@pytest.mark.skipif(sys.platform == "win32", reason="the workflow runs on Linux")
def test_what_a_run_recorded_is_proposed_once_and_then_brought_up_to_date(forge: Path) -> None:
    assert propose(forge) == "nothing new\n"
    for text in ("first", "second"):
        (forge / "recipes" / "dml.lock.toml").write_text(text, encoding="utf-8")
        assert "proposed as records" in propose(forge)
        show = ["git", "-C", str(forge.parent / "remote"), "show", "records:recipes/dml.lock.toml"]
        assert subprocess.run(show, check=True, capture_output=True, text=True, encoding="utf-8").stdout == text
        subprocess.run(["git", "-C", str(forge), "switch", "-q", "main"], check=True)
        subprocess.run(["git", "-C", str(forge), "branch", "-qD", "records"], check=True)
    log = (forge.parent / "log").read_text(encoding="utf-8")
    assert (log.count("pr create"), log.count("pr edit")) == (1, 1)


@pytest.mark.skipif(sys.platform == "win32", reason="the workflow runs on Linux")
def test_a_proposal_says_what_its_text_says(forge: Path) -> None:
    (forge / "recipes" / "dml.lock.toml").write_text("x", encoding="utf-8")
    propose(forge, "said.md")
    assert "--body-file said.md" in (forge.parent / "log").read_text(encoding="utf-8")


INVOKE = """#!/usr/bin/env bash
case "$1 $2" in
  "recipes --upgrade")
    echo "mine: something newer"
    [ -z "$NEWER" ] || echo "# newer" >> recipes/published.toml ;;
  "smoke --backend")
    mkdir -p "$7"
    echo "# the smoke report" > "$7/report.md"
    exit 13 ;;
  "audit --sarif") echo "{}" > "$3" ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with one recipe, and an `invoke` that does as if."""
    folder = tmp_path / "checkout"
    (folder / "recipes").mkdir(parents=True)
    (folder / "recipes" / "published.toml").write_text("# old\n", encoding="utf-8")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "invoke").write_text(INVOKE, encoding="utf-8")
    (tmp_path / "bin" / "invoke").chmod(0o755)
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    for arguments in (("init", "-q"), ("add", "."), (*identity, "commit", "-q", "-m", "x")):
        subprocess.run(["git", *arguments], cwd=folder, check=True, timeout=60)
    return folder


@pytest.mark.skipif(sys.platform == "win32", reason="the workflow runs on Linux")
@pytest.mark.parametrize("newer", ["yes", ""])
def test_upgrade_says_what_holds_and_what_does_not(checkout: Path, newer: str) -> None:
    environ = os.environ | {"PATH": f"{checkout.parent / 'bin'}{os.pathsep}{os.environ['PATH']}", "NEWER": newer}
    out = checkout.parent / "out"
    argv = ["bash", str(ROOT / ".ci" / "upgrade"), str(out)]
    done = subprocess.run(
        argv, capture_output=True, text=True, cwd=checkout, env=environ, timeout=120, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    assert (out / "upgrade.txt").read_text(encoding="utf-8") == "mine: something newer\n"
    assert (out / "upgrade.patch").exists() == bool(newer)
    if newer:
        body = (out / "body.md").read_text(encoding="utf-8")
        assert "- build: passed\n- lock: passed\n- audit: passed\n- wine-setup: passed\n" in body
        assert "- smoke: **failed**, exit code 13" in body
        assert "# the smoke report" in body
        assert (out / "audit.sarif").is_file()
        subprocess.run(["git", "checkout", "-q", "."], cwd=checkout, check=True, timeout=60)
        patch = ["git", "apply", "--include=recipes/*.toml", str(out / "upgrade.patch")]
        subprocess.run(patch, cwd=checkout, check=True, timeout=60)
        assert (checkout / "recipes" / "published.toml").read_text(encoding="utf-8") == "# old\n# newer\n"
