"""A bundle, unpacked as on another machine, run by this Python without pip, and compared at home."""

import dataclasses
import json
import os
import shutil
import stat
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from smoke.backends import registry, selection
from smoke.backends.variants import Pinned
from smoke.comparing import bundle, bundling
from smoke.comparing.compare import compare
from smoke.comparing.elsewhere import bundle_run
from smoke.environments import environment_recipes
from smoke.environments.environment_recipes import EnvironmentRecipe
from smoke.parity import gates
from smoke.running import run
from tests.smoke import fakes
from wheelhouse.errors import InputError, UsageError

HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    """A bundle of the stand-in engine, and the dumps of the same variants at home."""
    base = tmp_path_factory.mktemp("bundle")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DML_WHEELHOUSE_CACHE", str(base / "cache"))
        patch.chdir(base)
        make(base, patch)
    return base


@pytest.fixture
def packed(once, tmp_path):
    shutil.copy(once / "b.zip", tmp_path)
    shutil.copytree(once / "home", tmp_path / "home")
    return tmp_path


def make(tmp_path, monkeypatch):
    model, export = fakes.model(tmp_path / "model"), fakes.export(tmp_path / "healthy")
    source = Pinned(name="ort")
    cpu = fakes.backend("cpu", fakes.variant("int4", gate=gates.INT4, noise=0.1))
    away = fakes.backend("away", fakes.variant("int4", gate=gates.FP16, noise=0.1, against="cpu:int4"), source=source)
    known = (fakes.reference(), cpu, away)
    recipe = EnvironmentRecipe(label="nothing", python=HERE, size=1, deepest=1, packages=())
    monkeypatch.setattr(environment_recipes, "environment", lambda name: recipe)
    for module in (run, bundle):
        monkeypatch.setattr(module, "resolve", lambda spec: model)
    for module in (run, bundling):
        monkeypatch.setattr(module, "export_all", lambda model, kinds, **_: dict.fromkeys(kinds, export))
    select = selection.select
    monkeypatch.setattr(selection, "select", lambda names, **given: select(names, **(given | {"known": known})))
    pack(backends=["away"], out=str(tmp_path / "b.zip"))
    from smoke.running.smoke_request import Request

    home = [item for item in selection.select([], everything=True) if item.backend.name != "away"]
    run.smoke(
        Request(
            plan=home, model="any", prompts=("one", "two words"), max_new_tokens=12, report=tmp_path / "report",
            timeout=60.0, dump=tmp_path / "home",
        )
    )  # fmt: skip


def pack(**changes):
    asked = {
        "backends": ["away"], "model": "any", "prompts": "", "max_new_tokens": 12, "timeout": 60.0, "repeat": 2,
        "lengths": [], "wheels": (), "out": "", "no_model": False,
    }  # fmt: skip
    Path("prompts.txt").write_text("one\ntwo words\n", encoding="utf-8")
    bundle.bundle(**(asked | {"prompts": "prompts.txt"} | changes))


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def unpacked(packed):
    with zipfile.ZipFile(packed / "b.zip") as archive:
        archive.extractall(packed / "there")
    there = packed / "there"
    (there / "worker" / fakes.ENGINE.name).write_bytes(fakes.ENGINE.read_bytes())
    return there


def made(there):
    """Make the environment that pip would have made, with this Python's own packages in sight."""
    about = json.loads((there / "environments" / "ort.json").read_text(encoding="utf-8"))
    folder = there / f"environment-ort-{HERE}"
    venv.create(folder, system_site_packages=True, with_pip=False, symlinks=os.name != "nt")
    pointer = next(folder.rglob("site-packages")) / "packages.pth"
    pointer.write_text("\n".join(path for path in sys.path if path.endswith("site-packages")), encoding="utf-8")
    (folder / "complete").write_text(about["key"], encoding="utf-8")


