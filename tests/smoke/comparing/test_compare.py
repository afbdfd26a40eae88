"""Dumps of stand-in machines, made by real workers once, then harmed and compared."""

import json
import shutil
import zipfile

import numpy as np
import pytest
import safetensors.numpy

from smoke.backends import selection
from smoke.comparing.compare import compare
from smoke.parity import gates
from smoke.parity.verdicts import Verdict
from smoke.running import run
from smoke.running.smoke_request import Request
from tests.smoke import fakes
from wheelhouse.errors import InputError, UsageError


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Dumps of one run: a reference, two healthy variants and one that drifts too far."""
    base = tmp_path_factory.mktemp("compare")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DML_WHEELHOUSE_CACHE", str(base / "cache"))
        model, export = fakes.model(base / "model"), fakes.export(base / "healthy")
        patch.setattr(run, "resolve", lambda spec: model)
        patch.setattr(run, "export_all", lambda model, kinds, **_: dict.fromkeys(kinds, export))
        backends = (
            fakes.reference(),
            fakes.backend("cpu", fakes.variant("int4", gate=gates.QUANTISED, noise=0.1)),
            fakes.backend("dml", fakes.variant("int4", gate=gates.FP16, noise=0.1, against="cpu:int4")),
            fakes.backend("b", fakes.variant("drifting", gate=gates.FP16, noise=0.1)),
        )
        request = Request(
            plan=selection.select([], everything=True, known=backends), model="any", prompts=("one", "two words"),
            max_new_tokens=12, report=base / "report", timeout=60.0, dump=base / "dumps",
        )  # fmt: skip
        direct = run.smoke(request)
    return base / "dumps", {f"{r.backend}:{r.variant}": r for r in direct.results}


@pytest.fixture
def here(made, tmp_path, monkeypatch):
    monkeypatch.setenv("DML_WHEELHOUSE_CACHE", str(tmp_path / "cache"))
    shutil.copytree(made[0], tmp_path / "here")
    return tmp_path / "here"


def verdicts(report):
    return {(r.machine, f"{r.backend}:{r.variant}", r.against): r.verdict.value for r in report.results}


def test_dumps_get_the_verdicts_and_numbers_of_their_run(made, here):
    for result in compare([here]).results:
        direct = made[1][f"{result.backend}:{result.variant}"]
        assert (result.verdict, result.metrics, result.reason) == (direct.verdict, direct.metrics, direct.reason)
    assert {r.verdict for r in made[1].values()} == {Verdict.PASS, Verdict.DIVERGED}


def test_a_dump_of_another_machine_is_judged_by_the_first_ones_reference_and_its_twin(here, tmp_path):
    there = tmp_path / "aipc.zip"
    with zipfile.ZipFile(there, "w") as archive:
        for file in (here / "dml-int4").iterdir():
            archive.write(file, f"dump/{file.name}")
        archive.writestr("../../escaped.txt", "no")
        archive.writestr("../../x/run.json", "no")
    report = compare([here, there])
    found = {key: value for key, value in verdicts(report).items() if key[0] == "aipc"}
    assert found == {("aipc", "dml:int4", "here cpu:int4"): "PASS", ("aipc", "dml:int4", "here dml:int4"): "PASS"}
    assert not [path for path in tmp_path.rglob("*") if path.name == "escaped.txt"]
    assert [row[0] for row in report.sections[0].rows] == ["here", "aipc"]


def test_a_twin_that_computes_something_else_is_found(here, tmp_path):
    there = tmp_path / "there"
    shutil.copytree(here / "cpu-int4", there / "cpu-int4")
    path = there / "cpu-int4" / "logits-0.safetensors"
    logits = safetensors.numpy.load_file(path)["logits"].copy()
    logits[3] = logits[3][::-1]
    safetensors.numpy.save_file({"logits": logits}, path)
    found = verdicts(compare([here, there]))
    assert found["there", "cpu:int4", "here cpu:int4"] == "DIVERGED"


def test_answers_of_another_program_stand_beside_and_change_no_verdict(here, tmp_path):
    (tmp_path / "target.csv").write_text("prompts,answers\none,something\nthree,x\n", encoding="utf-8")
    alone, beside = compare([here]), compare([here, tmp_path / "target.csv"])
    assert verdicts(beside) == verdicts(alone)
    assert beside.sections[-1].rows[0][:4] == ("target.csv", "2 answers", "1 of 2", "0 of 1")
    with pytest.raises(UsageError, match="no dump among"):
        compare([tmp_path / "target.csv"])


def test_without_anything_to_compare_with_nothing_passes(here):
    for name in ("reference-fp32", "cpu-int4", "b-drifting"):
        shutil.rmtree(here / name)
    (result,) = compare([here]).results
    assert result.verdict is Verdict.SKIPPED
    assert "cpu:int4" in result.reason


@pytest.mark.parametrize(
    ("evidence", "said"),
    [("shaders use chromium_experimental_subgroup_matrix, f16", True), ("shaders use f16, subgroups", False)],
)
def test_what_is_known_of_float16_on_such_a_gpu_is_the_remedy(here, evidence, said):
    dump = here / "b-drifting" / "dump.json"
    device = json.loads(dump.read_text(encoding="utf-8"))["device"]
    edit(dump, device=device | {"evidence": evidence})
    result = next(r for r in compare([here]).results if r.variant == "drifting")
    assert result.verdict is Verdict.DIVERGED
    assert ("subgroup matrices" in result.remedy) is said


def edit(file, **changes):
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | changes), encoding="utf-8")


FOREIGN = {
    "another model": lambda f: edit(f / "run.json", model={"name": "other", "label": "", "key": "b" * 64}),
    "other prompts": lambda f: edit(f / "run.json", messages=["one", "three"]),
    "another tokenizer": lambda f: edit(f / "run.json", golden="0" * 64),
    "of another version": lambda f: edit(f / "run.json", format=2),
    "does not know": lambda f: edit(f / "run.json", gate="generous"),
    "malformed": lambda f: (f / "run.json").write_bytes(b"[" * 200_000),
    "has no run.json": lambda f: (f / "run.json").unlink(),
}


@pytest.mark.parametrize("word", FOREIGN)
def test_what_is_of_something_else_is_refused(here, word):
    FOREIGN[word](here / "dml-int4")
    with pytest.raises(InputError, match=word) as caught:
        compare([here])
    assert "dml-int4" in str(caught.value)


def logits(change):
    def harm(folder):
        path = folder / "logits-1.safetensors"
        path.write_bytes(change(path.read_bytes()))

    return harm


def with_nan(data):
    values = safetensors.numpy.load(data)["logits"].copy()
    values[0, 0] = np.nan
    return safetensors.numpy.save({"logits": values})


HARMED = {
    "truncated": (logits(lambda data: data[:-4]), Verdict.CRASHED),
    "float64": (logits(lambda d: safetensors.numpy.save({"logits": np.zeros((12, 64))})), Verdict.CRASHED),
    "a pickle": (logits(lambda d: b"\x80\x04\x95" + d), Verdict.CRASHED),
    "not a number": (logits(with_nan), Verdict.DIVERGED),
    "no dump": (lambda folder: (folder / "dump.json").write_text("{", encoding="utf-8"), Verdict.CRASHED),
}


@pytest.mark.parametrize("name", HARMED)
def test_a_harmed_dump_never_passes(here, name):
    harm, verdict = HARMED[name]
    harm(here / "dml-int4")
    assert verdicts(compare([here]))["here", "dml:int4", "cpu:int4"] == verdict.value


def test_what_holds_no_dump_is_refused(here, tmp_path):
    with pytest.raises(UsageError, match="Which dumps"):
        compare([])
    with pytest.raises(InputError, match="does not exist"):
        compare([tmp_path / "absent"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no dump"):
        compare([tmp_path / "empty"])
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(InputError, match="not a whole zip"):
        compare([tmp_path / "a.zip"])
