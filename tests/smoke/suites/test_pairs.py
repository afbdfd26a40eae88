"""Pairs of DirectML wheels: what is run, what the table says, which failures count. Really run by hand, in Wine."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import pytest

from recipes.spec.load import load
from smoke.backends.variants import REFERENCE
from smoke.environments.source import Readiness
from smoke.parity.verdicts import Verdict
from smoke.report.results import ModelInfo, Report, Result
from smoke.suites.all_suites import empty_report
from smoke.suites.pairs import halves, matrix
from smoke.wine import environment, namespace, recipe
from tests.recipes.audit.factory import GENAI, PACKAGE, RUNTIME, genai_dll, make, runtime_dll
from wheelhouse.errors import InputError, UnsupportedError, UsageError

TAG = "cp313-cp313-win_amd64"


@pytest.fixture
def pairings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[halves.Pairing]:
    """Two of each: the older GenAI takes any onnxruntime, the newer one only its own."""
    dll = "onnxruntime/capi/onnxruntime.dll"
    wheels = [
        make(tmp_path, RUNTIME.but(tag=TAG)),
        make(tmp_path, RUNTIME.but(tag=TAG, version="1.30.0+ours.1").with_file(dll, runtime_dll(30))),
        make(tmp_path, GENAI.but(tag=TAG, version="0.13.1", requires=("onnxruntime-directml>=1.24.4",))),
        make(
            tmp_path,
            GENAI.but(tag=TAG, version="0.18.0+ours.1", requires=("onnxruntime-directml==1.30.0+ours.1",)).with_file(
                f"{PACKAGE}/onnxruntime-genai.dll", genai_dll() + b"TokenizersBackend\0"
            ),
        ),
    ]
    pins = recipe.PairsRecipe(made="published", wheels=())
    monkeypatch.setattr(recipe, "pairs", lambda: pins)
    monkeypatch.setattr(halves, "_made", lambda *_: wheels)
    return halves.pairings()


def test_every_genai_with_every_onnxruntime_by_public_versions(pairings: list[halves.Pairing]) -> None:
    assert [(p.name, p.installs) for p in pairings] == [
        ("dml-0.13.1-1.24.4", True),
        ("dml-0.13.1-1.30.0", True),
        ("dml-0.18.0-1.24.4", False),
        ("dml-0.18.0-1.30.0", True),
    ]
    assert [(p.genai.asks, p.runtime.offers) for p in pairings] == [(23, 24), (23, 30)] * 2


def test_the_plan_runs_what_is_named_with_each_pair_against_one_reference(pairings: list[halves.Pairing]) -> None:
    names = [item.name for item in matrix.plan(["dml:fp16"], pairings)]
    assert names == [REFERENCE, "ort-cpu:dml-fp16", *(f"{p.name}:fp16" for p in pairings)]
    both = [item.name for item in matrix.plan(["dml"], pairings)]
    assert {f"{p.name}:{v}" for p in pairings for v in ("fp16", "int4")} < set(both)
    assert not [name for name in both if "nograph" in name]


def test_only_a_genai_that_does_not_know_the_tokenizers_class_is_told_an_older_one(
    pairings: list[halves.Pairing],
) -> None:
    told = {i.backend.name: i.variant.options.get("tokenizer_class") for i in matrix.plan(["dml:fp16"], pairings)}
    older = dict.fromkeys(("dml-0.13.1-1.24.4", "dml-0.13.1-1.30.0"), "PreTrainedTokenizerFast")
    newer = dict.fromkeys(("dml-0.18.0-1.24.4", "dml-0.18.0-1.30.0", "ort-cpu", "reference"))
    assert told == {**older, **newer}


def report(pairings: list[halves.Pairing], wrong: str) -> Report:
    results = tuple(
        Result(
            backend=p.name,
            variant=variant,
            called=f"called {p.name}",
            device="DirectML",
            verdict=Verdict.CRASHED if p.name == wrong and variant == "int4" else Verdict.PASS,
            reason="It asks\nfor API 24." if p.name == wrong else "",
            environment="a Wine",
        )
        for p in pairings
        for variant in ("fp16", "int4")
    )
    model = ModelInfo(name="tiny", label="", key="")
    return msgspec.structs.replace(empty_report(), results=results, model=model, passed=not wrong)


def test_the_table_says_what_runs_what_installs_and_why_not(pairings: list[halves.Pairing], tmp_path: Path) -> None:
    found = report(pairings, "dml-0.18.0-1.24.4")
    text = matrix.write_table(found, pairings, tmp_path / "table.md").read_text(encoding="utf-8")
    assert "| onnxruntime-genai-directml | ONNX Runtime 1.24.4 (offers API 24) | ONNX Runtime 1.30.0 (offers" in text
    assert "| 0.13.1 (asks for API 23) ‡ | PASS fp16, int4 | PASS fp16, int4 |" in text
    assert "‡ It does not know `tokenizer_class: TokenizersBackend`" in text
    assert "| 0.18.0 (asks for API 23) | PASS fp16; CRASHED int4 † | PASS fp16, int4 |" in text
    assert "- called dml-0.18.0-1.24.4, int4: CRASHED. It asks for API 24." in text
    assert "in a Wine" in text
    quiet = matrix.write_table(report(pairings, ""), pairings, tmp_path / "table.md").read_text(encoding="utf-8")
    assert "no PASS" not in quiet


@pytest.mark.parametrize(("wrong", "passed"), [("", True), ("dml-0.18.0-1.24.4", True), ("dml-0.13.1-1.24.4", False)])
def test_only_pairs_that_install_must_run(pairings: list[halves.Pairing], wrong: str, passed: bool) -> None:
    assert matrix.expected(report(pairings, wrong), pairings).passed == passed


@pytest.mark.skipif(sys.platform == "win32", reason="Wine's Python is Linux's way")
def test_what_cannot_be_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for names in ([], ["ort-cpu"], ["dml", "webgpu"]):
        with pytest.raises(UsageError, match="--pairs puts DirectML wheels together"):
            matrix.require_backend(names)
    monkeypatch.setattr(namespace, "obstacle", lambda: None)
    monkeypatch.setattr(environment, "is_set_up", lambda: False)
    with pytest.raises(UnsupportedError, match="invoke wine-setup"):
        matrix.require_backend(["dml"])
    monkeypatch.setattr(environment, "is_set_up", lambda: True)
    matrix.require_backend(["dml:fp16"])
    assert matrix.PairSource(wheels=()).status() == Readiness(ready=True, makeable=True)
    monkeypatch.setattr(matrix.sys, "platform", "win32")
    with pytest.raises(UnsupportedError, match="in Wine's Python only"):
        matrix.require_backend(["dml"])
    monkeypatch.setattr(halves, "wheels_dir", lambda: tmp_path)
    with pytest.raises(InputError, match=r"0\.18\.0.*is not in wheels/"):
        halves._made("published", "3.13")


def test_the_pins_are_for_the_runtimes_python() -> None:
    pins = recipe.pairs()
    python = recipe.load().python.minor.replace(".", "")
    assert all(f"-cp{python}-cp{python}-win_amd64" in wheel.filename for wheel in pins.wheels)
    assert [w.version for w in pins.wheels] == ["1.24.4", "0.11.4", "0.13.1", "0.14.1"]
    assert load(pins.made).published is not None
