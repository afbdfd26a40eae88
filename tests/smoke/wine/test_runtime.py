"""The runtime itself: `pytest -m wine` after `invoke wine-setup`, as root."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from smoke.backends.registry import WORKER
from smoke.suites.operators import measured_providers, suite
from smoke.suites.operators.rows import Measured
from smoke.wine import commands, environment, mounts, namespace, places, recipe, selftest, setup
from smoke.wine.parts import direct3d, windows_python
from wheelhouse.errors import BusyError, StepFailedError
from wheelhouse.files import sha256_file, sha256_tree
from wheelhouse.process import Command, render, run
from wheelhouse.steps import Step

pytestmark = pytest.mark.wine

CHECKS = Path(__file__).parent / "windows_checks.py"


@pytest.fixture(scope="module")
def wine():
    problem = namespace.obstacle()
    if problem is not None or not setup.finished(recipe.load()):
        pytest.skip(f"needs the Wine runtime: {problem or environment.SETUP}")
    return environment.prepare(commands.pair())


def python(wine, code, log, **changes):
    changed = dataclasses.replace(wine, env={**wine.env, **changes})
    return run(changed.command("-c", code, timeout=240), log=log, check=False)


def planted(wine, tmp_path, plant):
    """Return the environment with files put into the prefix of each of its sessions."""
    original = Path(wine.python[-1])
    spec = json.loads(original.read_text(encoding="utf-8"))
    spec["plant"] = {inside: str(outside) for inside, outside in plant.items()}
    changed = tmp_path / "session.json"
    changed.write_text(json.dumps(spec), encoding="utf-8")
    return dataclasses.replace(wine, python=(*wine.python[:-1], str(changed)))


def test_exit_codes_arrive(wine, tmp_path):
    assert python(wine, "print('x')", tmp_path / "log").returncode == 0
    assert python(wine, "raise SystemExit(7)", tmp_path / "log").returncode == 7
    assert python(wine, "1/0", tmp_path / "log").returncode == 1


def test_a_program_that_crashes_ends(wine, tmp_path):
    done = python(
        wine, "import ctypes; ctypes.windll.kernel32.RaiseException(0xC0000005, 1, 0, None)", tmp_path / "log"
    )
    assert not done.timed_out
    assert done.returncode != 0


def test_what_a_program_changes_is_gone_afterwards(wine, tmp_path):
    windows = r"C:\windows\system32\planted.txt"
    done = python(wine, f"open(r'{windows}', 'w').write('x'); open(r'{windows}')", tmp_path / "log")
    assert done.returncode == 0
    assert python(wine, f"open(r'{windows}')", tmp_path / "log").returncode == 1
    assert not (places.prefix() / places.FILES / places.SYSTEM32 / "planted.txt").exists()


def test_nothing_survives_the_death_of_whoever_started_it(wine, tmp_path):
    starter = tmp_path / "starter.py"
    argv = list(wine.command("-c", "import time; open('ready', 'w'); time.sleep(600)").argv)
    starter.write_text(f"import subprocess\nsubprocess.run({argv!r})\n", encoding="utf-8")
    process = subprocess.Popen([sys.executable, str(starter)], cwd=tmp_path)
    deadline = time.monotonic() + 120
    while not (tmp_path / "ready").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert (tmp_path / "ready").exists()
    started = psutil.Process(process.pid).children(recursive=True)
    assert len(started) > 3
    with pytest.raises(BusyError, match="A program in Wine"), setup.unused(places.runtime(), timeout=0.1):
        pytest.fail("a set-up could have replaced what the program runs in")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert psutil.wait_procs(started, timeout=30)[1] == []
    assert mounts.mounted_below(places.base()) == []
    with setup.unused(Path(wine.python[-1]).parent, timeout=30):
        pass


def test_the_self_test_passes(wine, tmp_path):
    checks = selftest.run_checks(wine, tmp_path)
    assert {name: check.seen for name, check in checks.items() if not check.passed} == {}
    assert len(checks) == 7


def test_without_our_library_every_gap_is_open(wine, tmp_path):
    """The self-test can fail: with Wine's own d3d12.dll in place of ours it must."""
    builtin = places.ground().libraries / direct3d.DLL
    native = tmp_path / "native.dll"
    native.write_bytes(direct3d.as_native(builtin.read_bytes()))
    bare = planted(wine, tmp_path, {f"{places.SYSTEM32}/{direct3d.DLL}": native})
    folder = tmp_path / "out"
    folder.mkdir()
    checks = selftest.run_checks(bare, folder)
    failed = {name for name, check in checks.items() if not check.passed}
    # Wine gives GenAI a stub for the function that is missing, so that it fails only when it is called.
    assert failed >= set(checks) - {"GenAI imports"}
    assert "0x80004001" in checks["DMLCreateDevice succeeds"].seen


