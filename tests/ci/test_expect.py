"""What CI expects of a smoke report: each fault is named, and a machine without Wine is not asked for DirectML."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from wheelhouse.paths import ROOT

GOOD = [
    ("reference", "fp32"),
    *(("ort-cpu", v) for v in ("fp32", "int4", "dml-fp16", "dml-int4")),
    *((b, v) for b in ("openvino", "openvino-genai") for v in ("fp16", "int4")),
]


PIPELINE = {"backend": "npu", "variant": "npuw-cpu", "verdict": "FELL_BACK", "announced": True}


def expect(folder: Path, verdicts: dict[tuple[str, str], str], *options: str) -> subprocess.CompletedProcess[str]:
    report = folder / "report.json"
    results = [{"backend": b, "variant": v, "verdict": verdict} for (b, v), verdict in verdicts.items()]
    results.append(PIPELINE)
    report.write_text(json.dumps({"results": results}), encoding="utf-8")
    argv = [sys.executable, str(ROOT / ".ci" / "expect"), str(report), *options]
    return subprocess.run(argv, capture_output=True, text=True, check=False, encoding="utf-8")


def test_a_good_report_is_accepted(tmp_path: Path) -> None:
    done = expect(tmp_path, {**dict.fromkeys(GOOD, "PASS"), ("npu", "fp16"): "SKIPPED"})
    assert (done.returncode, done.stdout) == (0, "11 results are as expected\n")


@pytest.mark.parametrize("verdict", ["DIVERGED", "FELL_BACK", "CRASHED", "TIMED_OUT", "SKIPPED"])
def test_another_verdict_is_named(tmp_path: Path, verdict: str) -> None:
    done = expect(tmp_path, {**dict.fromkeys(GOOD, "PASS"), ("openvino", "int4"): verdict})
    assert done.returncode == 1
    assert done.stdout == f"openvino int4 is {verdict} instead of PASS\n"


def test_a_missing_result_and_an_unexpected_fault_are_named(tmp_path: Path) -> None:
    verdicts = {**dict.fromkeys(GOOD[1:], "PASS"), ("npu", "fp16"): "CRASHED"}
    done = expect(tmp_path, verdicts)
    assert done.stdout.splitlines() == ["reference fp32 is missing instead of PASS", "npu fp16 is CRASHED"]


@pytest.mark.parametrize(("option", "missing"), [("--wine", "dml fp16"), ("--webgpu", "webgpu int4")])
def test_what_not_every_machine_has_is_asked_for_by_an_option(tmp_path: Path, option: str, missing: str) -> None:
    done = expect(tmp_path, dict.fromkeys(GOOD, "PASS"), option)
    assert done.returncode == 1
    assert f"{missing} is missing" in done.stdout


def test_webgpu_that_only_fell_back_is_named(tmp_path: Path) -> None:
    ran = {("webgpu", variant): "PASS" for variant in ("fp32", "int4")}
    verdicts = {**dict.fromkeys(GOOD, "PASS"), **ran, ("webgpu", "int4"): "FELL_BACK", ("webgpu", "fp16"): "SKIPPED"}
    done = expect(tmp_path, verdicts, "--webgpu")
    assert done.stdout == "webgpu int4 is FELL_BACK instead of PASS\n"


@pytest.mark.parametrize(
    ("pipeline", "fine"),
    [
        ([PIPELINE], True),
        ([PIPELINE | {"announced": False}], False),
        ([PIPELINE | {"verdict": "CRASHED"}], False),
        ([PIPELINE | {"verdict": "SKIPPED"}], False),
        ([PIPELINE | {"verdict": "PASS"}], False),
        ([], False),
        ([PIPELINE, PIPELINE | {"variant": "other"}], True),
        ([PIPELINE, PIPELINE | {"variant": "other", "announced": False}], False),
    ],
)
def test_the_npus_pipeline_has_to_run_and_to_say_that_it_fell_back(tmp_path: Path, pipeline: list, fine: bool) -> None:
    report = tmp_path / "report.json"
    results = [{"backend": b, "variant": v, "verdict": "PASS"} for b, v in GOOD]
    report.write_text(json.dumps({"results": [*results, *pipeline]}), encoding="utf-8")
    argv = [sys.executable, str(ROOT / ".ci" / "expect"), str(report)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, encoding="utf-8")
    assert done.returncode == (0 if fine else 1)
    assert ("as expected" in done.stdout) == fine
    assert done.stdout.count("npuw-cpu") <= 1
