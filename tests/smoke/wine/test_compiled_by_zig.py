"""The miniature pair, compiled on Linux by Zig for windows-x64: do those wheels install and compute in Windows' Python?

The first compilation for this target takes minutes, because Zig compiles the C and C++ libraries for it; `.ci/run` has
done that by then (tests/recipes/building/test_windows_on_linux.py), and what is left is less than one.
"""

import importlib.util
import json
from pathlib import PureWindowsPath

import pytest

from smoke.wine import environment, namespace, places, recipe, setup
from tests.recipes import windows_world
from tests.recipes.public_hosts import public_hosts
from wheelhouse.errors import StepFailedError
from wheelhouse.files import write_atomic
from wheelhouse.process import run

pytestmark = [
    pytest.mark.wine,
    pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="`pip install -e '.[cross]'` brings Zig"),
]

COMPUTE = """
import ctypes, importlib.metadata, json, sys
import minigenai

path = ctypes.create_unicode_buffer(1000)
handle = ctypes.windll.kernel32.GetModuleHandleW
handle.restype = ctypes.c_void_p
ctypes.windll.kernel32.GetModuleFileNameW(ctypes.c_void_p(handle("onnxruntime.dll")), path, 1000)
print("@found " + json.dumps({
    "platform": sys.platform,
    "answer": minigenai.answer(),
    "telemetry": minigenai.telemetry(),
    "source": minigenai.file(),
    "commit": minigenai.__commit__,
    "requires": importlib.metadata.requires("minigenai"),
    "onnxruntime.dll": path.value,
}))
"""


@pytest.fixture
def in_wine(tmp_path, monkeypatch):
    """The version of Wine's Python, whose environments go to the test's own folder."""
    problem = namespace.obstacle()
    if problem is not None or not setup.finished(recipe.load()):
        pytest.skip(f"needs the Wine runtime: {problem or environment.SETUP}")
    monkeypatch.setattr(places, "python", lambda key: tmp_path / f"python-{key[:8]}")
    version = recipe.load().python.minor
    if not windows_world.installed(version):
        pytest.skip(f"the headers are those of this machine's Python {version}, which is not here")
    return version


def test_they_install_and_compute(in_wine, tmp_path, capsys):
    with pytest.MonkeyPatch.context() as patch:
        world = windows_world.World(tmp_path / "w", patch, (in_wine,))
        with public_hosts(world.mirror) as url:
            world.build("x64", url, capsys)
    genai, ort = sorted(world.wheels.glob("*.whl"))
    wine = environment.prepare((ort, genai))
    lines = []
    run(wine.command("-c", COMPUTE, timeout=240), log=tmp_path / "compute.log", on_line=lines.append)
    found = json.loads(next(line for line in lines if line.startswith("@found "))[7:])
    assert found["platform"] == "win32"
    assert found["answer"] == 46  # twice ONNX Runtime's API version, over both DLLs and the module
    assert found["telemetry"] == 0
    assert PureWindowsPath(found["source"]).parts[1] == "src"  # nothing of this machine's folders
    assert found["commit"] == world.commits["genai"]
    assert "onnxruntime-directml==1.23.4+mini.1" in found["requires"]
    assert found["onnxruntime.dll"].lower().endswith(r"\site-packages\onnxruntime\capi\onnxruntime.dll")
    alone = tmp_path / "alone" / genai.name
    write_atomic(alone, genai.read_bytes())
    with pytest.raises(StepFailedError):
        environment.prepare((alone,))
    assert "No matching distribution found for onnxruntime-directml==1.23.4+mini.1" in places.log("pip").read_text(
        encoding="utf-8"
    )
