"""The recipes of a source build that are shipped: their transcripts read like what an expert types, on any system.

Write the golden files anew with `python -m tests.recipes.building.test_shipped_recipes` and read the difference.
"""

import re
import zipfile
from pathlib import Path

import pytest

import tasks
from front.door.program import FrontDoor
from recipes.building import parts as doors
from recipes.building.transcript import transcript
from recipes.spec.load import available, load
from recipes.spec.request import Request, options_from
from recipes.spec.target import Target
from wheelhouse.downloads import IndexFile, fetch_index_files
from wheelhouse.errors import RecipeError, UsageError

GOLDEN = Path(__file__).parent / "golden" / "shipped"
CASES = {
    f"{recipe}-{target}.{shell}.txt": (recipe, target, shell)
    for recipe, targets, shells in [
        ("dml", ("windows-x64", "windows-arm64"), ("cmd", "powershell")),
        ("cpu", ("windows-x64",), ("cmd",)),
        ("dml-1.24", ("windows-x64",), ("cmd",)),
    ]
    for target in targets
    for shell in shells
}


def made(name):
    recipe, target, shell = CASES[name]
    request = Request(recipe=recipe, target=target, options=options_from(pythons=("3.12",)))
    return transcript(request, shell) + "\n"


@pytest.fixture(autouse=True)
def on_another_system(monkeypatch):
    monkeypatch.setattr(doors, "host_target", lambda: Target(os="linux", arch="arm64"))
    monkeypatch.setattr(
        doors, "context", lambda *_, **__: pytest.fail("a plan for another system asks nothing of this one")
    )


@pytest.mark.parametrize("name", CASES)
def test_golden(name, monkeypatch):
    monkeypatch.setattr("subprocess.Popen", lambda *_, **__: pytest.fail("a process was started"))
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("a connection was opened"))
    assert made(name) == (GOLDEN / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [n for n in CASES if n.startswith("dml-windows")])
def test_build_dml_prints_it_as_it_is_typed(name, monkeypatch, capsys):
    monkeypatch.setattr("subprocess.Popen", lambda *_, **__: pytest.fail("a process was started"))
    _, target, shell = CASES[name]
    line = f"invoke build-dml --lane git --plan --arch {target.partition('-')[2]} --shell {shell} --python 3.12"
    FrontDoor(tasks.namespace).run(line, exit=False)
    lane, _, text = capsys.readouterr().out.partition("\n")
    assert lane == "Lane: git (as asked with --lane)."
    assert text == (GOLDEN / name).read_text(encoding="utf-8")


def test_a_shell_that_windows_does_not_have_is_refused(capsys):
    FrontDoor(tasks.namespace).run("invoke build-dml --lane git --plan --shell posix", exit=False)
    assert "windows-x64 is not built from a posix shell. Leave --shell out." in " ".join(
        capsys.readouterr().err.split()
    )


@pytest.mark.parametrize("name", [n for n in CASES if n.startswith("dml-windows")])
def test_what_makes_it_directml(name):
    text = made(name)
    for part in ("--use_dml", "--dml_path", "--build_shared_lib", "--build_wheel", "--skip_tests", "--no_telemetry"):
        assert part in text
    for define in ("USE_DML=ON", "ENABLE_TELEMETRY=OFF", "ENABLE_PYTHON=OFF", "FETCHCONTENT_FULLY_DISCONNECTED=ON"):
        assert define in text
    assert r"FETCHCONTENT_SOURCE_DIR_DLIB=C:\dml-wheelhouse" in text
    assert ("--arm64" in text) == ("arm64" in name)


def test_the_cpu_recipe_is_the_same_without_directml():
    dml, cpu = load("dml"), load("cpu")
    assert cpu.onnxruntime.source == dml.onnxruntime.source
    assert cpu.genai.source == dml.genai.source
    assert "--use_dml" not in cpu.onnxruntime.build_flags
    assert cpu.genai.cmake_defines == dml.genai.cmake_defines | {"USE_DML": "OFF"}
    assert {"linux-x64", "linux-arm64", "windows-x64"} == set(cpu.targets)


def test_a_version_is_a_matter_of_a_few_lines():
    old = load("dml-1.24")
    assert (old.onnxruntime.version, old.onnxruntime.source.tag) == ("1.24.4", "v1.24.4")
    assert old.genai == load("dml").genai
    assert len(available()["dml-1.24"].read_text(encoding="utf-8").splitlines()) < 15


@pytest.mark.network
def test_the_published_binaries_name_the_commits_that_the_recipes_do():
    """Measured again, from the wheels themselves."""
    dml, old = load("dml"), load("dml-1.24")
    wanted = {
        ("published", "onnxruntime-windowsml"): (rb"git-commit-id=([0-9a-f]{7,40})", dml.onnxruntime.source.built_as),
        ("published-0.14", "onnxruntime-directml"): (
            rb"git-commit-id=([0-9a-f]{7,40})",
            old.onnxruntime.source.built_as,
        ),
        ("published", "onnxruntime-genai-winml"): (rb"__commit__ = \"([0-9a-f]{7,40})", dml.genai.source.built_as),
    }
    for (recipe, package), (pattern, commit) in wanted.items():
        published = load(recipe).published
        artifact = next(a for a in (*published.donors, *published.artifacts) if a.package == package)
        file = IndexFile(
            package=package,
            version=artifact.version,
            filename=artifact.filename,
            sha256=artifact.sha256,
            python=f"3.{artifact.python.removeprefix('cp3')}",
            platform=artifact.platform,
        )
        with zipfile.ZipFile(fetch_index_files([file])[file.filename]) as wheel:
            names = [n for n in wheel.namelist() if n.endswith(("/onnxruntime.dll", "onnxruntime_genai/__init__.py"))]
            found = {m.decode() for name in names for m in re.findall(pattern, wheel.read(name))}
        assert len(found) == 1
        assert found.pop().startswith(commit)


def test_extends_is_read_strictly(tmp_path):
    def write(name, text):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return str(tmp_path / name)

    with pytest.raises(RecipeError, match=r"there is no such recipe\. Did you mean 'dml'"):
        load(write("a.toml", 'extends = "dmll"'))
    with pytest.raises(RecipeError, match=r"b\.toml:3: unknown key 'packge'.*Did you mean 'package'"):
        load(write("b.toml", 'extends = "dml"\n[genai]\npackge = "x"'))
    write("c.toml", 'extends = "d"')
    with pytest.raises(RecipeError, match="goes in a circle: d -> c -> d"):
        load(write("d.toml", 'extends = "c"'))
    assert load(write("e.toml", 'extends = "cpu"\npythons = ["3.12"]')).pythons == ("3.12",)


def test_targets_that_a_recipe_does_not_have():
    with pytest.raises(UsageError, match="not for linux-x64"):
        transcript(Request(recipe="dml", target="linux-x64", options=options_from()))


if __name__ == "__main__":
    doors.host_target = lambda: Target(os="linux", arch="arm64")
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for name in CASES:
        (GOLDEN / name).write_text(made(name), encoding="utf-8")
