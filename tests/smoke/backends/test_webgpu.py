"""WebGPU is given a GPU where there is one, else SwiftShader, else it is skipped with what to install."""

import sys
from pathlib import Path

import pytest

from smoke.backends import webgpu
from smoke.environments.source import Environment, Readiness
from wheelhouse.errors import InputError, UnsupportedError

MANIFEST = "usr/lib/chromium/vk_swiftshader_icd.json"


@pytest.fixture
def root(monkeypatch, tmp_path):
    monkeypatch.delenv(webgpu.VARIABLE, raising=False)
    monkeypatch.setattr(webgpu.ctypes.util, "find_library", lambda _: None)
    return tmp_path


def put(root, name):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def gpu(root):
    put(root, "usr/share/vulkan/icd.d/intel_icd.x86_64.json")
    put(root, "dev/dri/renderD128")


def test_without_any_vulkan_device_the_remedy_names_the_packages(root):
    with pytest.raises(UnsupportedError, match="this machine has none") as found:
        webgpu.choose(root)
    assert "apt-get install libvulkan1 chromium" in found.value.remedy


def test_chromium_brings_a_device_and_a_loader(root):
    manifest = put(root, MANIFEST)
    assert webgpu.LOADER not in webgpu.choose(root).variables
    loader = put(root, "usr/lib/chromium/libvulkan.so.1")
    chosen = webgpu.choose(root)
    assert chosen.software
    assert chosen.variables["VK_DRIVER_FILES"] == str(manifest)
    assert chosen.variables[webgpu.LOADER] == str(loader)


def test_the_systems_own_loader_comes_first(root, monkeypatch):
    put(root, MANIFEST)
    put(root, "usr/lib/chromium/libvulkan.so.1")
    monkeypatch.setattr(webgpu.ctypes.util, "find_library", lambda _: "libvulkan.so.1")
    assert webgpu.LOADER not in webgpu.choose(root).variables


def test_a_gpu_comes_before_software_unless_that_is_asked_for(root, monkeypatch):
    put(root, MANIFEST)
    gpu(root)
    assert not webgpu.choose(root).software
    assert "VK_DRIVER_FILES" not in webgpu.choose(root).variables
    monkeypatch.setenv(webgpu.VARIABLE, "software")
    assert webgpu.choose(root).software


@pytest.mark.parametrize(
    "files",
    [
        ("usr/share/vulkan/icd.d/lvp_icd.x86_64.json", "dev/dri/renderD128"),
        ("usr/share/vulkan/icd.d/intel_icd.x86_64.json",),
        ("dev/dri/renderD128",),
    ],
)
def test_neither_a_driver_nor_a_node_alone_is_a_gpu(root, monkeypatch, files):
    for name in files:
        put(root, name)
    monkeypatch.setenv(webgpu.VARIABLE, "gpu")
    with pytest.raises(UnsupportedError, match="no GPU with a Vulkan driver"):
        webgpu.choose(root)


def test_a_manifest_can_be_named(root, monkeypatch):
    gpu(root)
    manifest = put(root, "own/lvp_icd.json")
    monkeypatch.setenv(webgpu.VARIABLE, str(manifest))
    assert webgpu.choose(root).variables["VK_ICD_FILENAMES"] == str(manifest)
    monkeypatch.setenv(webgpu.VARIABLE, str(root / "absent.json"))
    with pytest.raises(InputError, match="is no file"):
        webgpu.choose(root)


def test_the_environment_leads_the_plugin_to_its_device(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    made = Environment(name="webgpu", python=("python",), env={"A": "1"}, label="GenAI")
    monkeypatch.setattr(webgpu.pinned, "prepare", lambda *_, **__: made)
    adapter = webgpu.Adapter(label="SwiftShader", variables={"VK_DRIVER_FILES": "x"}, software=True)
    monkeypatch.setattr(webgpu, "choose", lambda: adapter)
    environment = webgpu.WebGpuSource().prepare(())
    assert environment.env == {"A": "1", "VK_DRIVER_FILES": "x"}
    assert environment.label == "GenAI, on SwiftShader"
    monkeypatch.setattr(webgpu.pinned, "status", lambda _: Readiness(ready=True, makeable=True))
    assert "no f16" in webgpu.why_no_f16()
    assert webgpu.why_not_unasked() == ""


def test_without_a_device_it_is_skipped_with_the_reason(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")

    def none():
        raise UnsupportedError("no device", remedy="install one")

    monkeypatch.setattr(webgpu, "choose", none)
    status = webgpu.WebGpuSource().status()
    assert (status.makeable, status.reason, status.remedy) == (False, "no device", "install one")
    assert webgpu.why_not_unasked() == webgpu.why_no_f16() == "no device"


def test_takes_its_own_wheels_only():
    source = webgpu.WebGpuSource()
    assert source.takes(Path("onnxruntime_ep_webgpu-0.4.0-py3-none-manylinux_2_28_x86_64.whl"))
    assert not source.takes(Path("onnxruntime_directml-1.30.0-cp311-cp311-win_amd64.whl"))