def started(there, *arguments):
    """Start the bundle where output goes to a console without any letter but ASCII's."""
    return subprocess.run(
        [sys.executable, there / "run.py", *arguments], capture_output=True, text=True, encoding="utf-8", check=False,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip


def test_a_bundle_runs_alone_and_its_dump_is_judged_at_home(packed):
    there = unpacked(packed)
    made(there)
    done = started(there)
    assert done.returncode == 0, done.stderr
    (dumps,) = there.glob("dumps-*.zip")
    assert f"invoke compare HOME {dumps.name}" in done.stdout
    assert "away:int4 ..." in done.stdout
    report = compare([packed / "home", dumps])
    found = {r.name: r for r in report.results if r.machine == dumps.stem}
    assert {name: r.verdict.value for name, r in found.items()} == {f"{dumps.stem} away int4": "PASS"}
    (result,) = found.values()
    assert result.against == "home cpu:int4"
    assert len(result.performance.tokens_per_s_samples) == 2
    assert result.metrics.logits.positions == 24
    assert str(packed) not in (there / "bundle.json").read_text(encoding="utf-8")


def test_what_the_bundle_cannot_do_is_said(packed):
    there = unpacked(packed)
    done = started(there, "--only", "nothing:here")
    assert (done.returncode, done.stdout) == (1, "")
    assert "There is no nothing:here here, but: away:int4." in done.stderr
    about = there / "environments" / "ort.json"
    about.write_text(json.dumps(json.loads(about.read_text(encoding="utf-8")) | {"pythons": ["3.1"]}), encoding="utf-8")
    assert "ort has packages for 3.1" in started(there).stderr
    made(there)
    about.write_text(json.dumps(json.loads(about.read_text(encoding="utf-8")) | {"pythons": [HERE]}), encoding="utf-8")
    for file in (there / "models" / "healthy").iterdir():
        file.unlink()
    (there / "models" / "healthy").rmdir()
    done = started(there)
    assert "`invoke export --backend away:int4 --model any` makes it" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_lies_too_deep_for_windows_is_said_before_anything_is_installed(packed, monkeypatch):
    there = unpacked(packed)
    deepest = json.loads((there / "environments" / "ort.json").read_text(encoding="utf-8"))["deepest"]
    room = len(str(there / f"environment-ort-{HERE}")) + 1 + deepest
    monkeypatch.setattr(bundle_run, "HERE", there)
    monkeypatch.setattr(bundle_run, "LONGEST_PATH", room - 1)
    monkeypatch.setattr(bundle_run, "_long_paths", lambda: False)
    monkeypatch.setattr(bundle_run, "_step", lambda *_: pytest.fail("began"))
    with pytest.raises(bundle_run.ProblemError, match=f"up to {deepest}: Windows takes {room - 1}.*such as C:"):
        bundle_run._environment("ort", None)
    (there / f"environment-ort-{HERE}").mkdir()
    monkeypatch.setattr(bundle_run, "_step", lambda *_: None)
    for setting, value in (("LONGEST_PATH", room), ("_long_paths", lambda: True)):
        with monkeypatch.context() as patch:
            patch.setattr(bundle_run, setting, value)
            assert bundle_run._environment("ort", None).is_relative_to(there)
        (there / f"environment-ort-{HERE}" / "complete").unlink()


def test_a_worker_that_dies_comes_home_as_a_crash(packed):
    there = unpacked(packed)
    made(there)
    (there / "worker" / fakes.ENGINE.name).write_text("import os\nos._exit(7)\n", encoding="utf-8")
    assert started(there).returncode == 0
    report = compare([packed / "home", *there.glob("dumps-*.zip")])
    assert [r.verdict.value for r in report.results if r.backend == "away"] == ["CRASHED"]


def test_the_shell_script_takes_a_python_that_works(packed):
    if os.name == "nt":
        pytest.skip("cmd has its own script")
    there = unpacked(packed)
    tools = packed / "tools"
    tools.mkdir()
    (tools / "python3").write_text('#!/bin/sh\necho "$0 $@"\n', encoding="utf-8")
    (tools / f"python{HERE}").write_text(
        "#!/bin/sh\nexit 127\n", encoding="utf-8"
    )  # as pyenv's are, for a version that is not chosen
    for tool in tools.iterdir():
        tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    done = subprocess.run(
        ["/bin/sh", there / "run.sh", "--only", "x"], env={"PATH": str(tools) + ":/usr/bin:/bin"}, capture_output=True,
        text=True, check=True,
        encoding="utf-8",
    )  # fmt: skip
    assert done.stdout.split()[1:] == ["run.py", "--only", "x"]


@pytest.mark.parametrize(
    ("changes", "error", "word"),
    [
        ({"backends": []}, UsageError, "Which backend"),
        ({"backends": ["npu-legacy:fp16"]}, UsageError, "cannot be bundled"),
        ({"backends": ["nothing"]}, UsageError, "no backend"),
        ({"backends": ["ort-cpu:int4"], "out": "b.tar"}, InputError, "name of a .zip"),
    ],
)
def test_what_cannot_be_packed_is_refused_before_anything_runs(tmp_path, changes, error, word):
    with pytest.raises(error, match=word):
        pack(**changes)
    assert [path.name for path in tmp_path.iterdir()] == ["prompts.txt"]


@pytest.mark.parametrize("name", ["ort-cpu:fp32", "openvino:fp16", "webgpu:fp16", "cuda:int4", "npu:fp16"])
def test_backends_with_pins_travel(name):
    item = next(item for item in selection.select([name], everything=False) if item.name == name)
    assert bundling.environment(item).pythons
    assert registry.BACKENDS


def test_what_is_resolved_by_platform_is_not_pinned_without_its_needs(tmp_path):
    item = next(item for item in selection.select(["openvino:fp16"], everything=False) if item.name == "openvino:fp16")
    files = bundling.environment(item).files()
    assert "openvino==" in files["main.txt"]
    assert "torch==" not in files["main.txt"]
    about = json.loads(files["main.json"])
    assert about["deepest"] == environment_recipes.environment("main").deepest
    assert [pin.partition("==")[0] for pin in about["with what they need"]] == ["torch"]
    assert "win32-arm64" in about["impossible"]


def test_a_wheel_of_ones_own_takes_the_place_of_the_pin(tmp_path):
    wheel = tmp_path / "onnxruntime_genai-9.0-cp312-cp312-win_amd64.whl"
    item = next(item for item in selection.select(["ort-cpu:int4"], everything=False) if item.name == "ort-cpu:int4")
    files = bundling.environment(dataclasses.replace(item, wheels=(wheel,))).files()
    assert "onnxruntime==" in files["ort.txt"]
    assert "onnxruntime-genai==" not in files["ort.txt"]
    assert json.loads(files["ort.json"])["with what they need"] == ["onnxruntime-genai==9.0"]
    assert json.loads(files["ort.json"])["pythons"] == ["3.12"]


def test_directml_travels_with_its_wheels(tmp_path, monkeypatch):
    names = [
        "onnxruntime_directml-1.30.0-cp312-cp312-win_amd64.whl",
        "onnxruntime_directml-1.24.4-cp312-cp312-win_amd64.whl",
    ]
    for name in names:
        (tmp_path / name).touch()
    item = next(item for item in selection.select(["dml:fp16"], everything=False) if item.name == "dml:fp16")
    monkeypatch.setattr(bundling, "wheels_dir", lambda: tmp_path)
    with pytest.raises(InputError, match="no pair"):
        bundling.environment(item)
    for arch in ("amd64", "arm64"):
        (tmp_path / f"onnxruntime_genai_directml-0.18.0-cp312-cp312-win_{arch}.whl").touch()
    made_of = bundling.environment(item)
    assert made_of.pythons == ["3.12"]
    assert [wheel.name.split("-")[1] for wheel in made_of.wheels] == ["1.30.0", "0.18.0", "0.18.0"]
    assert json.loads(made_of.files()["dml.json"])["with what they need"] == [
        "onnxruntime-directml==1.30.0", "onnxruntime-genai-directml==0.18.0"
    ]  # fmt: skip
