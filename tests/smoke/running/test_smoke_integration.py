"""The command itself, with real runtimes on the tiny model. Makes the environments when they are not there."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from smoke.report import json_schema
from wheelhouse.paths import ROOT

pytestmark = pytest.mark.integration

SAME_WEIGHTS = {("ort-cpu", "fp32"), ("ort-cpu", "dml-fp16"), ("openvino", "fp16"), ("openvino-genai", "fp16")}
QUANTISED = {("ort-cpu", "int4"), ("ort-cpu", "dml-int4"), ("openvino", "int4"), ("openvino-genai", "int4")}


def invoke(*arguments, code=0):
    command = [sys.executable, "-m", "invoke", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=False)
    assert code is None or done.returncode == code, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The report of every backend: the one that `.ci/run` has just made of the same code, else a new one."""
    given = os.environ.get("DML_WHEELHOUSE_TEST_REPORT")
    folder = Path(given) if given else tmp_path_factory.mktemp("report")
    if not given:
        invoke("smoke", "--all-backends", "--model", "tiny-phi3", "--report", str(folder))
    return json.loads((folder / "report.json").read_text(encoding="utf-8"))


def test_every_backend_that_can_run_agrees(report):
    jsonschema.validate(report, json.loads(json_schema.PATH.read_text(encoding="utf-8")))
    results = {(r["backend"], r["variant"]): r for r in report["results"]}
    for name in SAME_WEIGHTS | QUANTISED:
        assert results[name]["verdict"] == "PASS", results[name]["reason"]
        assert results[name]["device"] == "CPU"
        assert results[name]["performance"]["tokens_per_s"] > 0
        assert results[name]["performance"]["peak_memory_bytes"] > 30_000_000
    for name in SAME_WEIGHTS:
        metrics = results[name]["metrics"]
        assert metrics["prefix"] == metrics["golden_tokens"]
        assert metrics["logits"] is None or metrics["logits"]["kl"] < 1e-3
    for name in QUANTISED:
        assert results[name]["against"].startswith("twin:")
        assert results[name]["metrics"]["quality"]["grade"] in "ABC"
    for name in {("twin", "cpu-int4"), ("twin", "dml-int4"), ("twin", "openvino-int4")}:
        assert results[name]["verdict"] == "PASS"
        assert results[name]["gate"].startswith("across quantisation")


def test_the_parent_stays_small(report):
    assert report["host"]["parent_peak_memory_bytes"] < 150_000_000


def test_a_second_run_makes_nothing(report, tmp_path):
    done = invoke("smoke", "--backend", "ort-cpu:fp32", "--model", "tiny-phi3", "--report", str(tmp_path), "--verbose")
    started = [line for line in done.stderr.splitlines() if line.startswith("+ ")]
    assert len(started) == 1, started  # the worker that was asked for: the reference is kept
    assert all("worker" in line for line in started)
    again = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert again["results"][0]["text"] == report["results"][0]["text"]


def test_a_device_that_is_absent_is_skipped_and_strict_minds(report, tmp_path):
    """Without --strict a skipped variant is no fault: the run that made `report` ended with exit code 0."""
    if not any(r["verdict"] == "SKIPPED" for r in report["results"]):
        pytest.skip("this machine has every device")
    arguments = ["smoke", "--backend", "openvino-genai:gpu-fp16", "--model", "tiny-phi3", "--report", str(tmp_path)]
    done = invoke(*arguments, "--strict", code=None)
    result = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["results"][-1]
    if result["verdict"] != "SKIPPED":
        pytest.skip("this machine has a GPU that OpenVINO can use")
    assert "OpenVINO finds no GPU here" in result["reason"]
    assert done.returncode == 13


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--backend", "ort_cpu"], 2, "Did you mean 'ort-cpu'?"),
        (["--model", "tiny-phi"], 2, "tiny-phi3"),
        (["--model", "./no/such/folder"], 4, "does not exist"),
        (["--prompts", "/no/such/file"], 4, "cannot be read"),
        (["--max-new-tokens", "0"], 2, "at least 1"),
        (["--max-new-tokens", "5000"], 2, "between 1 and 4096"),
        (["--wheel", "missing.whl"], 4, "There is no wheel missing.whl"),
    ],
)
def test_what_cannot_be_asked_for_is_one_paragraph(arguments, code, words, tmp_path):
    done = invoke("smoke", "--report", str(tmp_path), *arguments, code=code)
    said = done.stderr + done.stdout
    assert words in said
    assert "Traceback" not in said


def test_a_run_in_parts_comes_home_as_the_whole(tmp_path):
    common = ("--backend", "ort-cpu", "--model", "tiny-phi3")
    invoke("smoke", *common, "--report", str(tmp_path / "whole"))
    for part in ("1", "2"):
        place = ("--report", str(tmp_path / f"report{part}"), "--dump", str(tmp_path / "dumps" / part))
        invoke("smoke", *common, "--shard", f"{part}/2", *place)
    invoke("compare", str(tmp_path / "dumps"), "--report", str(tmp_path / "joined"))

    def verdicts(name):
        found = json.loads((tmp_path / name / "report.json").read_text(encoding="utf-8"))["results"]
        rows = [r for r in found if r["backend"] != "reference"]
        return sorted((r["backend"], r["variant"], r["verdict"], str(r["metrics"]["prefix"])) for r in rows)

    assert verdicts("joined") == verdicts("whole")
    done = invoke("compare", str(tmp_path / "dumps" / "1"), code=4)
    assert "2/2 missing" in done.stderr + done.stdout
