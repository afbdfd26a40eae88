"""The scripts that workflows call, really run."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from recipes.index import write_index
from tests.recipes.wheel_factory import make_wheel
from wheelhouse.paths import ROOT


def run_tool(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, timeout=120)


def test_site_is_an_index_that_a_browser_and_pip_can_walk(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheel = make_wheel(wheels)
    write_index(wheels)
    done = run_tool("bash", str(ROOT / ".ci" / "site"), str(wheels), str(tmp_path / "site"))
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "site/simple/demo-pkg/index.html").read_text()
    found = re.search(r'href="([^#"]+)', page)
    assert found is not None
    target = tmp_path / "site/simple/demo-pkg" / found[1]
    assert target.resolve().read_bytes() == wheel.read_bytes()
    assert target.resolve().with_name(wheel.name + ".metadata").is_file()
    assert (tmp_path / "site/index.html").is_file()


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
    done = run_tool(sys.executable, "-I", str(ROOT / ".ci" / "summary"), str(folder))
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_summary_tells_verdicts_and_last_lines(tmp_path: Path) -> None:
    (tmp_path / "smoke").mkdir()
    (tmp_path / "smoke" / "report.json").write_text(json.dumps(REPORT))
    (tmp_path / "unit.log").write_text("first\n" * 50 + "== 12 passed in 3 s ==\n")
    text = summary(tmp_path)
    assert "### Smoke: tiny \\| Phi-3" in text
    assert "| PASS | ort-cpu | fp32 | CPU | 23.5 |  |" in text
    assert "| SKIPPED | npu | fp16 |  |  | no NPU here |" in text
    assert "== 12 passed in 3 s ==" in text
    assert text.count("first") < 20


@pytest.mark.parametrize("report", ["", "[]", "{}", '{"model": 1}'])
def test_summary_survives_a_run_that_ended_early(tmp_path: Path, report: str) -> None:
    assert "No lane has run" in summary(tmp_path)
    (tmp_path / "report.json").write_text(report)
    assert "report.json cannot be read" in summary(tmp_path)


def test_summary_reads_what_the_smoke_test_writes() -> None:
    """The fields that the summary uses are required by the schema of report.json."""
    from smoke.report import schema

    content = json.loads(schema.generate())
    result = content["$defs"]["Result"]["properties"]
    assert {"verdict", "backend", "variant", "device", "reason", "performance"} <= set(result)
    assert "tokens_per_s" in content["$defs"]["Performance"]["properties"]
    assert "label" in content["$defs"]["ModelInfo"]["properties"]
