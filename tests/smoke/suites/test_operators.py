"""The operator suite's host side, with stand-ins for the worker started as real processes, and its cases."""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import numpy_helper

from smoke.backends.registry import WORKER
from smoke.environments.source import Environment, Readiness
from smoke.parity.verdicts import Verdict
from smoke.suites import all_suites
from smoke.suites.operators import measured_providers, measurements, rows, suite
from smoke.suites.operators.rows import Measured, Row
from wheelhouse.errors import NetworkError, StepFailedError, UsageError

sys.path.insert(0, str(WORKER))

from operator_cases import Case
from worker_profile import CPU, HOST, nodes_by_provider

DML = "DmlExecutionProvider"


def judge(measured):
    return rows.judge(measured, DML, "DirectML")


def row(**changes):
    plain = {
        "name": "Add fp16", "family": "Add", "dtype": "fp16", "dims": {"rows": 1}, "amplitude": 1.0,
        "tolerance": 1e-3, "status": Measured.RAN, "error": 1e-4, "providers": {DML: 1},
    }  # fmt: skip
    return Row(**(plain | changes))


STATUSES = st.sampled_from(Measured)
ROWS = st.builds(
    row,
    status=STATUSES,
    error=st.none() | st.floats(0, 10) | st.just(float("nan")),
    providers=st.sampled_from([{DML: 1}, {DML: 1, CPU: 1}, {CPU: 1}, {}]),
)


@given(st.lists(ROWS, max_size=6))
def test_no_fault_passes(measured):
    verdict = judge(measured).verdict
    faulty = any(r.is_wrong or (r.status is Measured.RAN and r.providers != {DML: 1}) for r in measured)
    ran = any(r.status is Measured.RAN for r in measured)
    assert (verdict is Verdict.PASS) == (ran and not faulty)
    if not ran and not faulty:
        assert verdict is Verdict.SKIPPED


@pytest.mark.parametrize(
    ("changes", "verdict", "words"),
    [
        ({}, Verdict.PASS, "1 of 1 operators agree"),
        ({"error": 1e-2}, Verdict.DIVERGED, "1 are wrong: Add"),
        ({"error": None}, Verdict.DIVERGED, "0 of 1"),
        ({"status": Measured.FAILED, "error": None, "providers": {}}, Verdict.DIVERGED, "1 are wrong: Add"),
        ({"status": Measured.NO_SHADER, "error": None, "providers": {}}, Verdict.SKIPPED, "1 cannot be measured here"),
        ({"providers": {CPU: 2}}, Verdict.FELL_BACK, "CPUExecutionProvider"),
    ],
)
def test_verdicts_and_their_words(changes, verdict, words):
    judgement = judge([row(**changes)])
    assert judgement.verdict is verdict
    assert words in judgement.reason


class Place:
    """A source whose environment is this Python, with a stand-in for the worker."""

    def __init__(self, error=None, ready=True):
        self.error = error
        self.ready = ready

    def status(self) -> Readiness:
        return Readiness(ready=self.ready, makeable=False, reason="no runtime", remedy="make it")

    def prepare(self, wheels: Sequence[Path]) -> Environment:
        if self.error:
            raise self.error
        return Environment(name="x", python=(sys.executable,), env={}, label="stand-in")

    def takes(self, wheel: Path) -> bool:
        return True


def outcome(tmp_path, monkeypatch, code, *, timeout=60.0, place=None):
    worker = tmp_path / "worker.py"
    worker.write_text(
        "import json, sys, os, time\njob = json.load(open(sys.argv[1]))\nout = job['output']\n" + code, encoding="utf-8"
    )
    monkeypatch.setattr(suite, "WORKER_FILE", worker)
    target = replace(measured_providers.TARGETS[0], source=lambda: place or Place())
    return suite.run(target, wheels=(), report=tmp_path / "report", timeout=timeout)


def writes(*, rows=(), begun=None, **dump):
    lines = [json.dumps({"row": r}) for r in rows] + ([json.dumps({"start": begun})] if begun else [])
    text = "".join(line + "\n" for line in lines)
    saved = f"open(os.path.join(out, 'rows.jsonl'), 'a').write({text!r})\n"
    whole = json.dumps({"status": "ok", **dump})
    return saved + f"open(os.path.join(out, 'dump.json'), 'w').write({whole!r})\n"


def begun(name):
    fields = ("family", "dtype", "dims", "amplitude", "tolerance")
    return {"name": name, **{k: v for k, v in msgspec.to_builtins(row()).items() if k in fields}}


