"""The worker's own modules, which import each other by bare names, as in a foreign environment."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from smoke.backends.registry import WORKER
from tests.smoke import fakes

sys.path.insert(0, str(WORKER))

import engine_openvino_genai
import worker_dump
import worker_engine
import worker_host
import worker_openvino


def test_rows_are_collected_across_blocks_and_copied():
    reused = np.zeros((1, 3), dtype="f8")

    def blocks():
        yield np.arange(12.0).reshape(4, 3)
        for value in (7, 8):
            reused[:] = value
            yield reused

    rows = worker_dump.collect_rows(blocks(), 3)
    assert rows.dtype == np.float32
    assert rows.tolist() == [[9, 10, 11], [7, 7, 7], [8, 8, 8]]


def test_likelihood_of_a_known_distribution():
    rows = np.log(np.array([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]])) + 300
    found = worker_dump.negative_log_likelihood(rows.astype("f4"), [0, 2])
    assert found == pytest.approx(-(np.log(0.5) + np.log(0.8)) / 2, rel=1e-4)
    assert worker_dump.finite(float("nan")) is None
    assert worker_dump.finite(1.5) == 1.5


def test_the_origin_of_a_folder(tmp_path):
    assert worker_dump.origin(str(tmp_path)) == {}
    (tmp_path / "export.json").write_text("[1, 2", encoding="utf-8")
    assert worker_dump.origin(str(tmp_path)) == {}
    (tmp_path / "export.json").write_text("[]", encoding="utf-8")
    assert worker_dump.origin(str(tmp_path)) == {}
    fakes.export(tmp_path, "cpu-int4")
    assert worker_dump.origin(str(tmp_path)) == {"kind": "cpu-int4", "model_key": fakes.KEY}


def test_peak_memory_is_of_this_process():
    before = worker_host.peak_memory()
    block = np.ones(40_000_000, dtype="u1")
    assert block.sum() == 40_000_000
    assert 10_000_000 < before <= worker_host.peak_memory() < 10_000_000_000


def test_loaded_libraries_are_named_with_hash():
    found = worker_host.loaded_libraries(["_multiarray_umath"])
    assert len(found) == 1
    assert Path(found[0]["path"]).stat().st_size == found[0]["size"]
    assert len(found[0]["sha256"]) == 64
    assert worker_host.loaded_libraries(["no such library"]) == []


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"genai_config\.json is missing"):
        worker_engine.require_file(str(tmp_path), "genai_config.json")


def test_the_settings_of_the_language_model_not_of_the_tokenizer():
    log = """Model: Tokenizer
  EXECUTION_DEVICES: CPU
  INFERENCE_PRECISION_HINT: f32
Model: LLM with Paged Attention
  EXECUTION_DEVICES: GPU.0
  INFERENCE_PRECISION_HINT: f16
EXECUTION_DEVICES:
 GPU.0: some GPU
"""
    assert engine_openvino_genai.compiled_settings(log) == {
        "EXECUTION_DEVICES": "GPU.0",
        "INFERENCE_PRECISION_HINT": "f16",
    }
    assert engine_openvino_genai.compiled_settings("nothing") == {}


def test_output_of_c_code_is_captured_and_still_printed(capfd):
    import os

    with engine_openvino_genai.captured_output() as output:
        os.write(1, b"from below\n")
    assert output == ["from below\n"]
    assert "from below" in capfd.readouterr().out


class FakeCore:
    """OpenVINO's Core on a machine with one GPU."""

    available_devices = ("CPU", "GPU.0")

    def __init__(self, precision):
        self.precision = precision

    def get_property(self, device, name):
        return f"full name of {device}" if name == "FULL_DEVICE_NAME" else self.precision


@pytest.mark.parametrize(
    ("device", "precision", "config", "expected"),
    [
        ("CPU", "bf16", {}, "f32"),
        ("CPU", "f32", {}, None),
        ("CPU", "bf16", {"INFERENCE_PRECISION_HINT": "bf16"}, "bf16"),
        ("GPU", "f16", {}, None),
    ],
)
def test_bfloat16_is_replaced_only_where_it_is_the_cpus_default(monkeypatch, device, precision, config, expected):
    monkeypatch.setattr(worker_openvino, "core", lambda: FakeCore(precision))
    notes = worker_openvino.exact(device, config)
    assert config.get("INFERENCE_PRECISION_HINT") == expected
    assert bool(notes) is (expected == "f32")