def test_direct3ds_own_rounding_can_be_had_and_is_told_from_ours(wine, tmp_path):
    truncating = dataclasses.replace(wine, env={**wine.env, "DML_WHEELHOUSE_D3D12_ROUNDING": "zero"})
    checks = selftest.run_checks(truncating, tmp_path)
    assert {name for name, check in checks.items() if not check.passed} == {"fp16 is rounded to the nearest"}


def test_a_self_test_that_fails_is_an_error_and_is_not_remembered(wine, tmp_path, monkeypatch):
    missing = selftest.Check(passed=False, seen="DMLCreateDevice: 0x80004001")
    monkeypatch.setattr(selftest, "run_checks", lambda *_: {"DMLCreateDevice succeeds": missing})
    monkeypatch.setattr(selftest, "step", lambda _: Step(name="x", output=tmp_path / "t", inputs={}))
    with pytest.raises(StepFailedError, match=r"does not work: DMLCreateDevice succeeds \(DMLCreateDevice: 0x80004001"):
        selftest.ensure(recipe.load(), wine)
    assert not (tmp_path / "t").exists()


def test_our_library_refuses_a_wine_it_was_not_tested_with(wine, tmp_path, monkeypatch):
    import msgspec

    other = msgspec.structs.replace(recipe.load(), tested_wine=("9.9", "10.01"))
    monkeypatch.setattr(places, "shim", lambda: tmp_path / "shim")
    direct3d.ensure_shim(other)
    strict = planted(wine, tmp_path, {f"{places.SYSTEM32}/{direct3d.DLL}": tmp_path / "shim" / direct3d.DLL})
    folder = tmp_path / "out"
    folder.mkdir()
    seen = selftest.run_checks(strict, folder)["DMLCreateDevice succeeds"].seen
    assert "0x887A0004" in seen
    assert "refused: Wine 10.0 was not tested" in (folder / "trace.log").read_text(encoding="utf-8")


def test_two_builds_of_our_library_are_the_same(wine, tmp_path, monkeypatch):
    built = sha256_file(places.shim() / direct3d.DLL)
    monkeypatch.setattr(places, "shim", lambda: tmp_path / "shim")
    direct3d.ensure_shim(recipe.load())
    assert sha256_file(tmp_path / "shim" / direct3d.DLL) == built


def test_a_stray_onnxruntime_in_system32_is_not_the_one_that_runs(wine, tmp_path):
    decoy = tmp_path / "decoy.dll"
    decoy.write_bytes(b"MZ not a library")
    bare = planted(wine, tmp_path, {f"{places.SYSTEM32}/onnxruntime.dll": decoy})
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import onnxruntime_genai, worker_host, json\n"
        "json.dump(worker_host.loaded_libraries(['onnxruntime', 'directml']), open(sys.argv[2], 'w'))"
    )
    command_line = bare.command(
        "-c", code, bare.host_path(WORKER), bare.host_path(tmp_path / "loaded.json"), timeout=240
    )
    run(command_line, log=tmp_path / "log")
    loaded = json.loads((tmp_path / "loaded.json").read_text(encoding="utf-8"))
    assert {"onnxruntime.dll", "directml.dll"} <= {entry["path"].rsplit("\\", 1)[-1].lower() for entry in loaded}
    assert all(entry["path"].lower().startswith(wine.home.lower()) for entry in loaded)


