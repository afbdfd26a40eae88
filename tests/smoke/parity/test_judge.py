"""A verdict never flatters: with any fault, in any combination, it is not PASS."""

import dataclasses
import sys
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smoke.parity import gates
from smoke.parity.dumps import Device, Library
from smoke.parity.judge import judge, stray_library
from smoke.parity.verdicts import Verdict, of_process
from tests.smoke import dumping
from wheelhouse.process import Completed
from wheelhouse.processes.exits import describe_exit


def ended(returncode=0, *, timed_out=False):
    return Completed(returncode=returncode, tail=("last words",), seconds=1.0, timed_out=timed_out)


@dataclasses.dataclass
class Case:
    """A run that passes, until a fault changes it."""

    folder: object
    logits: object
    done: Completed = dataclasses.field(default_factory=ended)
    expected: object = dataclasses.field(default_factory=lambda: dumping.expectation(gates.FP16))
    fields: dict = dataclasses.field(default_factory=dict)
    after: list = dataclasses.field(default_factory=list)

    def judged(self, base, golden_logits):
        dumping.write(self.folder, self.logits, tokens=golden_logits.argmax(axis=2), **self.fields)
        for change in self.after:
            change()
        return judge(self.done, 10.0, self.folder, self.expected, base).judgement


HOME = r"C:\Users\Zoë\.cache\environments\ort-1\Lib\site-packages"


@pytest.mark.parametrize(
    ("loaded", "stray"),
    [
        (r"C:\Users\Zoë\.cache\environments\ort-1\Lib\site-packages\onnxruntime\capi\onnxruntime.dll", False),
        (r"c:\users\zoë\.CACHE\environments\ort-1\lib\site-packages\onnxruntime\capi\OnnxRuntime.dll", False),
        ("C:/Users/Zoë/.cache/environments/ort-1/Lib/site-packages/onnxruntime/capi/onnxruntime.dll", False),
        (r"C:\Windows\System32\onnxruntime.dll", True),
        (r"C:\Users\Zoë\.cache\environments\ort-1\Scripts\onnxruntime.dll", True),
        (r"C:\Users\Zoë\.cache\environments\ort-1\Lib\site-packages-2\ONNXRUNTIME.dll", True),
        (r"C:\Windows\System32\kernel32.dll", False),
    ],
)
def test_a_library_from_elsewhere_is_known_by_windows_paths(loaded, stray):
    dump = SimpleNamespace(loaded=(Library(path=loaded, size=1, sha256="0" * 64),))
    found = stray_library(dump, SimpleNamespace(home=HOME, libraries=()))
    assert (found is not None) == stray
    if found:
        assert (found.verdict, loaded in found.reason) == (Verdict.DIVERGED, True)


def edit_prompts(case, **changes):
    import json

    def change():
        prompts = json.loads((case.folder / "dump.json").read_text(encoding="utf-8"))["prompts"]
        prompts[0] |= changes
        dumping.edit(case.folder, prompts=prompts)

    case.after.append(change)


def poison(value):
    def fault(case):
        case.logits = case.logits.copy()
        case.logits[1, 3, 7] = value

    return fault


FAULTS = {
    "time-out": lambda case: setattr(case, "done", ended(-9, timed_out=True)),
    "killed": lambda case: setattr(case, "done", ended(-9)),
    "exit code": lambda case: setattr(case, "done", ended(1)),
    "windows crash": lambda case: setattr(case, "done", ended(0xC0000005)),
    "failed": lambda case: (
        case.fields.update(reason="no kernel") or case.after.append(lambda: dumping.edit(case.folder, status="failed"))
    ),
    "unavailable": lambda case: case.after.append(lambda: dumping.edit(case.folder, status="unavailable")),
    "other model": lambda case: case.fields.update(origin={"model_key": "b" * 64, "kind": "healthy"}),
    "other export": lambda case: case.fields.update(origin={"model_key": "a" * 64, "kind": "int4"}),
    "no origin": lambda case: case.fields.update(origin={}),
    "cpu instead": lambda case: setattr(case, "expected", dataclasses.replace(case.expected, device="GPU")),
    "no device": lambda case: case.fields.update(device=Device(name="")),
    "library missing": lambda case: setattr(
        case, "expected", dataclasses.replace(case.expected, libraries=("directml",))
    ),
    "nan": poison(np.nan),
    "infinite": poison(-np.inf),
    "drift": lambda case: setattr(case, "logits", dumping.perturbed(case.logits, 0.5)),
    "likelihood": lambda case: case.fields.update(nll=None),
    "other likelihood": lambda case: case.fields.update(nll=3.5),
    "tokenizer": lambda case: edit_prompts(case, ids=[1, 2]),
    "text tokenizer": lambda case: case.fields.update(text_ids=(1, 2)),
    "other tokens": lambda case: edit_prompts(case, tokens=[0] * 16),
    "fewer tokens": lambda case: edit_prompts(case, tokens=[0], pieces=["x"]),
    "no dump": lambda case: case.after.append(lambda: (case.folder / "dump.json").unlink()),
    "half a dump": lambda case: case.after.append(
        lambda: (case.folder / "dump.json").write_bytes((case.folder / "dump.json").read_bytes()[:-9])
    ),
    "no logits": lambda case: case.after.append(lambda: (case.folder / "logits-2.safetensors").unlink()),
    "fewer logits": lambda case: setattr(case, "logits", case.logits[:, :-1]),
    "other vocabulary": lambda case: setattr(case, "logits", case.logits[:, :, :-1]),
}