def test_a_device_that_openvino_does_not_find_is_unavailable(monkeypatch):
    monkeypatch.setattr(worker_openvino, "core", lambda: FakeCore("f16"))
    worker_openvino.require_device("GPU")
    worker_openvino.require_device("GPU.0")
    for absent in ("NPU", "GPU.1", "AUTO", "AUTO:NPU,CPU"):
        with pytest.raises(worker_engine.UnavailableError) as caught:
            worker_openvino.require_device(absent)
        assert "CPU, GPU.0" in caught.value.reason
        assert caught.value.remedy


def test_the_worker_imports_nothing_of_ours(tmp_path):
    """Started from another folder, isolated from the environment, it knows neither `smoke` nor `wheelhouse`."""
    spy = tmp_path / "engine_spy.py"
    spy.write_text(
        "import sys\nimport worker_engine\nVERSIONS = LIBRARIES = ()\n"
        "def load(job):\n"
        "    ours = sorted(m for m in sys.modules if m.split('.')[0] in ('smoke', 'wheelhouse', 'recipes'))\n"
        "    raise worker_engine.UnavailableError(f'ours: {ours}')\n",
        encoding="utf-8",
    )
    job = {"engine": str(spy), "model": str(tmp_path), "output": str(tmp_path), "prompts": []}
    (tmp_path / "job.json").write_text(json.dumps(job), encoding="utf-8")
    done = subprocess.run([sys.executable, WORKER / "main.py", tmp_path / "job.json"], cwd=tmp_path, check=False)
    assert done.returncode == 0
    assert json.loads((tmp_path / "dump.json").read_text(encoding="utf-8"))["reason"] == "ours: []"


@pytest.mark.parametrize("file", sorted(WORKER.glob("*.py")), ids=lambda file: file.name)
def test_every_file_of_the_worker_is_python_3_9(file):
    import ast

    ast.parse(file.read_text(encoding="utf-8"), feature_version=(3, 9))


def test_a_slow_worker_tells_its_tokens_now_and_then(monkeypatch, capsys):
    now = iter([0.0, 1.0, 2.5, 3.0, 4.6])
    monkeypatch.setattr("time.perf_counter", lambda: next(now))
    counter = worker_engine.Counter("generate prompt 1 of 4", 64)
    for token in range(4):
        counter(token)
    said = capsys.readouterr().out.splitlines()
    assert said == [f"@progress generate prompt 1 of 4, {count} of 64 tokens" for count in (2, 4)]


def test_a_graph_for_another_provider_is_a_reason_to_skip_and_anything_else_a_failure():
    words = (
        "Non-zero status code returned while running GroupQueryAttention node. Status Message: GroupQueryAttention "
        "(CPU): q_norm_weight inputs are not supported. It is implemented only on the CUDA and WebGPU EPs."
    )
    absent = worker_engine.absent(RuntimeError(words))
    assert absent.reason.endswith(words.partition("Message: ")[2])
    assert "another execution provider" in absent.reason
    assert worker_engine.absent(RuntimeError("Non-zero status code returned while running Add node.")) is None
    assert worker_engine.absent(absent) is absent


def test_logits_that_are_no_numbers_are_a_choice_without_probability(monkeypatch):
    class Result:
        tokens = ((7,),)

    def generated(_self, _ids, _limit, _on_token, **wish):
        if wish:
            raise RuntimeError(said.pop())
        return Result()

    said = ["no memory", "Check '!std::isnan(logits.m_full_vocab_log_sum_exp)' failed"]
    engine = object.__new__(engine_openvino_genai.OpenvinoGenaiEngine)
    monkeypatch.setattr(type(engine), "_generated", generated)
    assert engine.next_choice([1]) == (7, engine_openvino_genai.LEAST)
    with pytest.raises(RuntimeError, match="no memory"):
        engine.next_choice([1])
