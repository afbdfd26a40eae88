"""The real plug-in on SwiftShader, with something taken away or wrong: never a PASS, always the remedy."""

import dataclasses
import json
from pathlib import Path

import pytest

from smoke.backends import selection, webgpu
from smoke.backends.registry import BACKENDS
from smoke.parity.verdicts import Verdict
from smoke.running import run
from smoke.running.smoke_request import Request
from wheelhouse.errors import InputError, UnsupportedError

pytestmark = pytest.mark.integration

FAULTS = Path(__file__).parents[1] / "webgpu_fault_engine.py"


@pytest.fixture
def software(monkeypatch):
    monkeypatch.setenv(webgpu.VARIABLE, "software")
    try:
        return webgpu.choose()
    except (InputError, UnsupportedError) as error:
        pytest.skip(f"{error.message} {error.remedy}")


@pytest.fixture
def result_of(tmp_path, software):
    """Run one variant on tiny-phi3 and return its result; `fault`: see webgpu_fault_engine.py."""

    def call(variant, fault=""):
        known = [_faulty(b, fault) if fault and b.name == "webgpu" else b for b in BACKENDS]
        request = Request(
            plan=selection.select([f"webgpu:{variant}"], everything=False, known=known),
            model="tiny-phi3", prompts=("What is the capital of France?",), max_new_tokens=8, report=tmp_path,
            timeout=600.0,
        )  # fmt: skip
        return run.smoke(request).results[-1]

    return call


def _faulty(backend, fault):
    changed = [dataclasses.replace(v, options={**v.options, "fault": fault}) for v in backend.variants]
    return dataclasses.replace(backend, engine=FAULTS, variants=tuple(changed))


def test_as_it_is_it_passes_and_names_the_software(result_of):
    result = result_of("fp32")
    assert result.verdict is Verdict.PASS
    assert result.device == "WebGPU"
    assert "SwiftShader" in result.device_details.description
    assert "software" in result.device_details.description
    assert "SwiftShader" in result.reason


def test_a_captured_graph_passes_where_it_is_named(result_of):
    result = result_of("int4-graph")
    assert result.verdict is Verdict.PASS
    assert "WebGPU" in result.device


def test_a_driver_that_cannot_be_loaded_is_skipped_with_the_packages(result_of, monkeypatch, tmp_path):
    manifest = tmp_path / "gone.json"
    driver = {"library_path": str(tmp_path / "gone.so"), "api_version": "1.1.0"}
    manifest.write_text(json.dumps({"file_format_version": "1.0.0", "ICD": driver}), encoding="utf-8")
    monkeypatch.setenv(webgpu.VARIABLE, str(manifest))
    result = result_of("fp32")
    assert result.verdict is Verdict.SKIPPED
    assert "finds no adapter" in result.reason
    assert "apt-get install" in result.remedy


def test_an_adapter_without_f16_is_skipped_by_name(result_of):
    result = result_of("fp16")
    assert result.verdict is Verdict.SKIPPED
    assert "SwiftShader" in result.reason
    assert "f16" in result.reason
    assert "fp32 and int4" in result.remedy


def test_a_plugin_that_does_not_fit_is_skipped_with_its_versions(result_of):
    result = result_of("fp32", "no plug-in")
    assert result.verdict is Verdict.SKIPPED
    assert "does not take this WebGPU plug-in (onnxruntime-ep-webgpu 0.4.0" in result.reason
    assert "fit together" in result.remedy


def test_a_retry_on_the_cpu_is_no_pass(result_of):
    result = result_of("fp32", "retried on the CPU")
    assert result.verdict is Verdict.FELL_BACK
    assert "asked for WebGPU, but the runtime reports CPU" in result.reason
    assert "driver" in result.remedy