EXPECTED = {
    "time-out": Verdict.TIMED_OUT,
    "unavailable": Verdict.SKIPPED,
    "cpu instead": Verdict.FELL_BACK,
    "no device": Verdict.FELL_BACK,
    "library missing": Verdict.FELL_BACK,
    **dict.fromkeys(
        ["killed", "exit code", "windows crash", "failed", "no dump", "half a dump", "no logits", "fewer logits"],
        Verdict.CRASHED,
    ),
}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return dumping.golden(tmp_path_factory.mktemp("golden"))


def case(folder, logits):
    # As a float16 run would have it: close to the golden logits, not equal.
    return Case(folder=folder, logits=dumping.perturbed(logits, 1e-3))


def test_a_healthy_dump_passes_and_names_its_device(base, tmp_path):
    judged = judge_faults(base, tmp_path, [])
    assert judged.verdict is Verdict.PASS
    assert judged.metrics.prefix == (16, 16, 16)
    assert judged.metrics.logits.positions == 48


def judge_faults(base, folder, names):
    golden, logits = base
    made = case(folder, logits)
    for name in names:
        FAULTS[name](made)
    return made.judged(golden, logits)


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_gets_its_verdict_and_a_reason(base, tmp_path, name):
    judged = judge_faults(base, tmp_path, [name])
    assert judged.verdict is EXPECTED.get(name, Verdict.DIVERGED)
    assert judged.reason or name == "unavailable"


@settings(max_examples=60, deadline=None)
@given(names=st.sets(st.sampled_from(sorted(FAULTS)), min_size=1, max_size=4))
def test_no_combination_of_faults_passes(base, tmp_path_factory, names):
    # "half a dump" reads the file that "no dump" removes, and prompts cannot be edited in either.
    ordered = sorted(names, key=lambda name: name in {"no dump", "half a dump"})
    if {"no dump", "half a dump"} <= names:
        ordered.remove("half a dump")
    judged = judge_faults(base, tmp_path_factory.mktemp("case"), ordered)
    assert judged.verdict is not Verdict.PASS
    assert judged.verdict is not Verdict.SKIPPED or "unavailable" in names


@settings(max_examples=60, deadline=None)
@given(
    position=st.tuples(st.integers(0, 2), st.integers(0, 15), st.integers(0, 499)),
    size=st.floats(0.2, 100) | st.floats(-100, -0.2),
)
def test_one_wrong_logit_anywhere_is_found(base, tmp_path_factory, position, size):
    golden, logits = base
    made = Case(folder=tmp_path_factory.mktemp("case"), logits=logits.copy())
    made.logits[position] += size * golden.spread
    assert made.judged(golden, logits).verdict is Verdict.DIVERGED


def test_a_tie_is_told(base, tmp_path):
    _, logits = base
    tied = logits.copy()
    best = tied[0, 5].argmax()
    second = (best + 1) % tied.shape[2]
    tied[0, 5, second] = tied[0, 5, best] - 1e-4
    folder = tmp_path / "golden"
    dump = dumping.write(folder, tied)
    from smoke.parity import parity

    other = parity.golden(dump, folder, [p.tokens for p in dump.prompts])
    swapped = tied.copy()
    swapped[0, 5, second] += 2e-4
    made = Case(folder=tmp_path / "own", logits=swapped)
    dumping.write(made.folder, swapped, tokens=tied.argmax(axis=2), own_tokens=swapped.argmax(axis=2))
    judged = judge(ended(), 10.0, made.folder, made.expected, other).judgement
    assert judged.verdict is Verdict.PASS
    assert judged.reason.startswith("Tie: prompt 1 parts at token 5")


def test_the_reference_must_be_finite_and_whole(tmp_path):
    logits = dumping.golden_logits()
    expected = dumping.expectation(gates.GOLDEN, export="")
    dumping.write(tmp_path / "a", logits)
    judged = judge(ended(), 10.0, tmp_path / "a", expected, None)
    assert judged.judgement.verdict is Verdict.PASS
    assert judged.golden is not None
    logits[0, 0, 0] = np.nan
    dumping.write(tmp_path / "b", logits)
    assert judge(ended(), 10.0, tmp_path / "b", expected, None).judgement.verdict is Verdict.DIVERGED
    elsewhere = dataclasses.replace(expected, device="GPU")
    assert judge(ended(), 10.0, tmp_path / "a", elsewhere, None).judgement.verdict is Verdict.FELL_BACK


