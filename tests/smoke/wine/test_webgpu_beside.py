"""WebGPU's plug-in in one Windows environment with the DirectML pair: `pytest -m wine` after `invoke wine-setup`."""

import json
import subprocess
import sys

import pytest

from smoke.environments import environment_recipes
from smoke.exports.making import export_all
from smoke.models.resolving import resolve
from smoke.wine import commands, environment, namespace, recipe, setup
from wheelhouse.process import run

pytestmark = [pytest.mark.wine, pytest.mark.network]

PLUGIN = "onnxruntime-ep-webgpu"
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
def both(tmp_path_factory):
    """Wine's Python with the pair and the plug-in for Windows."""
    problem = namespace.obstacle()
    if problem is not None or not setup.finished(recipe.load()):
        pytest.skip(f"needs the Wine runtime: {problem or environment.SETUP}")
    pin = next(pin for pin in environment_recipes.environment("webgpu").packages if pin.startswith(PLUGIN))
    folder = tmp_path_factory.mktemp("plug-in")
    options = ("--no-deps", "--only-binary=:all:", "--platform", "win_amd64", "--dest", str(folder))
    subprocess.run((sys.executable, "-m", "pip", "download", "--quiet", *options, pin), check=True)
    (plugin,) = folder.glob("*.whl")
    return environment.prepare((*commands.pair(), plugin))


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
    # Wine's Direct3D gives Dawn no device (docs/webgpu.md); what matters is that nobody takes the CPU instead.
    assert webgpu.startswith("error: ") or webgpu[0] == "WebGPU"
