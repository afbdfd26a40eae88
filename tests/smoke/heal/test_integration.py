"""Healing on a real model, and what real DirectML makes of norms."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from smoke.environments import pinned
from smoke.exports.making import export
from smoke.heal import healing, known_norms
from smoke.models.resolving import resolve
from wheelhouse import process
from wheelhouse.errors import ParityError
from wheelhouse.files import sha256_tree
from wheelhouse.paths import ROOT

SPEED = Path(healing.__file__).with_name("compare_speed.py")
REPRO = Path(healing.__file__).with_name("repro.py")


@pytest.mark.integration
def test_check_names_layer_12_of_smollm2(tmp_path: Path) -> None:
    folder = export(resolve("smollm2-135m"), "dml-fp16", stable_norms="never")
    before = sha256_tree(folder, skip=lambda path: path.name.startswith("."))
    answer = healing.check(folder)
    assert sha256_tree(folder, skip=lambda path: path.name.startswith(".")) == before
    assert answer.at_risk[0].name == "/model/layers.12/input_layernorm/SkipLayerNorm"
    assert answer.at_risk[0].worst_token == 0
    assert answer.at_risk[0].worst_mean_square == pytest.approx(1.35e6, rel=0.1)
    assert "layer 12" in known_norms.advice(folder)


@pytest.mark.integration
@pytest.mark.parametrize("kind", ["dml-fp16", "dml-int4"])
def test_a_healed_export_is_close_to_the_original_and_not_slower(kind: str) -> None:
    model = resolve("smollm2-135m")
    original, healed = (export(model, kind, stable_norms=mode) for mode in ("never", "auto"))
    found = known_norms.load(healed)
    assert found is not None
    assert found.rewritten
    assert found.cpu_difference is not None
    assert found.cpu_difference < 0.01
    assert (original / "model.onnx.data").samefile(healed / "model.onnx.data")
    again = healing.check(healed)
    assert again.at_risk == ()
    environment = pinned.prepare(pinned.ORT)
    command = environment.command(str(SPEED), str(original), str(healed), "9")
    printed = subprocess.run(
        command.argv, env=command.environment(), capture_output=True, check=True, text=True, encoding="utf-8"
    )
    assert json.loads(printed.stdout.splitlines()[-1])["ratio"] > 0.9, "0.97 is what `compare_speed.py` shows when idle"


@pytest.mark.integration
def test_a_model_without_large_rows_is_not_touched() -> None:
    model = resolve("tiny-phi3")
    original, treated = (export(model, "dml-fp16", stable_norms=mode) for mode in ("never", "auto"))
    found = known_norms.load(treated)
    assert found is not None
    assert not found.rewritten
    assert (original / "model.onnx").read_bytes() == (treated / "model.onnx").read_bytes()


@pytest.mark.wine
def test_norms_pass_fp16_on_directml_and_a_scale_cures_it(tmp_path: Path) -> None:
    from smoke.backends.dml import source

    environment = source().prepare([])
    target = tmp_path / "norms.json"
    command = environment.command(environment.host_path(REPRO), "--json", environment.host_path(target), timeout=600)
    process.run(command, log=tmp_path / "log")
    found = json.loads(target.read_text(encoding="utf-8"))
    assert "DmlExecutionProvider" in found["providers"]
    rows, errors = found["spikes"]["rows"], found["spikes"]["errors"]
    for row, plain, scaled, wide in zip(
        rows,
        errors["DirectML: RMSNorm"],
        errors["DirectML: RMSNorm, scaled by 1/16"],
        errors["DirectML: RMSNorm, fp32 weight"],
        strict=True,
    ):
        assert (plain > 1e-3) == (row > found["limit"])
        assert scaled < 1e-3
        assert wide < 1e-3
    even = dict(zip(found["sizes"]["rows"], found["sizes"]["errors"]["DirectML: 1/64"], strict=True))
    assert even[0.01] > 0.1, "a scale that is too large does harm"
    assert even[1.0] < 1e-3


def asked(model: str, mode: str, folder: Path) -> tuple[int, dict[str, dict[str, Any]]]:
    """Run `smoke` on DirectML with one short question; return the exit code, and DirectML's results by variant."""
    question = folder / "prompts.txt"
    question.write_text("What is the capital of France?\n", encoding="utf-8")
    arguments = ("--stable-norms", mode, "--prompts", str(question), "--max-new-tokens", "12")
    words = ("smoke", "--backend", "dml:fp16", "--model", model, *arguments, "--report", str(folder / "report"))
    done = subprocess.run(
        (sys.executable, "-m", "invoke", *words),
        cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=False,
    )  # fmt: skip
    report = json.loads((folder / "report" / "report.json").read_text(encoding="utf-8"))
    results = {result["variant"]: result for result in report["results"] if result["backend"] == "dml"}
    assert results["fp16"]["device"] == "DirectML", done.stderr
    return done.returncode, results


@pytest.mark.wine
def test_a_real_model_is_right_on_directml_as_it_is_exported(tmp_path: Path) -> None:
    """SmolLM2's layer 12 is healed. One short answer: a software GPU takes seconds for each token of a real model."""
    code, results = asked("smollm2-135m", "auto", tmp_path)
    assert results["fp16"]["verdict"] == "PASS", results["fp16"]["reason"]
    assert results["fp16"]["text"] == ["The capital of France is Paris."]
    assert code == 0


@pytest.fixture(scope="module")
def loud(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with a channel of its embeddings so large that a norm's mean square passes fp16's maximum."""
    import numpy as np
    from safetensors.numpy import load_file, save_file

    folder = tmp_path_factory.mktemp("models") / "loud"
    shutil.copytree(resolve("tiny-phi3").folder, folder)
    file = folder / "model.safetensors"
    tensors = load_file(file)
    embeddings = np.array(tensors["model.embed_tokens.weight"])
    embeddings[:, 5] = 2500
    save_file({**tensors, "model.embed_tokens.weight": embeddings}, file, metadata={"format": "pt"})
    return folder


@pytest.mark.wine
@pytest.mark.parametrize("mode", ["auto", "never"])
def test_a_norm_that_overflows_is_wrong_on_directml_until_it_is_healed(mode: str, loud: Path, tmp_path: Path) -> None:
    code, results = asked(str(loud), mode, tmp_path)
    if mode == "auto":
        assert results["fp16"]["verdict"] == "PASS", results["fp16"]["reason"]
        assert code == 0
        return
    assert results["fp16"]["verdict"] == "DIVERGED", results["fp16"]["reason"]
    assert "invoke heal" in results["fp16"]["remedy"]
    assert "layer 0" in results["fp16"]["remedy"]
    assert results["fp16-nograph"]["verdict"] == "DIVERGED", "it is the norm, not captured graphs"
    assert code == ParityError.exit_code
