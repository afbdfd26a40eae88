"""A host's own Wine, with a stand-in for the host: a folder with programs and libraries of that name."""

import pytest

from smoke.wine import commands, places, recipe, setup
from smoke.wine.parts import direct3d, host_wine
from wheelhouse import steps
from wheelhouse.errors import ToolchainError, UnsupportedError, UsageError

LIBRARY = "usr/lib64/wine/x86_64-windows/d3d12.dll"
DRIVER = "usr/share/vulkan/icd.d/lvp_icd.x86_64.json"


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A host on which everything is there, with Wine 11.3."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setattr(host_wine, "PATH", f"{programs}:/usr/bin:/bin")
    for name in host_wine.PROGRAMS:
        program(tmp_path, name, "")
    program(tmp_path, "wine", "echo warning; echo 'wine-11.3 (Staging)'")
    for name in (LIBRARY, DRIVER):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(b"first")
    return tmp_path


def program(tree, name, script):
    file = tree / "bin" / name
    file.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    file.chmod(0o755)


def test_a_new_enough_wine_is_found_with_its_libraries(tree):
    found = host_wine.find(tree)
    assert found.version == "11.3"
    assert found.libraries / "d3d12.dll" == tree / LIBRARY
    assert found.vulkan == f"/{DRIVER}"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("echo 'wine-8.0 (Debian 8.0~repack-4)'", r"own Wine is 8\.0; DirectML needs 10\.0 or newer"),
        ("echo 'wine-9.22'", r"own Wine is 9\.22"),
        ("echo cannot start; exit 1", "does not say its version: 'cannot start'"),
        ("", "does not say its version"),
    ],
)
def test_an_old_or_silent_wine_is_refused_with_what_to_do(tree, said, words):
    program(tree, "wine", said)
    with pytest.raises(UnsupportedError, match=words) as caught:
        host_wine.find(tree)
    assert "Without --host-wine" in caught.value.remedy


@pytest.mark.parametrize("said", ["wine-10.0 (Debian 10.0~repack-6)", "wine-10.0-rc4", "wine-11.0"])
def test_versions_as_wine_says_them(tree, said):
    program(tree, "wine", f"echo '{said}'")
    assert host_wine.find(tree).version == said.split()[0].removeprefix("wine-")


def test_without_wine(tree, monkeypatch):
    monkeypatch.setattr(host_wine, "PATH", str(tree / "empty"))
    with pytest.raises(UnsupportedError, match="no Wine of its own"):
        host_wine.find(tree)


def test_all_that_is_missing_is_said_at_once(tree, monkeypatch):
    monkeypatch.setattr(host_wine, "PATH", str(tree / "bin"))
    program(tree, "wine", "echo wine-10.0")
    (tree / "bin" / "Xvfb").unlink()
    (tree / DRIVER).unlink()
    with pytest.raises(ToolchainError, match=r"missing: xvfb, mesa-vulkan-drivers") as caught:
        host_wine.find(tree)
    assert "apt-get install xvfb mesa-vulkan-drivers" in caught.value.remedy


def test_a_wine_without_direct3d_12_is_refused(tree):
    (tree / LIBRARY).unlink()
    with pytest.raises(UnsupportedError, match="no 64-bit Direct3D 12"):
        host_wine.find(tree)


def test_the_runtime_stands_on_what_was_noted_until_it_changes(tree):
    assert host_wine.recorded() is None
    assert places.ground().tree == str(places.root() / places.FILES)
    assert host_wine.tested(recipe.load()) == recipe.load().tested_wine
    found = host_wine.find(tree)
    host_wine.ensure(found)
    assert host_wine.recorded() == found
    assert places.ground().libraries == found.libraries
    assert direct3d.wine_variables()["VK_DRIVER_FILES"] == found.vulkan
    assert host_wine.tested(recipe.load())[-1] == "11.3"
    assert steps.why_to_run(host_wine.step(found)) is None
    (tree / LIBRARY).write_bytes(b"another")
    assert steps.why_to_run(host_wine.step(found)) == "d3d12.dll changed"
    assert not setup.finished(recipe.load())


def test_a_debian_root_is_not_replaced(tree):
    places.root().mkdir(parents=True)
    with pytest.raises(UsageError, match="has a Wine of its own") as caught:
        setup.stand_on_host()
    assert "invoke wine-clean" in caught.value.remedy


def test_debians_versions_are_not_recorded_from_another_wine():
    with pytest.raises(UsageError, match="--record"):
        commands.wine_setup(record=True, host_wine=True)