@pytest.mark.parametrize(
    ("asked", "reported", "verdict"),
    [
        ("GPU", "GPU.0", Verdict.PASS),
        ("GPU.1", "GPU.1", Verdict.PASS),
        ("GPU.1", "GPU.0", Verdict.FELL_BACK),
        ("NPU", "GPU.0", Verdict.FELL_BACK),
        ("GPU", "GPU.0,CPU", Verdict.FELL_BACK),
        ("CPU", "GPU", Verdict.FELL_BACK),
        ("GPU", "GPUX", Verdict.FELL_BACK),
    ],
)
def test_devices(base, tmp_path, asked, reported, verdict):
    golden, logits = base
    made = case(tmp_path, logits)
    made.expected = dataclasses.replace(made.expected, device=asked)
    made.fields["device"] = Device(name=reported, evidence="the runtime's word")
    judged = made.judged(golden, logits)
    assert judged.verdict is verdict
    assert verdict is Verdict.PASS or reported in judged.reason


ELSEWHERE = {"name": "CPU", "evidence": "the runtime's word"}


def announced(base, folder, names):
    golden, logits = base
    made = case(folder, logits)
    for name in names:
        FAULTS[name](made)
    made.expected = dataclasses.replace(made.expected, device="NPU", announced=True)
    made.fields.setdefault("device", Device(**ELSEWHERE))
    return made.judged(golden, logits)


def test_an_announced_fall_back_says_that_its_numbers_pass(base, tmp_path):
    judged = announced(base, tmp_path, [])
    assert judged.verdict is Verdict.FELL_BACK
    assert "numbers pass the gate" in judged.reason
    assert judged.metrics.logits.positions == 48


@pytest.mark.parametrize("name", sorted(FAULTS.keys() - {"cpu instead", "no device", "library missing"}))
def test_an_announced_fall_back_forgives_nothing_else(base, tmp_path, name):
    judged = announced(base, tmp_path, [name])
    assert judged.verdict is EXPECTED.get(name, Verdict.DIVERGED)


SIGNALS = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        pytest.param(-9, "signal 9 (SIGKILL)", marks=SIGNALS),
        pytest.param(-11, "signal 11 (SIGSEGV)", marks=SIGNALS),
        pytest.param(-200, "signal 200", marks=SIGNALS),
        (0xC0000005, "0xC0000005 (access violation)"),
        pytest.param(0xC0000005 - (1 << 32), "signal", marks=SIGNALS),
        (7, "exit code 7"),
    ],
)
def test_how_a_process_ended_in_words(code, words):
    assert words in describe_exit(code)


def test_probes_that_nobody_asked_for_are_not_believed(base, tmp_path):
    golden, logits = base
    made = case(tmp_path, logits)
    edit_prompts(made, probes=[[99, 1]])
    assert made.judged(golden, logits).verdict is Verdict.CRASHED


def test_metrics_survive_json(base, tmp_path):
    judged = judge_faults(base, tmp_path, ["other tokens"])
    again = msgspec.json.decode(msgspec.json.encode(judged.metrics), type=type(judged.metrics))
    assert again == judged.metrics
    assert again.differences[0].expected_text.startswith("<")


def test_a_crash_of_a_known_kind_says_what_helps(tmp_path):
    said = ("RuntimeError: Unknown provider type: dml",)
    done = Completed(returncode=1, tail=said, seconds=1.0, timed_out=False)
    judgement = of_process(done, 10.0)
    assert judgement is not None
    assert judgement.verdict is Verdict.CRASHED
    assert "a build without DirectML" in judgement.reason
    assert "Use a fresh environment" in judgement.remedy
    assert "github.com/microsoft/onnxruntime-genai/issues/" in judgement.remedy


def test_the_cause_is_found_in_the_log_where_the_last_lines_do_not_show_it(tmp_path):
    log = tmp_path / "worker.log"
    log.write_text("d3d12-shim[36]: DXIL shader refused (0x80004005)\n" + "  File ...\n" * 50, encoding="utf-8")
    judgement = of_process(Completed(returncode=1, tail=("E_FAIL",), seconds=1.0, log=log), 10.0)
    assert judgement is not None
    assert "a DXIL shader only" in judgement.reason
    assert "ort-cpu" in judgement.remedy


def test_a_reference_that_is_not_greedy_is_no_reference(tmp_path):
    import json

    dumping.write(tmp_path, dumping.golden_logits())
    prompts = json.loads((tmp_path / "dump.json").read_text(encoding="utf-8"))["prompts"]
    prompts[1]["unchosen"] = [[3, 17, 5.0]]
    dumping.edit(tmp_path, prompts=prompts)
    found = judge(ended(), 10.0, tmp_path, dumping.expectation(gates.GOLDEN), None)
    assert found.judgement.verdict is Verdict.DIVERGED
    assert "The reference itself is not greedy: token 3 of its answer to prompt 2" in found.judgement.reason
    assert found.golden is None
