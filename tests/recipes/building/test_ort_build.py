"""ONNX Runtime's build.py: its command line, and where its results are looked for."""

import pytest

from recipes.building import ort_build
from tests.recipes.contexts import LINUX, WINDOWS, WINDOWS_ARM, context
from wheelhouse.errors import InputError, StepFailedError
from wheelhouse.process import render


def test_one_command_for_each_python_with_one_build_folder(tmp_path):
    commands = ort_build.commands(context(tmp_path))
    assert [c.argv[0] for c in commands] == ["/py/312", "/py/313"]
    assert len({c.argv[1:] for c in commands}) == 1
    assert "--build_shared_lib" in commands[0].argv


def test_windows(tmp_path):
    native = render(ort_build.commands(context(tmp_path, target=WINDOWS))[0])
    assert "--use_dml" in native
    assert "--cmake_generator Ninja" in native
    assert "CL=/Brepro" in native
    assert "--arm64" not in native
    native_arm = render(ort_build.commands(context(tmp_path, target=WINDOWS_ARM))[0])
    assert "--cmake_generator Ninja" in native_arm  # no cross-compilation there
    assert "--arm64" not in native_arm


@pytest.mark.parametrize("level", ["Release", "Release/Release"])
def test_results_of_both_generators_are_found(tmp_path, level):
    build = context(tmp_path)
    folder = tmp_path / "work/ort" / level
    (folder / "dist").mkdir(parents=True)
    (folder / "libonnxruntime.so.1.23.4").write_bytes(b"")
    wheel = folder / "dist/miniort-1.23.4-cp312-cp312-linux_x86_64.whl"
    wheel.write_bytes(b"")
    (folder / "dist/miniort-1.22.0-cp313-cp313-linux_x86_64.whl").write_bytes(b"")
    assert ort_build.built_wheels(build, ("cp312",)) == {"cp312": wheel}
    assert ort_build.built_origin(build).libraries["libonnxruntime.so"].parent == folder
    with pytest.raises(StepFailedError, match=r"left no wheel 1\.23\.4 for cp313"):
        ort_build.built_wheels(build, ("cp312", "cp313"))


def test_no_library(tmp_path):
    with pytest.raises(InputError, match=r"libonnxruntime\.so is in none of"):
        ort_build.built_origin(context(tmp_path, target=LINUX))
