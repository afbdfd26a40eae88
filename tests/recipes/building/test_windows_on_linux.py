"""`invoke build-dml --lane git` as a whole, from a web server, for both Windows targets: compiled on Linux by Zig.

What comes out are PE files of both processors, audited like the real ones. The first compilation for a target takes
minutes, because Zig compiles the C and C++ libraries for it; afterwards they are in its own cache.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
import zipfile

import pefile
import pytest

from recipes.building import built
from tests.recipes.public_hosts import public_hosts
from tests.recipes.windows_world import MACHINES, PYTHONS, World

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(sys.platform != "linux", reason="this is the way for Linux"),
    pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="`pip install -e '.[cross]'` brings Zig"),
]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        yield World(tmp_path_factory.mktemp("w"), patch)


@pytest.fixture(scope="module")
def url(world):
    with public_hosts(world.mirror) as address:
        yield address


@pytest.mark.parametrize("arch", MACHINES)
def test_the_whole_lane(world, url, capsys, arch):
    said = world.build(arch, url, capsys)
    assert f"Recipe minidml for windows-{arch}: plan only." in said.err
    for python in PYTHONS:
        assert f"Python {python}: built (not tried: compiled on linux-" in said.out
    platform = "win_amd64" if arch == "x64" else "win_arm64"
    found = sorted(world.wheels.glob(f"*{platform}.whl"))
    assert len(found) == 2 * len(PYTHONS)
    for wheel in found:
        with zipfile.ZipFile(wheel) as opened:
            binaries = [name for name in opened.namelist() if name.endswith((".dll", ".pyd"))]
            assert len(binaries) == (2 if "onnxruntime" in wheel.name else 3)
            for name in binaries:
                with pefile.PE(data=opened.read(name), fast_load=True) as image:
                    assert image.FILE_HEADER.Machine == MACHINES[arch], name
    assert built.status(_recipe(world), world.recipe, f"windows-{arch}").startswith("built for ")
    assert (world.wheels / "simple/minigenai/index.html").is_file()


def _recipe(world):
    from recipes.spec.load import load

    return load(str(world.recipe))


def test_what_the_wheels_say_they_were_made_of(world):
    (wheel,) = world.wheels.glob(f"minigenai*cp{PYTHONS[0].replace('.', '')}*win_amd64.whl")
    (runtime,) = world.wheels.glob(f"onnxruntime*cp{PYTHONS[0].replace('.', '')}*win_amd64.whl")
    with zipfile.ZipFile(wheel) as opened:
        text = opened.read("minigenai/__init__.py").decode()
        metadata = next(opened.read(n).decode() for n in opened.namelist() if n.endswith("METADATA"))
    assert f'__commit__ = "{world.commits["genai"]}"' in text
    assert "Requires-Dist: onnxruntime-directml==1.23.4+mini.1\n" in metadata
    with zipfile.ZipFile(runtime) as opened:
        dll = opened.read("onnxruntime/capi/onnxruntime.dll")
    (commit,) = re.findall(rb"DirectML 1\.15\.4, git-commit-id=([0-9a-f]+)", dll)
    assert world.commits["ort"].startswith(commit.decode())
    lock = world.recipe.with_suffix(".lock.toml").read_text(encoding="utf-8")
    assert f'commit = "{world.commits["ort"]}"' in lock
    assert f'"cmake/external/words" = "{world.commits["words"]}"' in lock


def test_a_second_build_runs_no_process_and_asks_no_host(world, capsys):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("subprocess.Popen", lambda *_, **__: pytest.fail("a process was started"))
        said = world.build("x64", "http://127.0.0.1:9", capsys)
    assert said.out.count("unchanged") == 2 * len(PYTHONS)


def test_the_plan_is_for_this_machine(world, url, capsys):
    text = world.build("arm64", url, capsys, "--plan").out
    assert "compile with Zig" in text
    assert f"-DCMAKE_TOOLCHAIN_FILE={world.folder}/cache/build/minidml-windows-arm64/zig/toolchain.cmake" in text
    assert "VsDevCmd" not in text


def test_a_part_that_another_machine_has_made_is_taken_over(world, capsys):
    """As the Windows workflow hands it on: ONNX Runtime, core, ORT_HOME and header packages, and nothing else."""
    work = world.folder / "cache/build/minidml-windows-x64"
    handed_on = re.compile(r"ort-cp\d+|core|ort-home|prefix")
    for entry in work.iterdir():
        if not handed_on.fullmatch(entry.name):
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    said = world.invoke(
        f"build-dml --lane git --recipe {world.recipe} --target windows-x64 --python {PYTHONS[-1]} "
        "--source-mirror http://127.0.0.1:9",
        capsys,
    )
    made = re.findall(r"^(\S[^\n]*): (?:not made yet|(?!nothing).* changed)$", said.err, re.MULTILINE)
    assert [name.split()[0] for name in made] == ["pack", "audit"], said.err


def test_without_zig_it_says_what_to_install(world, url, capsys, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda *_: None)
    assert "pip install ziglang" in world.build("x64", url, capsys).err
