"""WebGPU beside DirectML in Wine: where it comes from, and what it needs."""

import sys
from pathlib import Path

import pytest

from smoke.backends import webgpu_wine
from smoke.environments.source import Environment, Readiness
from smoke.wine import environment, recipe
from smoke.wine.parts import windows_python
from wheelhouse.errors import InputError, UnsupportedError

PAIR = (Path("onnxruntime_directml-1.30.0-cp313-cp313-win_amd64.whl"), Path("genai.whl"))


@pytest.fixture
def ready(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(environment.WineSource, "status", lambda _: Readiness(ready=True, makeable=True))
    monkeypatch.setattr(environment, "find_pair", lambda *_: PAIR)
    monkeypatch.setattr(webgpu_wine, "plugin", lambda: [Path("plugin.whl")])


def test_the_pair_and_the_plugin_make_one_environment(ready, monkeypatch):
    asked = []
    made = Environment(name="wine", python=("wine",), env={}, label="Wine")
    monkeypatch.setattr(environment, "prepare", lambda wheels: asked.append(wheels) or made)
    found = webgpu_wine.WineWebGpuSource().prepare(())
    assert asked == [(*PAIR, Path("plugin.whl"))]
    assert "plug-in" in found.label
    assert found.seconds_per_token > 0


def test_without_the_runtime_or_a_pair_it_says_what_to_do(ready, monkeypatch):
    monkeypatch.setattr(environment, "find_pair", lambda *_: ())
    with pytest.raises(InputError, match="pair is needed"):
        webgpu_wine.WineWebGpuSource().prepare(())
    lacking = Readiness(ready=False, makeable=False, reason="no runtime", remedy="invoke wine-setup")
    monkeypatch.setattr(environment.WineSource, "status", lambda _: lacking)
    with pytest.raises(UnsupportedError, match="no runtime"):
        webgpu_wine.WineWebGpuSource().prepare(())


def test_on_windows_the_other_backend_is_the_one(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    status = webgpu_wine.WineWebGpuSource().status()
    assert not status.makeable
    assert "backend webgpu" in status.reason


def test_the_plugin_of_wine_is_that_of_linux():
    from smoke.environments import environment_recipes

    (wheel,) = recipe.webgpu_plugin()
    assert f"{wheel.package}=={wheel.version}" in environment_recipes.environment("webgpu").packages
    assert wheel.filename.endswith("win_amd64.whl")


def test_vulkan_lies_beside_the_plugin_and_nowhere_else(tmp_path, monkeypatch):
    libraries = tmp_path / "wine"
    libraries.mkdir()
    (libraries / "vulkan-1.dll").write_bytes(b"vulkan")
    monkeypatch.setattr(windows_python.places, "ground", lambda: type("Ground", (), {"libraries": libraries}))
    site = tmp_path / "site"
    windows_python._vulkan_beside(site / windows_python.PLUGIN)
    assert not site.exists()
    (site / windows_python.PLUGIN).mkdir(parents=True)
    windows_python._vulkan_beside(site / windows_python.PLUGIN)
    assert (site / windows_python.PLUGIN / "vulkan-1.dll").read_bytes() == b"vulkan"
