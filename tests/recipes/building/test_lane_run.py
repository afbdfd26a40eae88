"""Build folders survive an interruption of the same build, and of no other; fingerprints follow content."""

import dataclasses
import sys
from pathlib import Path

import pytest

from recipes.building.lane_run import keep_if_same, run_all
from recipes.building.origins import check_early, find_origin, fingerprint
from recipes.sources.dependencies import disconnected, require_present
from recipes.sources.pins import Pins
from recipes.spec.target import BuildOptions
from tests.recipes.contexts import LINUX, WINDOWS, context
from wheelhouse.errors import InputError, StepFailedError
from wheelhouse.paths import cache_dir
from wheelhouse.process import Command

FROM_LINUX = pytest.mark.skipif(sys.platform == "win32", reason="looks at Windows from elsewhere")


def test_a_build_folder_is_kept_for_the_same_and_emptied_for_another(tmp_path):
    folder = tmp_path / "build"
    keep_if_same(folder, "one")
    (folder / "object").write_text("", encoding="utf-8")
    keep_if_same(folder, "one")
    assert (folder / "object").exists()
    keep_if_same(folder, "two")
    assert not (folder / "object").exists()


def test_commands_run_in_order_and_stop_at_the_first_failure(tmp_path):
    def say(text, code=0):
        script = f"open({str(tmp_path / 'out')!r}, 'a').write({text!r}); raise SystemExit({code})"
        import sys

        return Command(argv=(sys.executable, "-c", script))

    with pytest.raises(StepFailedError, match="exit code 3"):
        run_all([say("a"), say("b", 3), say("c")], "a title: with / odd characters")
    assert (tmp_path / "out").read_text(encoding="utf-8") == "ab"


@pytest.mark.skipif(sys.platform == "win32", reason="Visual Studio's servers keep files open in the folder")
def test_what_a_compiler_leaves_when_it_is_killed_lies_in_the_cache(tmp_path):
    script = f"import tempfile; open({str(tmp_path / 'out')!r}, 'w').write(tempfile.mkstemp()[1])"
    run_all([Command(argv=(sys.executable, "-c", script))], "leaves a file")
    left = Path((tmp_path / "out").read_text(encoding="utf-8"))
    assert left.is_relative_to(cache_dir("scratch"))
    assert not left.exists()


def with_options(build, **options):
    return dataclasses.replace(build, options=BuildOptions(**options))


def test_fingerprint_of_a_given_home_follows_its_files(tmp_path):
    build = with_options(context(tmp_path), ort="given", ort_home=tmp_path / "home")
    with pytest.raises(InputError, match="does not exist"):
        fingerprint(build)
    (tmp_path / "home").mkdir()
    (tmp_path / "home/a").write_text("1", encoding="utf-8")
    before = fingerprint(build)
    assert fingerprint(build) == before
    (tmp_path / "home/a").write_text("22", encoding="utf-8")
    assert fingerprint(build) != before


@FROM_LINUX
def test_no_published_runtime_for_the_target(tmp_path):
    build = with_options(context(tmp_path, target=WINDOWS), ort="published")
    with pytest.raises(InputError, match="names no published ONNX Runtime for windows-x64"):
        find_origin(build, Pins(tmp_path / "r.toml"))


@FROM_LINUX
def test_a_bad_ort_home_is_told_before_anything_is_fetched(tmp_path):
    home = tmp_path / "home"
    build = with_options(context(tmp_path), ort="given", ort_home=home)
    with pytest.raises(InputError, match="does not exist"):
        check_early(build)
    (home / "lib").mkdir(parents=True)
    with pytest.raises(InputError, match="it has no include/"):
        check_early(build)
    (home / "include").mkdir()
    (home / "lib/libonnxruntime.so").write_bytes(b"")
    with pytest.raises(InputError, match=r"onnxruntime_c_api\.h is in none of"):
        check_early(build)
    with pytest.raises(InputError, match="names no published"):
        check_early(with_options(context(tmp_path, target=WINDOWS), ort="published"))
    check_early(context(tmp_path))


@FROM_LINUX
def test_dependencies_of_a_target(tmp_path):
    linux, windows = (context(tmp_path, target=target).genai_project for target in (LINUX, WINDOWS))
    assert [d.name for d in linux.needed] == ["mathlib", "pybind11_project"]
    assert [d.name for d in windows.needed] == ["mathlib", "pybind11_project", "d3d12lib"]
    defines = disconnected(windows)
    assert defines[0] == "-DFETCHCONTENT_FULLY_DISCONNECTED=ON"
    assert defines[-1] == f"-DFETCHCONTENT_SOURCE_DIR_D3D12LIB={tmp_path}/third_party/deps/d3d12lib-0000000000"
    with pytest.raises(InputError, match="missing: mathlib, pybind11_project"):
        require_present(linux)
