"""What a build takes is said before it starts, and what it would fail for is found before anything is fetched."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from recipes.building import forecast
from recipes.spec.load import available, load
from recipes.spec.schema import Needs
from tests.recipes.contexts import WINDOWS, WINDOWS_ARM, context, mini_recipe
from wheelhouse.errors import InputError, ResourceError, ToolchainError


def with_pythons(build, **pythons):
    return replace(build, tools=replace(build.tools, pythons={k.replace("_", "."): str(v) for k, v in pythons.items()}))


def python(folder, *, headers=True):
    """Make a Python as Linux has it; return its program."""
    program = folder / "bin" / "python3.12"
    program.parent.mkdir(parents=True)
    program.write_text("", encoding="utf-8")
    if headers:
        (folder / "include" / "python3.12").mkdir(parents=True)
        (folder / "include" / "python3.12" / "Python.h").write_text("", encoding="utf-8")
    return program


@pytest.mark.parametrize(
    ("available", "processors", "jobs"),
    [(64e9, 16, 0), (16e9, 16, 8), (3.9e9, 4, 1), (4e9, 2, 0), (0.5e9, 8, 1), (2e9, 1, 0)],
)
def test_jobs_fit_the_memory(available, processors, jobs):
    assert forecast.jobs_for(Needs(job_memory_mb=2000), available=int(available), processors=processors) == jobs


def test_what_is_said(tmp_path):
    recipe = msgspec.structs.replace(mini_recipe(), needs=Needs(hours=3.5, disk_gb=25, job_memory_mb=2000))
    build = context(tmp_path, target=WINDOWS, recipe=recipe)
    fetched, compiled, expected = forecast.lines(build)
    assert fetched.startswith("fetched: ort v1, genai v1, 4 dependencies")
    assert "the archives of cmake/deps.txt" in fetched
    assert "ONNX Runtime 1.23.4 and its wheel for Python 3.12, 3.13; GenAI 0.15.2's core" in compiled
    assert expected.startswith("estimated, not measured (by what other builds took): up to 3.5 hours without a compile")
    assert "cache, 25.0 GB below" in expected
    assert "2.0 GB of memory per compiler, as many as there are processors" in expected
    build = replace(build, options=replace(build.options, ort="published", jobs=3))
    fetched, compiled, expected = forecast.lines(build)
    assert "ort v1" not in fetched
    assert "ONNX Runtime" not in compiled
    assert "hours" not in expected
    assert expected.endswith("so 3 at a time")


def test_the_shipped_recipe_says_where_its_numbers_are_from():
    """An estimate without what it goes by would be taken for a measurement."""
    compiled = [recipe for recipe in map(load, available()) if recipe.genai is not None]
    assert len(compiled) >= 3
    for recipe in compiled:
        assert "limit that Microsoft gives its own" in recipe.needs.basis
        assert "guesses" in recipe.needs.basis


def test_a_python_without_headers(tmp_path):
    build = with_pythons(context(tmp_path / "b"), **{"3_12": python(tmp_path / "p", headers=False)})
    with pytest.raises(ToolchainError, match=r"Python 3\.12 .* has no C headers.*python3\.12-dev"):
        forecast.check(build)
    forecast.check(with_pythons(build, **{"3_12": python(tmp_path / "q")}))


def test_the_headers_of_the_python_behind_a_link(tmp_path):
    link = tmp_path / "usr" / "bin" / "python3.12"
    link.parent.mkdir(parents=True)
    link.symlink_to(python(tmp_path / "opt"))
    forecast.check(with_pythons(context(tmp_path / "b"), **{"3_12": link}))


def test_windows_has_the_headers_beside_the_program(tmp_path):
    program = tmp_path / "Python312" / "python.exe"
    program.parent.mkdir()
    program.write_text("", encoding="utf-8")
    build = with_pythons(context(tmp_path / "b", target=WINDOWS), **{"3_12": program})
    with pytest.raises(ToolchainError, match="the embeddable one have none"):
        forecast.check(build, kits=tmp_path, long_paths=True)
    (program.parent / "include").mkdir()
    (program.parent / "include" / "Python.h").write_text("", encoding="utf-8")
    forecast.check(build, kits=tmp_path, long_paths=True)


def test_another_processors_python_is_not_looked_at_here(tmp_path):
    build = with_pythons(
        context(tmp_path, target=WINDOWS_ARM, host=WINDOWS), **{"3_12": python(tmp_path / "p", headers=False)}
    )
    forecast.check(build, kits=tmp_path, long_paths=True)


def test_a_path_that_windows_would_not_take(tmp_path):
    deep = tmp_path / ("d" * 120)
    build = with_pythons(context(deep, target=WINDOWS))
    with pytest.raises(InputError, match="characters long, which leaves less than 150"):
        forecast.check(build, kits=tmp_path, long_paths=False)
    with pytest.raises(InputError, match="Move the checkout"):
        forecast.check(build, kits=tmp_path, long_paths=None)
    forecast.check(build, kits=tmp_path, long_paths=True)
    forecast.check(with_pythons(context(deep)), kits=tmp_path)


@pytest.mark.parametrize("name", ["Büro & Co", "a^b", "a;b", "100%TEMP%"])
def test_a_folder_that_cmake_ninja_and_cmd_take_apart(tmp_path, name):
    build = with_pythons(context(tmp_path / name, target=WINDOWS))
    with pytest.raises(InputError, match=r"has [&^;%] in it.*Move the checkout to a folder such as C:"):
        forecast.check(build, kits=tmp_path, long_paths=True)
    forecast.check(with_pythons(context(tmp_path / name)), kits=tmp_path)
    plain = with_pythons(context(tmp_path / "w", target=WINDOWS))
    tools = replace(plain.tools, cmake=rf"C:\{name}\.venv\Scripts\cmake.exe")
    with pytest.raises(InputError, match=r"cmake\.exe has [&^;%]"):
        forecast.check(replace(plain, tools=tools), kits=tmp_path, long_paths=True)
    forecast.check(
        with_pythons(context(tmp_path / "bang! #x 日本, (a)=b", target=WINDOWS)), kits=tmp_path, long_paths=True
    )


def test_sdks_of_which_none_is_new_enough(tmp_path):
    build = with_pythons(context(tmp_path / "b", target=WINDOWS))
    for version, text in (("10.0.19041.0", ""), ("10.0.22621.0", "other")):
        (tmp_path / version / "um").mkdir(parents=True)
        (tmp_path / version / "um" / "dxcore_interface.h").write_text(text, encoding="utf-8")
    with pytest.raises(ToolchainError, match=r"Windows SDK 10\.0\.22621\.0 is too old"):
        forecast.check(build, kits=tmp_path, long_paths=True)
    (tmp_path / "10.0.26100.0" / "um").mkdir(parents=True)
    (tmp_path / "10.0.26100.0" / "um" / "dxcore_interface.h").write_text(
        "struct DXCoreHardwareIDParts {};", encoding="utf-8"
    )
    forecast.check(build, kits=tmp_path, long_paths=True)


def test_a_small_disk_stops_what_is_not_there_yet(tmp_path):
    recipe = msgspec.structs.replace(mini_recipe(), needs=Needs(disk_gb=1e9))
    build = with_pythons(context(tmp_path, recipe=recipe), **{"3_12": python(tmp_path / "p")})
    with pytest.raises(ResourceError, match="Building ONNX Runtime needs"):
        forecast.check(build)
    for folder in ("ort-cp312", "core"):
        (Path(build.layout.work) / folder).mkdir(parents=True)
        (Path(build.layout.work) / folder / ".step.json").write_text("{}", encoding="utf-8")
    forecast.check(build)