def test_a_dump_becomes_a_result_and_tables(tmp_path, monkeypatch):
    wrong = msgspec.to_builtins(row(name="norm", family="Norm", error=0.5))
    wrong["output"] = "sum"
    wrong["smallest"] = {"dims": {"rows": 1, "width": 2}, "status": "ran", "error": 0.75}
    limit = {"norm": "Norm", "width": 576, "predicted": 6142.7, "right": 6100.0, "wrong": 6200.0}
    measured = [msgspec.to_builtins(row()), wrong]
    found = outcome(tmp_path, monkeypatch, writes(rows=measured, limits=[limit], versions={"a": "1"}))
    assert found.result.verdict is Verdict.DIVERGED
    assert found.result.device == "DirectML"
    assert len(measurements.read(tmp_path / "report" / "operators-dml-ops.json").rows) == 2
    operators, limits = found.sections
    assert [line[4] for line in operators.rows] == ["agrees", "WRONG (sum)"]
    assert operators.rows[1][5] == "rows=1 width=2, error 0.75"
    assert limits.rows == (("Norm", 576, 6100.0, 6200.0, 6143.0),)


def test_an_operator_that_takes_the_process_down_costs_no_other(tmp_path, monkeypatch):
    good = [msgspec.to_builtins(row(name=name)) for name in ("first", "last")]
    code = f"""
if "bad" not in job["skip"]:
    if "first" not in job["skip"]:
        {writes(rows=good[:1]).splitlines()[0]}
    {writes(begun=begun("bad")).splitlines()[0]}
    os.abort()
assert job["skip"] == ["first", "bad"]
{writes(rows=good[1:])}
"""
    found = outcome(tmp_path, monkeypatch, code)
    assert found.result.verdict is Verdict.DIVERGED
    assert [(line[0], line[4].split(":")[0]) for line in found.sections[0].rows] == [
        ("first", "agrees"),
        ("bad", "FAILED"),
        ("last", "agrees"),
    ]


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("sys.exit(3)", Verdict.CRASHED),
        ("os.abort()", Verdict.CRASHED),
        ("pass", Verdict.CRASHED),
        ("open(os.path.join(out, 'dump.json'), 'w').write('{')", Verdict.CRASHED),
        (writes(rows=[{"name": 1}]), Verdict.CRASHED),
        (writes(), Verdict.SKIPPED),
    ],
)
def test_a_worker_that_fails_is_no_pass(tmp_path, monkeypatch, code, verdict):
    assert outcome(tmp_path, monkeypatch, code).result.verdict is verdict


@given(st.binary(max_size=60))
def test_a_line_that_was_cut_off_is_left_out(tail):
    whole = json.dumps({"row": msgspec.to_builtins(row())}).encode() + b"\n"
    finished, begun_last = rows.read_lines(whole + tail.replace(b"\n", b""))
    assert [r.name for r in finished] == ["Add fp16"]
    assert begun_last is None


def test_a_worker_that_hangs_is_ended(tmp_path, monkeypatch):
    assert outcome(tmp_path, monkeypatch, "time.sleep(600)", timeout=2.0).result.verdict is Verdict.TIMED_OUT


@pytest.mark.parametrize(
    ("place", "verdict", "words"),
    [
        (Place(ready=False), Verdict.SKIPPED, "no runtime"),
        (Place(error=NetworkError("no index")), Verdict.SKIPPED, "no index"),
        (Place(error=StepFailedError("pip failed")), Verdict.CRASHED, "pip failed"),
    ],
)
def test_without_its_environment(tmp_path, monkeypatch, place, verdict, words):
    found = outcome(tmp_path, monkeypatch, "", place=place)
    assert found.result.verdict is verdict
    assert words in found.result.reason
    assert found.sections == ()


def test_a_suite_is_told_from_a_backend_and_fails_the_report(tmp_path, monkeypatch):
    assert all_suites.split(["dml-ops", "ort-cpu"]) == (["dml-ops"], ["ort-cpu"])
    wrong = suite.Outcome(result=suite.without(measured_providers.TARGETS[0], judge([row(error=1.0)])), seconds=2.0)
    monkeypatch.setattr(all_suites.operator_suite, "run", lambda *_, **__: wrong)
    report = all_suites.added(all_suites.empty_report(), ["dml-ops"], wheels=(), folder=tmp_path, timeout=1.0)
    assert not report.passed
    assert [r.backend for r in report.results] == ["dml-ops"]
    assert all_suites.added(all_suites.empty_report(), [], wheels=(), folder=tmp_path, timeout=1.0).passed


def node(provider, operator, *outputs, size=8):
    arguments = {
        "provider": provider,
        "op_name": operator,
        "output_type_shape": list(outputs),
        "output_size": str(size),
    }
    return {"cat": "Node", "args": arguments}


