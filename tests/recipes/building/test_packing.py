"""What a wheel is called, requires and carries, before anything is compiled."""

import tomllib

import pytest

from recipes.building import packing
from recipes.sources.checkout import Checkout
from recipes.spec.fetched import Dependency
from tests.recipes.contexts import LINUX, WINDOWS, WINDOWS_ARM, context, mini_recipe
from wheelhouse.errors import InputError, RecipeError, StepFailedError


@pytest.fixture
def built(tmp_path):
    """A context whose checkout has what the recipe names, and a payload as CMake lays it out."""
    build = context(tmp_path)
    source = build.genai_source
    (source / "src/python").mkdir(parents=True)
    (source / "src/python/package_description.md").write_text("# ünicode", encoding="utf-8")
    (source / "LICENSE").write_text("licence", encoding="utf-8")
    (tmp_path / "out/payload/minigenai").mkdir(parents=True)
    (tmp_path / "out/payload/minigenai/__init__.py").write_text("", encoding="utf-8")
    return build


@pytest.mark.parametrize(
    ("target", "name"),
    [
        (LINUX, "minigenai-0.15.2+mini.1-cp312-cp312-linux_x86_64.whl"),
        (WINDOWS, "minigenai-0.15.2+mini.1-cp312-cp312-win_amd64.whl"),
        (WINDOWS_ARM, "minigenai-0.15.2+mini.1-cp312-cp312-win_arm64.whl"),
    ],
)
def test_file_name(tmp_path, target, name):
    assert packing.filename(context(tmp_path, target=target), "3.12") == name


def test_without_a_local_version(tmp_path):
    build = context(tmp_path, recipe=mini_recipe(('local-version = "mini.1"\n', "")))
    assert packing.version_of(build) == "0.15.2"


def test_the_pair_is_required_exactly(tmp_path):
    assert packing.requirements(context(tmp_path)) == ["numpy>=1.21.6", "miniort==1.23.4+mini.1"]


def test_project(built, tmp_path):
    packing.write_project(built, tmp_path / "out")
    project = tmp_path / "out/project"
    described = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (described["name"], described["version"]) == ("minigenai", "0.15.2+mini.1")
    assert described["dependencies"] == ["numpy>=1.21.6", "miniort==1.23.4+mini.1"]
    assert described["license-files"] == ["LICENSE"]
    assert (project / "README.md").read_text(encoding="utf-8") == "# ünicode"
    assert (project / "payload/minigenai/__init__.py").exists()


def test_a_build_that_left_no_package(built, tmp_path):
    (tmp_path / "out/payload/minigenai/__init__.py").unlink()
    with pytest.raises(StepFailedError, match="left no package 'minigenai'"):
        packing.write_project(built, tmp_path / "out")


@pytest.mark.parametrize("name", ["LICENSE", "src/python/package_description.md"])
def test_a_named_file_that_upstream_lacks(built, tmp_path, name):
    (built.genai_source / name).unlink()
    with pytest.raises(InputError, match=f"has no {name}, which the recipe names"):
        packing.write_project(built, tmp_path / "out")


def test_extra_files_come_from_dependencies(tmp_path):
    build = context(tmp_path, target=WINDOWS_ARM)
    package = tmp_path / "package"
    package.mkdir()
    with pytest.raises(InputError, match=r"D3D12Core\.dll is not there"):
        packing._add_extra_files(build, package)
    library = tmp_path / "third_party/deps/d3d12lib-0000000000/build/native/bin/arm64/D3D12Core.dll"
    library.parent.mkdir(parents=True)
    library.write_bytes(b"MZ")
    packing._add_extra_files(build, package)
    assert (package / "D3D12Core.dll").read_bytes() == b"MZ"
    assert packing._origin(build, "minigenai/D3D12Core.dll") == "d3d12lib"
    assert packing._origin(build, "minigenai/minigenai.dll") == "genai"


def test_an_extra_file_of_an_unknown_dependency(tmp_path):
    build = context(tmp_path, target=WINDOWS, recipe=mini_recipe(("d3d12lib:build", "d3d13lib:build")))
    with pytest.raises(RecipeError, match="'d3d13lib', which is no dependency"):
        packing._add_extra_files(build, tmp_path)


def test_materials_list_sources_and_archives(tmp_path):
    (tmp_path / "r.toml").write_text("", encoding="utf-8")
    build = context(tmp_path, target=WINDOWS)
    names = ["genai", "ort", "mathlib"]
    checkouts = {n: Checkout(folder=tmp_path, commit=n * 2, tree="t", epoch=7) for n in names}
    nuget = Dependency(name="d3d12lib", url="https://www.nuget.org/api/v2/package/Microsoft.Direct3D.D3D12/1.614.1")
    made = packing.materials_of(
        build,
        checkouts,
        tmp_path / "r.toml",
        inputs={},
        toolchain={},
        known=lambda url: f"hash of {url[-7:]}",
        dependencies=[d for d in build.genai_project.needed if d.source] + [nuget],
    )
    assert {s.name: s.commit for s in made.sources} == {n: n * 2 for n in names}
    assert [(a.name, a.sha256) for a in made.artifacts] == [("d3d12lib", "hash of 1.614.1")]
    assert made.epoch == 7
