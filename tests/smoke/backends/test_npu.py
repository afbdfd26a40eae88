"""NPUs: which there are, how a model is cut for them, and that none is claimed where there is none."""

import json
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smoke.backends import npu
from smoke.backends.registry import BACKENDS, WORKER
from smoke.environments import pinned
from smoke.exports import making
from smoke.models import resolving
from smoke.parity.verdicts import Verdict

sys.path.insert(0, str(WORKER))
import engine_npu
import engine_npu_legacy
import worker_openvino


@pytest.mark.skipif(sys.platform == "win32", reason="names with colons, as Linux has them in /sys")
def test_linux_npus_are_the_links_in_the_drivers_folder(tmp_path):
    assert npu.linux(tmp_path / "absent") == ()
    (tmp_path / "0000:00:0b.0").mkdir()
    (tmp_path / "bind").touch()
    (tmp_path / "module").mkdir()
    assert npu.linux(tmp_path) == (npu.Npu(name="Intel NPU at PCI 0000:00:0b.0"),)
    (tmp_path / "module" / "version").write_text("1.2\n", encoding="utf-8")
    assert npu.linux(tmp_path)[0].driver == "1.2"


def test_what_needs_an_npu_is_run_unasked_only_where_there_is_one(monkeypatch):
    monkeypatch.setattr(npu, "devices", lambda: ())
    assert "no NPU" in npu.why_not_unasked()
    assert "no NPU" in npu.why_not_legacy()
    monkeypatch.setattr(npu, "devices", lambda: (npu.Npu(name="one"),))
    assert npu.why_not_unasked() == npu.why_not_legacy() == ""


def test_an_absent_device_is_never_reported_whatever_the_plugin_says(monkeypatch):
    monkeypatch.setattr(worker_openvino, "devices", lambda: {"CPU": "a processor", "GPU.0": "a card"})
    assert worker_openvino.describe(["GPU.0"], "x")["name"] == "GPU.0"
    told = worker_openvino.describe(["NPU"], "EXECUTION_DEVICES")
    assert told["name"] != "NPU"
    assert "not on this machine" in told["evidence"]


def test_every_variant_that_asks_for_an_npu_checks_for_one_or_says_that_it_is_not_one():
    for backend in BACKENDS:
        for variant in backend.variants:
            if variant.device == "NPU" and variant.options.get("on", "NPU") != "NPU":
                assert variant.announced
                assert variant.name.endswith("-cpu")
            else:
                assert not variant.announced


JOB = st.fixed_dictionaries(
    {
        "prompts": st.lists(
            st.fixed_dictionaries(
                {
                    "ids": st.lists(st.just(1), min_size=1, max_size=300),
                    "continuation": st.lists(st.just(1), max_size=99),
                }
            ),
            min_size=1,
            max_size=4,
        ),
        "max_new_tokens": st.integers(1, 300),
        "text_ids": st.lists(st.just(1), max_size=700),
    }
)


@given(JOB)
def test_static_lengths_hold_everything_that_is_asked(job):
    prompt, response = engine_npu.lengths(job)
    assert prompt % engine_npu.STEP == response % engine_npu.STEP == 0
    assert prompt >= max(len(p["ids"]) for p in job["prompts"]) > prompt - engine_npu.STEP
    assert prompt + response >= len(job["text_ids"])
    assert all(prompt + response >= len(p["ids"]) + job["max_new_tokens"] for p in job["prompts"])
    assert all(prompt + response >= len(p["ids"]) + len(p["continuation"]) for p in job["prompts"])


def test_only_on_the_cpu_a_platform_is_assumed():
    assert "NPU_PLATFORM" not in engine_npu.properties(64, 64, "NPU")
    assert engine_npu.properties(64, 128, "CPU")["NPUW_DEVICES"] == "CPU"
    assert engine_npu.properties(64, 128, "CPU")["NPUW_LLM_MIN_RESPONSE_LEN"] == "128"


def test_rotary_settings_are_restored_for_transformers_4():
    assert engine_npu_legacy.rope({"rope_theta": 5.0}) == {}
    plain = {"rope_parameters": {"rope_theta": 100000.0, "rope_type": "default"}}
    assert engine_npu_legacy.rope(plain) == {"rope_theta": 100000.0, "rope_scaling": None}
    long = {"rope_theta": 1e4, "rope_type": "longrope", "short_factor": [1.0], "long_factor": [2.0]}
    restored = engine_npu_legacy.rope({"rope_parameters": {**long, "original_max_position_embeddings": 4096}})
    assert restored == {
        "rope_theta": 1e4,
        "original_max_position_embeddings": 4096,
        "rope_scaling": {"type": "longrope", "rope_type": "longrope", "short_factor": [1.0], "long_factor": [2.0]},
    }


