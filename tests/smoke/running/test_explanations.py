"""What is added to results that DIVERGED."""

import pytest

from smoke.parity.verdicts import Verdict
from smoke.report.results import Result
from smoke.running import explanations


def result(backend, variant, verdict=Verdict.DIVERGED):
    return Result(backend=backend, variant=variant, device="", verdict=verdict, reason="", remedy="", gate="",
                  against="", requested_device="")  # fmt: skip


def test_a_graph_that_diverged_is_told_how_to_find_the_operator():
    (told,) = explanations.added([result("dml", "fp16")], (), "my model")
    said = told.remedy.replace('"', "'")
    assert "`invoke bisect --model 'my model' --left ort-cpu:dml-fp16 --right dml:fp16`" in said


@pytest.mark.parametrize(("backend", "variant"), [("openvino-genai", "fp16"), ("ort-cpu", "fp32")])
def test_what_has_no_graph_to_be_held_to_is_told_nothing(backend, variant):
    assert explanations.added([result(backend, variant)], (), "m")[0].remedy == ""


def test_what_passed_is_told_nothing():
    assert explanations.added([result("dml", "fp16", Verdict.PASS)], (), "m")[0].remedy == ""
