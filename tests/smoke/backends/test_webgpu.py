"""WebGPU is given a GPU where there is one, else SwiftShader, else it is skipped with what to install."""

import json
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
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(webgpu.platform, "machine", lambda: "x86_64")
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
    assert "apt-get install chromium" in found.value.remedy
    assert "apt-get install libvulkan1 mesa-vulkan-drivers" in found.value.remedy


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
    assert "saves a GPU's calls" in webgpu.why_no_graph()
    gpu = webgpu.Adapter(label="the GPU's Vulkan driver", variables={})
    monkeypatch.setattr(webgpu, "choose", lambda: gpu)
    assert webgpu.why_no_graph() == webgpu.why_no_f16() == ""


def test_without_a_device_it_is_skipped_with_the_reason(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")

    def none():
        raise UnsupportedError("no device", remedy="install one")

    monkeypatch.setattr(webgpu, "choose", none)
    status = webgpu.WebGpuSource().status()
    assert (status.makeable, status.reason, status.remedy) == (False, "no device", "install one")
    assert webgpu.why_not_unasked() == webgpu.why_no_f16() == webgpu.why_no_graph() == "no device"


def test_takes_its_own_wheels_only():
    source = webgpu.WebGpuSource()
    assert source.takes(Path("onnxruntime_ep_webgpu-0.4.0-py3-none-manylinux_2_28_x86_64.whl"))
    assert not source.takes(Path("onnxruntime_directml-1.30.0-cp311-cp311-win_amd64.whl"))


def lavapipe(root, version, name="lvp_icd.json"):
    manifest = put(root, f"usr/share/vulkan/icd.d/{name}")
    manifest.write_text(
        json.dumps({"ICD": {"api_version": version, "library_path": "libvulkan_lvp.so"}}), encoding="utf-8"
    )
    return manifest


@pytest.mark.parametrize(("version", "taken"), [("1.4.305", True), ("2.0", True), ("1.3.230", False), ("new", False)])
def test_lavapipe_is_taken_where_it_is_new_enough(root, version, taken):
    manifest = lavapipe(root, version)
    if not taken:
        with pytest.raises(UnsupportedError, match="this machine has none"):
            webgpu.choose(root)
        return
    chosen = webgpu.choose(root)
    assert (chosen.label, chosen.software) == ("lavapipe", True)
    assert chosen.variables["VK_DRIVER_FILES"] == str(manifest)


@pytest.mark.parametrize("content", ["", "[]", '{"ICD": 1}', '{"ICD": {}}', "\x00"])
def test_a_manifest_that_cannot_be_read_is_no_device(root, content):
    lavapipe(root, "1.4.305").write_text(content, encoding="utf-8")
    with pytest.raises(UnsupportedError):
        webgpu.choose(root)


def test_swiftshader_comes_first_and_each_can_be_asked_for(root, monkeypatch):
    put(root, MANIFEST)
    assert webgpu.choose(root).label == "SwiftShader"
    monkeypatch.setenv(webgpu.VARIABLE, "lavapipe")
    with pytest.raises(UnsupportedError, match="needs lavapipe"):
        webgpu.choose(root)
    lavapipe(root, "1.4.305")
    assert webgpu.choose(root).label == "lavapipe"
    monkeypatch.setenv(webgpu.VARIABLE, "swiftshader")
    assert webgpu.choose(root).label == "SwiftShader"
    monkeypatch.setenv(webgpu.VARIABLE, "Software")
    with pytest.raises(InputError, match="is no file") as found:
        webgpu.choose(root)
    assert "gpu, software, swiftshader, lavapipe" in found.value.remedy


@pytest.mark.parametrize(
    ("name", "software"), [("vk_swiftshader_icd.json", True), ("lvp_icd.x86_64.json", True), ("radeon_icd.json", False)]
)
def test_a_manifest_that_is_named_is_software_by_its_name(root, monkeypatch, name, software):
    monkeypatch.setenv(webgpu.VARIABLE, str(put(root, f"own/{name}")))
    assert webgpu.choose(root).software is software


@pytest.mark.parametrize(("system", "machine"), [("linux", "aarch64"), ("darwin", "arm64"), ("win32", "x86")])
def test_where_there_is_no_plugin_it_is_skipped(root, monkeypatch, system, machine):
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(webgpu.platform, "machine", lambda: machine)
    status = webgpu.WebGpuSource().status()
    assert not status.makeable
    assert f"no WebGPU plug-in for {system} on {machine}" in status.reason


@pytest.mark.parametrize(
    ("adapter", "variable", "words"),
    [
        (webgpu.Adapter(label="SwiftShader", variables={}, software=True), "", "A GPU is taken once its Vulkan driver"),
        (webgpu.Adapter(label="the GPU's Vulkan driver", variables={}), "", "=software takes SwiftShader"),
        (webgpu.Adapter(label="lavapipe", variables={}, software=True), "lavapipe", "decides it; unset, a GPU"),
    ],
)
def test_what_would_change_the_adapter(root, monkeypatch, adapter, variable, words):
    monkeypatch.setattr(sys, "platform", "linux")
    if variable:
        monkeypatch.setenv(webgpu.VARIABLE, variable)
    assert words in webgpu.what_would_change(adapter)
