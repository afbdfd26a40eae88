"""WebGPU's plug-in in one Windows environment with the DirectML pair: `pytest -m wine` after `invoke wine-setup`."""

import json

import pytest

from smoke.backends import webgpu_wine
from smoke.backends.registry import WORKER
from smoke.exports.making import export_all
from smoke.models.resolving import resolve
from smoke.running.jobs import MAIN
from smoke.wine import commands, environment, namespace, recipe, setup
from wheelhouse.process import run

pytestmark = [pytest.mark.wine, pytest.mark.network]

CODE = """
import json, sys
import onnxruntime_ep_webgpu as plugin

def answer(og, folder):
    try:
        model = og.Model(folder)
    except Exception as error:
        return "error: " + " ".join(str(error).split())
    tokens, search = og.Tokenizer(model), og.GeneratorParams(model)
    search.set_search_options(max_length=16, do_sample=False)
    generator = og.Generator(model, search)
    generator.append_tokens(tokens.encode("What is"))
    while not generator.is_done():
        generator.generate_next_token()
    return [model.device_type, [int(token) for token in generator.get_sequence(0)]]

def genai(dml, webgpu):
    import onnxruntime_genai as og
    before = [answer(og, folder) for folder in (dml, webgpu)]
    og.register_execution_provider_library("WebGPU", plugin.get_library_path())
    return before + [answer(og, folder) for folder in (dml, webgpu)]

def devices():
    import onnxruntime as ort
    ort.register_execution_provider_library("WebGPU", plugin.get_library_path())
    return [[d.ep_name, d.device.metadata.get("Description", "")] for d in ort.get_ep_devices()]

print("@found " + json.dumps(genai(*sys.argv[2:]) if sys.argv[1] == "genai" else devices()), flush=True)
"""


@pytest.fixture(scope="module")
def both():
    """Wine's Python with the pair and the plug-in for Windows."""
    problem = namespace.obstacle()
    if problem is not None or not setup.finished(recipe.load()):
        pytest.skip(f"needs the Wine runtime: {problem or environment.SETUP}")
    return webgpu_wine.WineWebGpuSource().prepare(commands.pair())


def found(both, tmp_path, *arguments):
    lines = []
    command = both.command("-c", CODE, *arguments, timeout=400)
    run(command, log=tmp_path / "found.log", on_line=lines.append)
    return json.loads(next(line for line in lines if line.startswith("@found "))[7:])


def test_both_providers_are_listed_on_one_adapter(both, tmp_path):
    listed = dict(found(both, tmp_path, "devices"))
    assert {"CPUExecutionProvider", "DmlExecutionProvider", "WebGpuExecutionProvider"} <= set(listed)
    assert listed["DmlExecutionProvider"] == listed["WebGpuExecutionProvider"]


def test_the_folder_chooses_its_provider_and_none_goes_to_the_cpu(both, tmp_path):
    exports = export_all(resolve("tiny-phi3"), ("dml-fp16", "webgpu-int4"))
    folders = [both.host_path(exports[kind]) for kind in ("dml-fp16", "webgpu-int4")]
    dml_before, webgpu_before, dml, webgpu = found(both, tmp_path, "genai", *folders)
    assert dml_before[0] == "DirectML"
    assert dml == dml_before, "registering the plug-in changes nothing for DirectML"
    assert "WebGPU execution provider is not supported in this build" in webgpu_before
    # Over Direct3D 12 Wine gives Dawn no device (docs/webgpu.md); what matters is that nobody takes the CPU instead.
    assert "Failed to get a WebGPU device" in webgpu


def test_it_computes_over_vulkan_and_names_the_software(both, tmp_path):
    export = export_all(resolve("tiny-phi3"), ("webgpu-fp16",))["webgpu-fp16"]
    prompt = {"text": "What is the capital of France?", "continuation": [1, 2]}
    job = {
        "engine": both.host_path(WORKER / "engine_ort_genai_webgpu.py"), "model": both.host_path(export), "text": "a b",
        "options": {"f16": True, "provider_options": {"dawnBackendType": "Vulkan"}}, "output": both.host_path(tmp_path),
        "prompts": [prompt], "max_new_tokens": 2, "decode_steps": 1, "device": "WebGPU",
    }  # fmt: skip
    (tmp_path / "job.json").write_text(json.dumps(job), encoding="utf-8")
    names = (both.host_path(MAIN), both.host_path(tmp_path / "job.json"))
    run(both.command(*names, timeout=500), log=tmp_path / "log")
    dump = json.loads((tmp_path / "dump.json").read_text(encoding="utf-8"))
    assert dump["status"] == "ok"
    assert dump["device"]["name"] == "WebGPU"
    assert dump["device"]["description"].startswith("llvmpipe")
    assert "software" in dump["device"]["description"]
    assert "Model.device_type is 'WebGPU'" in dump["device"]["evidence"]
