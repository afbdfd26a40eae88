"""The miniature upstreams go through the real code: cloned, compiled, staged, packed, installed, imported."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest

from recipes.building import parts as doors
from recipes.sources.pins import Pins
from recipes.spec import target
from recipes.spec.load import load
from recipes.spec.request import Request, options_from
from recipes.spec.target import host_target
from tests.recipes import upstream
from wheelhouse.errors import InputError, IntegrityError, ResourceError, StepFailedError
from wheelhouse.files import sha256_file

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(sys.platform != "linux", reason="the miniature upstreams compile on Linux"),
]
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
TAG = f"cp{PYTHON.replace('.', '')}"
GENAI = f"minigenai-0.15.2+mini.1-{TAG}-{TAG}-{host_target().wheel_platform}.whl" if sys.platform == "linux" else ""


class Project:
    """A folder with upstreams, sources, cache and wheels of its own."""

    def __init__(self, folder, monkeypatch):
        self.folder, self.monkeypatch = folder, monkeypatch
        self.upstream = upstream.make_upstream(folder, pybind11=True)
        self.enter()

    def enter(self):
        for name, value in upstream.environment(self.folder).items():
            self.monkeypatch.setenv(name, value)
        self.monkeypatch.setattr(target, "third_party_dir", lambda: self.folder / "third_party")

    def build(self, until="wheel", **options):
        chosen = options_from(source_mirror=str(self.upstream.mirror), **options)
        request = Request(recipe=str(self.upstream.recipe), options=chosen)
        return doors.build_git_lane(request, self.wheels, until=until)

    @property
    def wheels(self):
        return self.folder / "wheels"

    @property
    def work(self):
        return self.folder / "cache" / "build" / f"mini-{host_target().name}"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """One finished build, shared by the tests that only look at it."""
    with pytest.MonkeyPatch.context() as patch:
        project = Project(tmp_path_factory.mktemp("one"), patch)
        project.made = project.build()
    return project


@pytest.fixture
def project(built, tmp_path, monkeypatch):
    """A copy of the finished build that a test may harm."""
    shutil.copytree(built.folder, tmp_path / "p", symlinks=True)
    copy = Project.__new__(Project)
    copy.folder, copy.monkeypatch = built.folder, monkeypatch
    copy.upstream = built.upstream
    copy.enter()
    yield copy
    shutil.rmtree(built.folder)  # put the original back for the next test
    (tmp_path / "p").rename(built.folder)


def refuse_processes(monkeypatch):
    monkeypatch.setattr("subprocess.Popen", lambda *_, **__: pytest.fail("a process was started"))


def test_what_comes_out(built):
    assert set(built.made) == {GENAI, f"miniort-1.23.4+mini.1-{TAG}-{TAG}-{host_target().wheel_platform}.whl"}
    assert {p.name for p in built.wheels.glob("*.whl")} == set(built.made)
    with zipfile.ZipFile(built.wheels / GENAI) as wheel:
        names = wheel.namelist()
        metadata = wheel.read("minigenai-0.15.2+mini.1.dist-info/METADATA").decode()
        provenance = json.loads(wheel.read("minigenai-0.15.2+mini.1.dist-info/provenance.json"))
        times = {info.date_time for info in wheel.infolist()}
        content = b"".join(wheel.read(name) for name in names)
    assert "Requires-Dist: miniort==1.23.4+mini.1\n" in metadata
    assert "Requires-Dist: numpy>=1.21.6\n" in metadata
    assert times == {(2023, 11, 14, 22, 13, 20)}  # the commit's date
    assert not [name for name in names if "D3D12Core" in name or "experimental" in name]
    assert str(built.folder).encode() not in content
    assert {s["commit"] for s in provenance["sources"]} == {
        built.upstream.commits[name] for name in ("ort", "genai", "mathlib")
    }
    assert "archive/v1.zip" in {a["url"].partition("pybind11/")[2] for a in provenance["artifacts"]}


def test_it_installs_and_imports_in_a_clean_environment(built, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "v"], check=True)
    python = tmp_path / "v/bin/python"
    pip = [python, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", *built.wheels.glob("*.whl")]
    subprocess.run(pip, check=True, env=os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"})
    code = (
        "import minigenai as m; from minigenai import helper; print(m.answer(), m.telemetry(), m.file(), m.__version__)"
    )
    done = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True, encoding="utf-8")
    answer, telemetry, file, version = done.stdout.split()
    assert (answer, telemetry, version) == ("46", "0", "0.15.2")  # twice ORT API 23, telemetry off
    assert file.startswith("/src/genai-")


def test_nothing_runs_a_second_time(project):
    refuse_processes(project.monkeypatch)
    assert set(project.build().values()) == {0.0}


def test_two_folders_give_the_same_bytes(built, tmp_path, monkeypatch):
    other = Project(tmp_path / "another" / "place", monkeypatch)
    other.build()
    assert (other.wheels / GENAI).read_bytes() == (built.wheels / GENAI).read_bytes()


@pytest.mark.parametrize("harm", ["remove", "swap", "truncate"])
@pytest.mark.parametrize("name", ["include/onnxruntime_ep_c_api.h", "lib/libonnxruntime.so"])
def test_a_harmed_staging_is_named_before_a_compiler_starts(project, name, harm):
    file = project.work / "ort-home" / name
    if harm == "remove":
        file.unlink()
    else:
        file.write_bytes(b"other" if harm == "swap" else file.read_bytes()[:-1])
    refuse_processes(project.monkeypatch)
    with pytest.raises(IntegrityError, match=f"staged file {name}"):
        project.build()


def test_a_changed_checkout_is_refused_before_it_is_compiled(project):
    (project.folder / "third_party" / "deps").joinpath(
        f"mathlib-{project.upstream.commits['mathlib'][:10]}", "include", "mathlib.h"
    ).write_text("changed", encoding="utf-8")
    shutil.rmtree(project.work / "core")
    with pytest.raises(InputError, match=r"has been changed since it was fetched \(include/mathlib\.h\)"):
        project.build()


def test_a_full_disk_is_named_before_compiling(project):
    shutil.rmtree(project.work / "core")
    project.monkeypatch.setattr("recipes.building.git_lane.CORE_ROOM", 10**18)
    project.monkeypatch.setattr("recipes.building.git_lane.run_all", lambda *_: pytest.fail("compiled"))
    with pytest.raises(ResourceError, match="Building GenAI needs"):
        project.build()


def test_another_python_does_not_throw_the_build_away(project):
    marker = project.work / "ort" / "Release" / "compiled-for-hours"
    marker.write_text("", encoding="utf-8")
    shutil.rmtree(project.work / f"ort-{TAG}")
    project.build(until="build-ort")
    assert marker.exists()
    recipe = project.upstream.recipe
    recipe.write_text(
        recipe.read_text(encoding="utf-8").replace('"--build_shared_lib", ', '"--build_shared_lib", "--skip_tests", '),
        encoding="utf-8",
    )
    project.build(until="build-ort")
    assert not marker.exists()


def test_a_missing_dependency_is_named_before_configuring(project):
    from recipes.sources.dependencies import require_present

    request = Request(recipe=str(project.upstream.recipe), options=options_from())
    build = doors.context(request)
    shutil.rmtree(project.folder / "third_party" / "deps" / f"mathlib-{project.upstream.commits['mathlib'][:10]}")
    with pytest.raises(InputError, match="dependencies are missing: mathlib"):
        require_present(build.genai_project)


def test_a_failed_build_keeps_what_was_finished_and_goes_on(project):
    recipe = project.upstream.recipe
    good = recipe.read_text(encoding="utf-8")
    recipe.write_text(good.replace('ENABLE_TESTS = "OFF"', 'ENABLE_TESTS = "ON"'), encoding="utf-8")
    with pytest.raises(StepFailedError, match="tests must be switched off"):
        project.build()
    assert (project.work / "core" / ".step.json").exists()  # the former result is untouched
    assert not (project.work / ".core.partial" / ".step.json").exists()
    recipe.write_text(good, encoding="utf-8")
    refuse_processes(project.monkeypatch)
    assert set(project.build().values()) == {0.0}


def test_a_recipe_whose_version_is_not_the_sources(project):
    recipe = project.upstream.recipe
    recipe.write_text(
        recipe.read_text(encoding="utf-8").replace('version = "1.23.4"', 'version = "1.23.9"'), encoding="utf-8"
    )
    shutil.rmtree(project.work / f"ort-{TAG}")
    with pytest.raises(StepFailedError, match=r"left no wheel 1\.23\.9"):
        project.build()


def test_a_new_version_makes_again_what_depends_on_it_and_says_why(project, capsys):
    ort = project.upstream.mirror / "mini" / "ort"
    (ort / "VERSION_NUMBER").write_text("1.23.5\n", encoding="utf-8")
    upstream.git(ort, "add", "VERSION_NUMBER")
    upstream.git(ort, "commit", "--quiet", "--message", "next")
    upstream.git(ort, "tag", "v2")
    recipe = project.upstream.recipe
    text = recipe.read_text(encoding="utf-8")
    recipe.write_text(
        text.replace('version = "1.23.4"', 'version = "1.23.5"').replace('ort"\ntag = "v1"', 'ort"\ntag = "v2"'),
        encoding="utf-8",
    )
    try:
        made = project.build()
    finally:
        recipe.write_text(text, encoding="utf-8")
        upstream.git(ort, "tag", "--delete", "v2")
    assert {name.split("-")[1] for name in made} == {"1.23.5+mini.1", "0.15.2+mini.1"}
    assert all(made.values())
    said = capsys.readouterr().err
    why = dict(
        re.findall(
            r"^(fetch|build ONNX|stage|build GenAI|pack)[^\n:]*: (.*(?:changed|not made yet))$", said, re.MULTILINE
        )
    )
    assert why["fetch"] == "not made yet"
    assert "source" in why["build ONNX"]
    assert "version" in why["build ONNX"]
    assert "version" in why["stage"]
    assert why["build GenAI"] == "ORT_HOME changed"
    assert {"core", "requirements", "recipe"} <= set(why["pack"].removesuffix(" changed").split(", "))


def test_ort_home_of_the_user(project):
    given = project.folder / "given"
    shutil.copytree(project.work / "ort-home", given)
    made = project.build(ort_home=str(given))
    assert set(made) == {GENAI}
    (given / "include/onnxruntime_float16.h").unlink()
    with pytest.raises(InputError, match=r"onnxruntime_float16\.h, which onnxruntime_ep_c_api\.h includes"):
        project.build(ort_home=str(given))


def test_published_ort_is_fetched_recorded_and_verified(project):
    place = project.upstream.mirror / "mini/ort/releases/download/v1/ort.tgz"
    place.parent.mkdir(parents=True)
    with tarfile.open(place, "w:gz") as archive:
        archive.add(project.work / "ort-home", arcname="ort")
    project.build(ort="published", until="stage")
    known = Pins(project.upstream.recipe).sha256("https://github.com/mini/ort/releases/download/v1/ort.tgz")
    assert known == sha256_file(place)
    place.write_bytes(place.read_bytes() + b"x")
    shutil.rmtree(project.work / "ort-home")
    with pytest.raises(IntegrityError, match="is pinned"):
        project.build(ort="published", until="stage")


def test_parts_stop_where_they_say(tmp_path, monkeypatch):
    project = Project(tmp_path, monkeypatch)
    assert project.build(until="fetch") == {}
    assert not project.work.exists()
    project.build(until="stage")
    assert (project.work / "ort-home/manifest.json").exists()
    assert not (project.work / "core").exists()
    assert load(str(project.upstream.recipe)).name == "mini"
