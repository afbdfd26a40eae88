"""A fault whose cause is a damaged cache is mended once; one that is not stays as it is."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import pytest

from smoke import mending
from smoke.backends import selection
from smoke.running import goldens, run
from smoke.running.smoke_request import Request
from tests.smoke import fakes
from wheelhouse import manifests
from wheelhouse.errors import NetworkError
from wheelhouse.paths import cache_dir
from wheelhouse.steps import Step, ensure


@pytest.fixture
def runs(monkeypatch):
    """Reports that the runs give, one after the other, and what preparing them finds damaged."""
    state = SimpleNamespace(reports=[], damage=[], doubted=[], read=[])

    def smoke(_request):
        state.doubted.append(manifests.doubted())
        return state.reports.pop(0)

    def prepared(request, _clock):
        assert manifests.doubted()
        state.read.extend(item.name for item in request.plan)
        for what in state.damage:
            if isinstance(what, Exception):
                raise what
            manifests.report_damage(what)

    monkeypatch.setattr(run, "smoke", smoke)
    monkeypatch.setattr(run, "prepared", prepared)
    return state


GOOD, BAD = SimpleNamespace(passed=True), SimpleNamespace(passed=False)
ABSENT = dataclasses.replace(fakes.variant("int4", against="twin:k"), unasked=lambda: "There is no such device.")
KNOWN = (fakes.reference(), fakes.backend("twin", fakes.variant("k", is_base=True)), fakes.backend("gpu", ABSENT))
ASKED = Request(
    plan=selection.select([], everything=True, known=KNOWN), model="any", prompts=(), max_new_tokens=1,
    report=Path("report"), timeout=1,
)  # fmt: skip


def test_what_passes_is_not_doubted(runs):
    runs.reports = [GOOD]
    assert mending.smoke(ASKED) is GOOD
    assert runs.doubted == [False]


def test_a_fault_over_a_whole_cache_stays(runs):
    runs.reports = [BAD]
    assert mending.smoke(ASKED) is BAD


def test_only_what_the_run_was_made_of_is_read_and_made_again(runs):
    runs.reports = [BAD]
    assert "twin:k" in {item.name for item in ASKED.plan}
    assert mending.smoke(ASKED) is BAD
    assert runs.read == ["reference:fp32", "gpu:int4"], "the device is not here, so nothing is held to the twin"


def test_a_fault_over_a_damaged_cache_is_tried_once_more(runs, capfd):
    runs.reports, runs.damage = [BAD, GOOD], ["export of m: weights has been changed"]
    assert mending.smoke(ASKED) is GOOD
    assert "weights has been changed: made again" in capfd.readouterr().err


def test_it_is_tried_once_only(runs):
    runs.reports, runs.damage = [BAD, BAD], ["export of m: weights has been changed"]
    assert mending.smoke(ASKED) is BAD
    assert runs.reports == []


def test_what_cannot_be_made_again_is_said_and_the_report_stays(runs, capfd):
    runs.reports, runs.damage = [BAD], [NetworkError("No index can be reached.", remedy="Check the network.")]
    assert mending.smoke(ASKED) is BAD
    assert "No index can be reached. Check the network." in capfd.readouterr().err


def test_verifying_doubts_from_the_start(runs):
    runs.reports = [BAD]
    assert mending.smoke(ASKED, verify=True) is BAD
    assert runs.doubted == [True]


def test_a_damaged_reference_is_dropped():
    step = Step(name="reference", output=cache_dir("goldens", "m-1"), inputs={})

    def make(partial):
        (partial / "logits.safetensors").write_bytes(b"logits")
        manifests.write(partial)

    ensure(step, make)
    with manifests.doubting() as found:
        goldens.drop_damaged()
        assert step.output.exists()
        (step.output / "logits.safetensors").write_bytes(b"logitz")
        goldens.drop_damaged()
    assert not step.output.exists()
    assert found == ["m-1: logits.safetensors has been changed"]