def test_another_dtype_is_refused(tmp_path):
    with pytest.raises(ValueError, match="fp16, int8, int4"):
        engine_npu_legacy.load({"model": str(tmp_path), "output": str(tmp_path), "options": {"dtype": "int2"}})


PIPELINE = {"NPU_USE_NPUW": "YES", "NPUW_LLM": "YES", "NPUW_LLM_BATCH_DIM": "0", "NPUW_LLM_SEQ_LEN_DIM": "2",
            "NPUW_LLM_MAX_PROMPT_LEN": "64", "NPUW_LLM_MIN_RESPONSE_LEN": "64",
            "NPUW_DEVICES": "CPU", "NPU_PLATFORM": "4000"}  # fmt: skip

TRIES = [
    ("engine_npu.py", {"route": "optimum"}),
    ("engine_npu.py", {"route": "optimum", "config": PIPELINE}),
    ("engine_npu.py", {"route": "genai", "config": {"NPUW_DEVICES": "CPU", "NPU_PLATFORM": "4000"}}),
    ("engine_npu.py", {"route": "optimum", "on": "CPU"}),
    ("engine_npu.py", {"route": "genai", "on": "CPU", "config": {"NPUW_DEVICES": "CPU", "NPU_PLATFORM": "4000"}}),
    ("engine_openvino.py", {"config": PIPELINE}),
    ("engine_openvino_genai.py", {"config": {"NPUW_DEVICES": "CPU", "NPU_PLATFORM": "4000"}}),
]


@pytest.mark.integration
@pytest.mark.skipif(bool(npu.devices()), reason="this machine has an NPU")
@pytest.mark.parametrize(("engine", "options"), TRIES)
def test_a_machine_without_an_npu_never_reports_one(engine, options, tmp_path):
    folder = making.export(resolving.resolve("tiny-phi3"), "openvino-fp16")
    python = pinned.prepare(pinned.MAIN)
    prompt = {"text": "A", "ids": [70, 71], "continuation": [72, 73], "probes": [0]}
    job = {
        "engine": str(WORKER / engine), "model": str(folder), "device": "NPU", "options": options, "text": "A",
        "output": str(tmp_path), "prompts": [prompt], "text_ids": [70, 71, 72], "max_new_tokens": 4, "decode_steps": 1,
    }  # fmt: skip
    (tmp_path / "job.json").write_text(json.dumps(job), encoding="utf-8")
    command = python.command(str(WORKER / "main.py"), str(tmp_path / "job.json"))
    subprocess.run(command.argv, env=command.environment() | {"PATH": os.environ["PATH"]}, check=False, timeout=600)
    dump = json.loads((tmp_path / "dump.json").read_text(encoding="utf-8"))
    assert dump["status"] in {"ok", "unavailable"}
    assert dump.get("device", {}).get("name", "") != "NPU"
    if dump["status"] == "unavailable":
        assert "finds no NPU" in dump["reason"]


@pytest.mark.integration
@pytest.mark.skipif(bool(npu.devices()), reason="this machine has an NPU")
def test_the_npu_backends_on_a_machine_without_one(tmp_path):
    from smoke.backends import selection
    from smoke.running import run

    plan = selection.select(["npu", "npu-legacy"], everything=False)
    report = run.smoke(
        run.Request(
            plan=plan, model="tiny-phi3", prompts=["What is 2 + 2?"], max_new_tokens=32, report=tmp_path, timeout=900
        )
    )
    found = {f"{r.backend}:{r.variant}": r for r in report.results}
    assert found["npu:fp16"].verdict is Verdict.SKIPPED
    assert "Could not find an NPU device" in found["npu:fp16"].reason
    pipeline = found["npu:npuw-cpu"]
    assert (pipeline.verdict, pipeline.device, pipeline.is_fault) == (Verdict.FELL_BACK, "CPU", False)
    assert pipeline.metrics.logits is not None
    for dtype in ("fp16", "int8", "int4"):
        legacy = found[f"npu-legacy:{dtype}"]
        assert (legacy.verdict, legacy.device) == (Verdict.FELL_BACK, "CPU"), legacy.reason
        assert legacy.metrics.logits is not None
        assert legacy.is_fault
    assert found["npu-legacy:fp16"].metrics.prefix == found["npu-legacy:fp16"].metrics.golden_tokens