def test_a_stray_onnxruntime_that_runs_is_no_pass(wine, tmp_path):
    """A program that has loaded System32's ONNX Runtime computes with it; here it is as good as the wheels' own."""
    from smoke.backends.registry import BACKENDS
    from smoke.parity import dumps
    from smoke.parity.judge import Expectation, stray_library
    from smoke.parity.verdicts import Verdict

    site = Path(wine.python[-1]).parent / places.FILES / windows_python.SITE
    capi = site / "onnxruntime" / "capi"
    bare = planted(wine, tmp_path, {f"{places.SYSTEM32}/{n}": capi / n for n in ("onnxruntime.dll", "DirectML.dll")})
    first = (
        "import ctypes, os, runpy, sys; ctypes.WinDLL('onnxruntime.dll'); sys.argv[:] = sys.argv[1:]; "
        "sys.path.insert(0, os.path.dirname(sys.argv[0])); runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    (variant,) = (v for b in BACKENDS if b.name == "dml" for v in b.variants if v.name == "fp16")
    expected = Expectation(
        gate=variant.gate, device=variant.device, model_key="", libraries=variant.libraries, home=wine.home
    )
    for environment_, start, strays in ((bare, ("-c", first), True), (bare, (), False)):
        folder = tmp_path / str(strays)
        folder.mkdir()
        (folder / "job.json").write_text(
            json.dumps({**tiny_job(wine, tokens=2), "output": wine.host_path(folder)}), encoding="utf-8"
        )
        arguments = (*start, wine.host_path(WORKER / "main.py"), wine.host_path(folder / "job.json"))
        run(environment_.command(*arguments, timeout=240), log=tmp_path / "log")
        found = stray_library(dumps.read(folder, prompts=1), expected)
        assert (found is not None) == strays
        if found is not None:
            assert found.verdict is Verdict.DIVERGED
            assert r"C:\windows\system32\onnxruntime.dll" in found.reason


def test_the_projects_windows_code_works_on_windows(wine, tmp_path):
    """Quoting for cmd, DXGI's adapters, paths and what a process has loaded: run by a Windows Python."""
    root = Path(__file__).resolve().parents[3]
    output = tmp_path / "found.json"
    arguments = ["plain", "two words", r"C:\Program Files\x", "a&b", "50%", "x=y", "(z)", "tail\\"]
    lines = [render(Command(argv=("show", argument)), "cmd").removeprefix("show ") for argument in arguments]
    (tmp_path / "job.json").write_text(json.dumps({"lines": lines}), encoding="utf-8")
    names = [wine.host_path(p) for p in (root, tmp_path / "job.json", output)]
    run(wine.command(wine.host_path(CHECKS), *names, timeout=240), log=tmp_path / "log")
    found = json.loads(output.read_text(encoding="utf-8"))
    assert found["arguments"] == arguments
    assert found["platform"] == "win32"
    assert [adapter["name"] for adapter in found["adapters"] if adapter["vendor"]]
    assert found["peak_memory"] > 10_000_000
    assert any(path.lower().endswith("python313.dll") for path in found["loaded"])


def test_operators_of_which_the_answer_is_known(wine, tmp_path):
    """fp16 is right at ordinary sizes, and the norm is wrong where its mean square passes fp16's largest number."""
    only = ["Add SmolLM2-135M odd fp32", "MatMul SmolLM2-135M up fp16", "SimplifiedLayerNormalization large fp16",
            "Mul SmolLM2-135M fp32"]  # fmt: skip
    found = suite.run(measured_providers.TARGETS[0], wheels=(), report=tmp_path, timeout=550, only=only)
    findings = {row[0]: row[4] for row in found.sections[0].rows}
    assert findings["Add SmolLM2-135M odd fp32"] == "agrees"
    assert findings["MatMul SmolLM2-135M up fp16"] == "agrees"
    assert findings["Mul SmolLM2-135M fp32"] == Measured.NO_SHADER.value
    assert findings["SimplifiedLayerNormalization large fp16, |x| up to 100"] == "agrees"
    assert findings["SimplifiedLayerNormalization large fp16, |x| up to 30000"] == "WRONG"
    assert found.result.device == "DirectML"


def test_sessions_one_after_the_other_take_no_more_memory_than_one(wine, tmp_path):
    """Each kept a device of its own and half a gigabyte, until the kernel ended the process."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import operator_session, worker_host\n"
        "from operator_cases import Case\n"
        "built = Case('Mul', '', {'rows': 3, 'width': 5}, 'fp16').build()\n"
        "taken = []\n"
        "for _ in range(5):\n"
        "    operator_session.run_once(built, operator_session.DML)\n"
        "    taken.append(worker_host.peak_memory())\n"
        "open(sys.argv[2], 'w').write(' '.join(map(str, taken)))"
    )
    names = (wine.host_path(WORKER), wine.host_path(tmp_path / "taken"))
    run(wine.command("-c", code, *names, timeout=240), log=tmp_path / "log")
    taken = [int(word) for word in (tmp_path / "taken").read_text(encoding="utf-8").split()]
    assert taken[0] > 100_000_000
    assert taken[-1] - taken[0] < 200_000_000


def test_a_finished_set_up_starts_nothing_and_changes_nothing(wine, monkeypatch):
    before = sha256_tree(places.shim())
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a process was started"))
    setup.make_runtime()
    assert environment.prepare(commands.pair()).key == wine.key
    assert sha256_tree(places.shim()) == before


def tiny_job(wine, *, tokens):
    """Return the worker's job of a short answer by a tiny model on DirectML, without its output folder."""
    from smoke.exports.making import export
    from smoke.models.resolving import resolve

    name = wine.host_path
    return {
        "engine": name(WORKER / "engine_ort_genai_dml.py"),
        "model": name(export(resolve("tiny-phi3"), "dml-fp16")),
        "device": "DirectML",
        "prompts": [{"text": "What is the capital of France?"}],
        "text": "The same again.",
        "max_new_tokens": tokens,
        "decode_steps": 2,
    }


def test_ten_runs_give_the_same_tokens_on_directml_alone(wine, tmp_path):
    name = wine.host_path
    job = tiny_job(wine, tokens=8)
    tokens = set()
    for number in range(10):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "job.json").write_text(json.dumps({**job, "output": name(folder)}), encoding="utf-8")
        run(wine.command(name(WORKER / "main.py"), name(folder / "job.json"), timeout=240), log=tmp_path / "log")
        dump = json.loads((folder / "dump.json").read_text(encoding="utf-8"))
        assert dump["device"]["name"] == "DirectML"
        assert "DmlFusedNode" in dump["device"]["evidence"]
        tokens.add(tuple(dump["prompts"][0]["tokens"]))
    assert len(tokens) == 1
    assert len(next(iter(tokens))) == 8


def test_a_killed_stage_leaves_nothing_and_the_next_run_finishes_it(wine, tmp_path):
    code = (
        "from pathlib import Path\nfrom smoke.wine import places, recipe\nfrom smoke.wine.parts import direct3d\n"
        f"places.prefix = lambda: Path({str(tmp_path / 'prefix')!r})\n"
        "direct3d.ensure_prefix(recipe.load())\n"
    )
    for seconds in (1.5, 3.0, 6.0):
        process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            started = psutil.Process(process.pid).children(recursive=True)
            process.kill()
            process.wait()
            assert psutil.wait_procs(started, timeout=30)[1] == []
        assert mounts.mounted_below(tmp_path) == []
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)
    system = tmp_path / "prefix" / places.FILES / places.SYSTEM32
    assert (system / direct3d.DLL).is_file()
    assert (system / direct3d.FORWARDED).is_file()
