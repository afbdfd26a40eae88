"""What the WebGPU engine says of its adapter, and of an adapter, a driver or a plug-in that is not what it needs."""

import os
import sys

import pytest

from smoke.backends.registry import WORKER

sys.path.insert(0, str(WORKER))

import engine_ort_genai_webgpu
import worker_vulkan
import worker_webgpu
from worker_engine import UnavailableError

SWIFTSHADER = {
    "name": "SwiftShader Device (Subzero)", "kind": "CPU", "vulkan": "1.3.0", "driver": "SwiftShader driver",
    "f16": False, "subgroup size": 4,
}  # fmt: skip
GPU = SWIFTSHADER | {"name": "A GPU", "kind": "discrete GPU", "f16": True, "subgroup size": 8}


@pytest.fixture
def adapter(tmp_path, monkeypatch):
    monkeypatch.setenv(worker_webgpu.LOADER, str(tmp_path / "no loader"))
    for name in ("ORT_WEBGPU_EP_SHADER_DUMP_FILE", "VK_LOADER_DEBUG"):
        monkeypatch.setenv(name, "")
    return worker_webgpu.Adapter(tmp_path)


def take(adapter, monkeypatch, *devices, says=None):
    monkeypatch.setattr(worker_vulkan, "devices", lambda _: list(devices))
    with adapter.watched():
        for device in devices[:1] if says is None else says:
            os.write(2, f'[Vulkan Loader] DRIVER:   Using "{device["name"]}" with driver: "/x/lib.so"\n'.encode())
        os.write(2, b"an error of somebody else\n")


@pytest.mark.skipif(sys.platform == "win32", reason="Vulkan's loader is asked on Linux")
def test_the_adapter_is_the_one_that_was_created_not_the_first(adapter, monkeypatch, capfd):
    take(adapter, monkeypatch, SWIFTSHADER, GPU, says=[GPU])
    assert adapter.device()["description"].startswith("A GPU (discrete GPU), Vulkan 1.3.0")
    assert "f16, subgroups of 8" in adapter.device()["description"]
    assert "/x/lib.so" in adapter.device()["evidence"]
    assert not adapter.is_software()
    assert adapter.at_once == 0
    adapter.require_f16()
    said = capfd.readouterr().err
    assert "an error of somebody else" in said
    assert "Vulkan Loader" not in said


@pytest.mark.skipif(sys.platform == "win32", reason="Vulkan's loader is asked on Linux")
def test_software_is_called_software_and_takes_prompts_in_pieces(adapter, monkeypatch):
    take(adapter, monkeypatch, SWIFTSHADER)
    assert "software: operators, not drivers or speed" in adapter.device()["description"]
    assert adapter.at_once == 31
    engine = object.__new__(engine_ort_genai_webgpu.WebGpuEngine)
    engine._adapter = adapter
    assert [len(piece) for piece in engine._pieces(list(range(70)))] == [31, 31, 8]
    assert "pieces of 31 tokens" in engine.notes()[1]
    with pytest.raises(UnavailableError, match=r"SwiftShader Device \(Subzero\) has no f16"):
        adapter.require_f16()


@pytest.mark.skipif(sys.platform == "win32", reason="Vulkan's loader is asked on Linux")
def test_a_device_that_nobody_created_is_not_claimed(adapter, monkeypatch):
    take(adapter, monkeypatch, GPU, says=[])
    assert adapter.facts() == {}
    assert "A GPU" not in adapter.device()["description"]


def test_features_are_those_of_the_shaders(adapter, tmp_path):
    assert adapter.features() == []
    (tmp_path / "shaders.txt").write_text(
        "enable f16;\nenable subgroups;\nfn main() {}\nenable subgroups;\n", encoding="utf-8"
    )
    assert adapter.features() == ["f16", "subgroups"]


@pytest.mark.parametrize(
    ("said", "words", "remedy"),
    [
        ("x Failed to get a WebGPU adapter: No supported adapters", "finds no adapter", "apt-get install"),
        ("WebGPU execution provider is not supported in this build.", "finds no adapter", "apt-get install"),
        ("Program Add requires f16 but the device does not support it.", "has no f16", "fp32 and int4"),
    ],
)
def test_what_the_machine_lacks_is_a_reason_to_skip(adapter, said, words, remedy):
    found = worker_webgpu.explained(RuntimeError(said), adapter)
    assert isinstance(found, UnavailableError)
    assert words in found.reason
    assert remedy in found.remedy


def test_another_error_stays_one(adapter):
    error = RuntimeError("WebGPU device lost")
    assert worker_webgpu.explained(error, adapter) is error


def test_a_plugin_that_the_runtime_refuses_is_named_with_versions(monkeypatch):
    def refuse(_name, _path):
        raise RuntimeError("API version 27 is not supported")

    monkeypatch.setattr(worker_webgpu, "library", lambda: "/x/plugin.so")
    monkeypatch.setattr(worker_webgpu.worker_engine, "versions", lambda *_: {"onnxruntime-ep-webgpu": "9.9"})
    with pytest.raises(UnavailableError, match=r"onnxruntime-ep-webgpu 9\.9.*API version 27") as found:
        worker_webgpu.register(refuse)
    assert "fit together" in found.value.remedy


def test_an_absent_plugin_says_how_to_install_it():
    with pytest.raises(UnavailableError, match="not installed") as found:
        worker_webgpu.library()
    assert found.value.remedy == "pip install onnxruntime-ep-webgpu"


@pytest.mark.parametrize(
    ("devices", "named"), [([SWIFTSHADER], "SwiftShader Device"), ([SWIFTSHADER, GPU], ""), ([], "")]
)
def test_in_wine_the_only_vulkan_device_is_the_one_that_was_taken(adapter, monkeypatch, devices, named):
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(worker_webgpu, "in_wine", lambda: True)
    monkeypatch.setattr(worker_vulkan, "devices", lambda loader: devices if loader == "vulkan-1.dll" else [])
    with adapter.watched():
        pass
    assert adapter.device()["description"].startswith(named)
    assert bool(adapter.device()["description"]) == bool(named)
    assert adapter.is_software() == bool(named)