def test_lengths_may_be_computed_on_the_host_and_nothing_else():
    events = [
        node("DmlExecutionProvider", "DmlFusedNode_0_0", {"float16": [1, 8]}),
        node(CPU, "Gather", {"int64": []}),
        node(CPU, "Cast", {"int32": []}, size=4),
        node(CPU, "Gather", {"int64": [4096]}, size=32768),  # too many to be lengths
        node(CPU, "Cast", {"float16": []}, size=2),
        node(CPU, "Odd"),
        {"cat": "Session", "args": {"provider": "no node"}},
        {"cat": "Node", "args": {}},
    ]
    assert dict(nodes_by_provider(events)) == {
        ("DmlExecutionProvider", "DmlFusedNode_0_0"): 1,
        (HOST, "Gather"): 1,
        (HOST, "Cast"): 1,
        (CPU, "Gather"): 1,
        (CPU, "Cast"): 1,
        (CPU, "Odd"): 1,
    }


def test_an_adapter_that_is_not_there_is_skipped_with_the_remedy(tmp_path, monkeypatch):
    absent = json.dumps({"status": "unavailable", "reason": "no adapter", "remedy": "install a driver"})
    code = f"open(os.path.join(out, 'dump.json'), 'w').write({absent!r})\n"
    result = outcome(tmp_path, monkeypatch, code).result
    assert (result.verdict, result.reason, result.remedy) == (Verdict.SKIPPED, "no adapter", "install a driver")


def test_what_an_adapter_cannot_do_is_not_counted_as_right(tmp_path, monkeypatch):
    measured = [row(), row(name="Mul fp16", status=Measured.NO_F16, error=None, providers={})]
    code = writes(rows=[msgspec.to_builtins(r) for r in measured])
    found = outcome(tmp_path, monkeypatch, code)
    assert found.result.verdict is Verdict.PASS
    assert found.result.reason == "1 of 2 operators agree; 1 cannot be measured here (no f16)."
    assert [line[4] for line in found.sections[0].rows] == ["agrees", "no f16"]


def test_each_suite_asks_for_its_own_provider_and_says_so(tmp_path, monkeypatch):
    webgpu = replace(measured_providers.TARGETS[1], source=Place)
    monkeypatch.setattr(suite, "WORKER_FILE", tmp_path / "worker.py")
    dumped = writes(rows=[msgspec.to_builtins(row(providers={"WebGpuExecutionProvider": 1}))],
                    device={"name": "WebGPU", "description": "an adapter", "evidence": "seen"})  # fmt: skip
    (tmp_path / "worker.py").write_text(
        "import json, sys, os\njob = json.load(open(sys.argv[1]))\nout = job['output']\n"
        f"assert job['provider'] == 'webgpu'\n{dumped}",
        encoding="utf-8",
    )
    result = suite.run(webgpu, wheels=(), report=tmp_path / "report", timeout=60.0).result
    assert (result.backend, result.verdict, result.device) == ("webgpu-ops", Verdict.PASS, "WebGPU")
    assert result.device_details.description == "an adapter"
    dml = replace(measured_providers.TARGETS[0], source=Place)
    assert suite.run(dml, wheels=(), report=tmp_path / "dml", timeout=60.0).result.verdict is Verdict.CRASHED


def in_one_sum(products):
    total = np.zeros(products.shape[1], np.float16)
    for line in products:
        total = total + line
    return total


@pytest.mark.parametrize("k", [64, 576, 3072])
def test_a_sum_that_stays_in_fp16_is_right_and_one_that_lacks_a_term_is_not(k):
    case = Case("MatMul", "", {"rows": 1, "k": k, "n": 512}, "fp16")
    built = case.build()
    weight = numpy_helper.to_array(onnx.load_from_string(built.model).graph.initializer[0])
    products = built.feeds["a"][0][:, None] * weight
    right = products.astype(np.float64).sum(axis=0)
    largest = np.abs(right).max()
    assert np.abs(in_one_sum(products) - right).max() / largest < case.tolerance
    lacking = np.abs(in_one_sum(products[: k - k // 64]) - right).max() / largest
    assert lacking > case.tolerance


def test_a_part_that_no_name_has_is_no_pass():
    judgement = judge([])
    assert judgement.verdict is Verdict.SKIPPED
    assert "none has such a part" in judgement.reason


def test_cases_are_chosen_only_where_there_is_a_suite_of_them(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="none was named"):
        all_suites.check_operators(["npu-check"], ["Add"])
    all_suites.check_operators(["webgpu-ops"], ["Add"])
    all_suites.check_operators([], [])
    asked = []
    monkeypatch.setattr(
        all_suites.operator_suite, "run", lambda target, **how: asked.append((target.name, how)) or 1 / 0
    )
    with pytest.raises(ZeroDivisionError):
        all_suites.added(all_suites.empty_report(), ["webgpu-ops"], wheels=(), folder=tmp_path, timeout=1.0,
                         operators=["prefill, rotary"])  # fmt: skip
    assert asked[0][0] == "webgpu-ops"
    assert asked[0][1]["only"] == ["prefill, rotary"]
