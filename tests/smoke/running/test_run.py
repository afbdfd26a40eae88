"""Whole runs over real worker processes, with a stand-in for the runtime in them."""

import dataclasses
import json
import os
from pathlib import Path

import pytest

from smoke.backends import selection
from smoke.environments.source import Readiness
from smoke.parity import gates
from smoke.parity.verdicts import Verdict
from smoke.report import writing as reports
from smoke.report.page import pictures
from smoke.report.results import Report
from smoke.running import jobs, run
from smoke.running.jobs import Worker
from smoke.running.smoke_request import Request
from tests.smoke import fakes
from wheelhouse.errors import InputError, NetworkError, StepFailedError, UsageError
from wheelhouse.processes import alone

# What happens to a worker, and the verdict that it must get.
FAULTS = {
    "killed": Verdict.CRASHED,
    "segmentation fault": Verdict.CRASHED,
    "exception": Verdict.CRASHED,
    "crash at exit": Verdict.CRASHED,
    "disk full": Verdict.CRASHED,
    "truncated logits": Verdict.CRASHED,
    "no logits file": Verdict.CRASHED,
    "malformed dump": Verdict.CRASHED,
    "no dump": Verdict.CRASHED,
    "nan": Verdict.DIVERGED,
    "infinite": Verdict.DIVERGED,
    "other vocabulary": Verdict.DIVERGED,
    "other tokenizer": Verdict.DIVERGED,
    "wrong decode": Verdict.DIVERGED,
    "constant": Verdict.DIVERGED,
    "ends early": Verdict.DIVERGED,
    "no logits": Verdict.DIVERGED,
    "unavailable": Verdict.SKIPPED,
}


@pytest.fixture
def smoke(tmp_path, monkeypatch):
    """Run backends made of stand-ins on a stand-in model; return the report."""
    monkeypatch.setenv("DML_WHEELHOUSE_CACHE", str(tmp_path / "cache"))
    model = fakes.model(tmp_path / "model")
    exports = {
        "healthy": fakes.export(tmp_path / "healthy"),
        "other weights": fakes.export(tmp_path / "weights", "other weights", seed=2),
        "foreign": fakes.export(tmp_path / "foreign", key="b" * 64),
        "unlabelled": fakes.model(tmp_path / "unlabelled").folder,
        "failed": StepFailedError("the exporter ended with exit code 1.", remedy="Look."),
        "offline": NetworkError("PyPI cannot be reached.", remedy="Connect."),
    }
    monkeypatch.setattr(run, "resolve", lambda spec: model)
    monkeypatch.setattr(run, "export_all", lambda model, kinds, **_: {kind: exports[kind] for kind in kinds})

    def call(*backends, prompts=("one", "two words"), timeout=120.0, names=(), **asked) -> Report:
        known = backends if any(b.name == "reference" for b in backends) else (fakes.reference(), *backends)
        plan = selection.select(names, everything=not names, known=known)
        request = Request(
            plan=plan,
            model="any",
            prompts=prompts,
            max_new_tokens=24,
            report=tmp_path / "report",
            timeout=timeout,
            **asked,
        )
        report = run.smoke(request)
        assert not list((tmp_path / "cache" / "scratch").iterdir()), "dumps are left behind"
        return report

    call.folder = tmp_path
    return call


def by_variant(report: Report):
    return {result.variant: result for result in report.results if result.backend != "reference"}


def test_every_fault_gets_its_verdict_and_the_others_still_run(smoke):
    variants = [fakes.variant(fault.replace(" ", "-"), fault=fault) for fault in FAULTS]
    report = smoke(fakes.backend("faulty", *variants, fakes.variant("healthy")))
    found = by_variant(report)
    assert {fault: found[fault.replace(" ", "-")].verdict for fault in FAULTS} == FAULTS
    assert found["healthy"].verdict is Verdict.PASS
    assert found["healthy"].settings["network"] == "none" or not alone.prefix()
    assert not report.passed
    assert all(result.reason for name, result in found.items() if name != "healthy")
    if os.name == "posix":
        assert "SIGKILL" in found["killed"].reason
        assert "SIGSEGV" in found["segmentation-fault"].reason
    assert "the kernel does not exist" in found["exception"].reason
    assert "No space left" in found["disk-full"].reason
    assert "NaN or infinite" in found["nan"].reason
    assert "vocabulary" in found["other-vocabulary"].reason
    assert "tokenizer" in found["other-tokenizer"].reason
    assert "truncated" in found["truncated-logits"].reason
    assert found["unavailable"].remedy == "Buy one."


def test_a_worker_that_hangs_is_killed_and_the_others_still_run(smoke, monkeypatch, capsys):
    real = Worker.run

    def impatient(worker, questions, on_progress):
        limit = 3.0 if worker.variant.options.get("fault") == "hang" else worker.timeout
        return real(dataclasses.replace(worker, timeout=limit), questions, on_progress)

    monkeypatch.setattr(Worker, "run", impatient)
    report = smoke(fakes.backend("b", fakes.variant("hang", fault="hang"), fakes.variant("healthy")))
    assert by_variant(report)["hang"].verdict is Verdict.TIMED_OUT
    ends = [line for line in capsys.readouterr().err.splitlines() if line.startswith(("✓ b", "✗ b"))]
    assert [line for line in ends if "hang" in line and line.startswith("✗") and line.endswith("TIMED_OUT")]
    assert [line for line in ends if "hang" not in line and line.startswith("✗")] == []
    assert by_variant(report)["healthy"].verdict is Verdict.PASS


def test_a_worker_that_does_nothing_while_it_loads_is_ended_long_before_its_time(smoke, monkeypatch):
    monkeypatch.setattr(jobs, "START_SECONDS", 3.0)
    report = smoke(
        fakes.backend("b", fakes.variant("hang", fault="hang while loading"), fakes.variant("healthy")), timeout=3000
    )
    hung = by_variant(report)["hang"]
    assert hung.verdict is Verdict.TIMED_OUT
    assert "it did nothing for 3 s" in hung.reason
    assert "ORT_DISABLE_TELEMETRY=1" in hung.remedy
    assert by_variant(report)["healthy"].verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("fault", "verdict", "words"),
    [("", Verdict.PASS, "Without graph capture (b:fp-nograph) it is right"),
     ("constant", Verdict.DIVERGED, "Graph capture is not why"),
     ("exception", Verdict.CRASHED, None)],
)  # fmt: skip
def test_what_diverged_is_run_without_graph_capture_too(smoke, fault, verdict, words):
    variants = fakes.variant("fp", fault="constant"), fakes.variant("fp-nograph", explains="fp", fault=fault)
    found = by_variant(smoke(fakes.backend("b", *variants)))
    assert found["fp-nograph"].verdict is verdict
    assert found["fp"].verdict is Verdict.DIVERGED
    assert words in found["fp"].remedy if words else "raph capture" not in found["fp"].remedy


def test_what_passed_needs_no_explanation(smoke):
    variants = fakes.variant("fp"), fakes.variant("fp-nograph", explains="fp")
    assert list(by_variant(smoke(fakes.backend("b", *variants)))) == ["fp"]
    assert list(by_variant(smoke(fakes.backend("b", *variants), names=["b:fp-nograph"]))) == ["fp-nograph"]


WRONG_MODELS = {
    "foreign": "another model",
    "unlabelled": "nothing about its origin",
    "other weights": "parts at token",
}


def test_the_wrong_model_under_the_right_name_diverges(smoke):
    report = smoke(fakes.backend("b", *(fakes.variant(export, export=export) for export in WRONG_MODELS)))
    for name, result in by_variant(report).items():
        assert result.verdict is Verdict.DIVERGED
        assert WRONG_MODELS[name] in result.reason


def test_a_fallback_to_the_cpu_is_not_a_gpu(smoke):
    pretending = [
        dataclasses.replace(fakes.variant(f"reports-{reported}", device="GPU"), options={"device": reported})
        for reported in ("CPU", "GPU.0,CPU", "", "CPU.GPU")
    ]
    report = smoke(fakes.backend("gpu", *pretending, fakes.variant("real", device="GPU")))
    found = by_variant(report)
    assert found.pop("real").verdict is Verdict.PASS
    assert {result.verdict for result in found.values()} == {Verdict.FELL_BACK}


def test_a_library_that_was_never_loaded_is_a_fallback(smoke):
    report = smoke(
        fakes.backend(
            "b",
            fakes.variant("loaded", libraries=("_multiarray_umath",)),
            fakes.variant("not-loaded", libraries=("directml",)),
        )
    )
    assert by_variant(report)["loaded"].verdict is Verdict.PASS
    assert by_variant(report)["not-loaded"].verdict is Verdict.FELL_BACK


@pytest.mark.parametrize("fault", ["killed", "nan", "no logits"])
def test_without_the_reference_nothing_passes(smoke, fault):
    report = smoke(fakes.reference(fault=fault), fakes.backend("b", fakes.variant("healthy")))
    reference, other = report.results
    assert reference.verdict.is_fault
    assert other.verdict is Verdict.SKIPPED
    assert "nothing to compare it with" in other.reason
    assert not report.passed


def test_quantised_variants_may_drift_and_same_weights_may_not(smoke):
    report = smoke(
        fakes.backend(
            "b",
            fakes.variant("fp16", gate=gates.FP16, noise=1e-4),
            fakes.variant("fp16-drifting", gate=gates.FP16, noise=0.1),
            fakes.variant("int4", gate=gates.QUANTISED, noise=0.1),
            fakes.variant("int4-broken", gate=gates.QUANTISED, noise=3.0),
            fakes.variant("tokens-only", gate=gates.FP16, tokens_only=True),
            fakes.variant("tokens-only-broken", gate=gates.QUANTISED, tokens_only=True, fault="constant"),
        )
    )
    assert {name: result.verdict.value for name, result in by_variant(report).items()} == {
        "fp16": "PASS",
        "fp16-drifting": "DIVERGED",
        "int4": "PASS",
        "int4-broken": "DIVERGED",
        "tokens-only": "PASS",
        "tokens-only-broken": "DIVERGED",
    }


def test_a_variant_is_judged_against_the_one_that_it_names(smoke):
    report = smoke(
        fakes.backend("cpu", fakes.variant("int4", gate=gates.QUANTISED, noise=0.1)),
        fakes.backend(
            "dml",
            fakes.variant("int4", gate=gates.FP16, noise=0.1, against="cpu:int4"),
            fakes.variant("other", gate=gates.FP16, against="cpu:int4"),
        ),
        names=["dml"],
    )
    verdicts = {f"{r.backend} {r.variant}": r.verdict.value for r in report.results}
    assert verdicts == {
        "reference fp32": "PASS",
        "cpu int4": "PASS",
        "dml int4": "PASS",
        "dml other": "DIVERGED",
    }


def test_variants_of_devices_that_are_seen_run_unasked(smoke):
    backend = fakes.backend(
        "b",
        fakes.variant("cpu", devices={"CPU": "x", "GPU.1": "y"}),
        fakes.variant("gpu", device="GPU", if_present=True),
        fakes.variant("npu", device="NPU", if_present=True),
    )
    report = smoke(backend)
    assert [result.variant for result in report.results] == ["fp32", "cpu", "gpu"]
    assert report.host.devices == {"CPU": "x", "GPU.1": "y"}
    asked = smoke(backend, fakes.reference(), names=["b:npu"])
    assert [result.variant for result in asked.results] == ["fp32", "npu"]


def test_what_cannot_be_made_is_skipped_or_crashed_but_never_passed(smoke):
    class Missing(fakes.HereSource):
        def status(self):
            return Readiness(ready=False, makeable=False, reason="No such thing here.", remedy="Elsewhere.")

    class Broken(fakes.HereSource):
        def prepare(self, wheels):
            raise StepFailedError("pip ended with exit code 1.")

    report = smoke(
        fakes.backend("a", fakes.variant("failed-export", export="failed"), fakes.variant("offline", export="offline")),
        fakes.backend("b", fakes.variant("missing"), source=Missing()),
        fakes.backend("c", fakes.variant("broken"), source=Broken()),
    )
    verdicts = {result.variant: result.verdict.value for result in report.results}
    assert verdicts == {
        "fp32": "PASS",
        "failed-export": "CRASHED",
        "offline": "SKIPPED",
        "missing": "SKIPPED",
        "broken": "CRASHED",
    }
    assert by_variant(report)["missing"].remedy == "Elsewhere."


def test_the_report_of_a_run_is_valid_and_says_where_the_time_went(smoke, monkeypatch):
    import jsonschema

    from smoke.report import json_schema

    report = smoke(fakes.backend("b", fakes.variant("healthy"), fakes.variant("dead", fault="killed")))
    folder = smoke.folder / "report"
    monkeypatch.setattr(pictures, "draw", lambda charts: [])  # tests/smoke/report/page draws
    reports.write(report, folder)
    written = json.loads((folder / reports.JSON).read_text(encoding="utf-8"))
    jsonschema.validate(written, json.loads(json_schema.PATH.read_text(encoding="utf-8")))
    assert {"schema", "model", "host", "results"} <= written.keys()
    assert {"backend", "variant", "device", "verdict", "reason", "remedy", "gate", "metrics", "text"} <= written[
        "results"
    ][0].keys()
    assert {"environments", "model", "exports", "worker b healthy"} <= {t["part"] for t in written["timings"]}
    judging = next(t for t in written["timings"] if t["part"] == "judging b healthy")
    assert judging["beside"]
    assert all(begun <= ended for t in written["timings"] for begun, ended in t["spans"])
    one_at_a_time = [t["seconds"] for t in written["timings"] if not t["beside"]]
    assert sum(one_at_a_time) <= written["seconds"]
    for result in written["results"]:
        assert Path(folder, result["log"]).is_file()


@pytest.mark.parametrize("changes", [{"max_new_tokens": 0}, {"max_new_tokens": 5000}, {"timeout": 0.0}])
def test_impossible_numbers_are_refused(changes):
    fields = {"plan": [], "model": "m", "prompts": ["p"], "max_new_tokens": 8, "report": Path(), "timeout": 9.0}
    with pytest.raises(UsageError, match="must be"):
        Request(**(fields | changes))


def test_a_report_folder_that_is_a_file_is_refused(tmp_path):
    from smoke.report.writing import make_folder, report_folder

    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="cannot be made"):
        make_folder(report_folder(str(tmp_path / "file")))


def on_the_cpu(name, **fields):
    """Return a variant that asks for an NPU and gets the CPU."""
    return dataclasses.replace(fakes.variant(name, device="NPU", **fields), options={"device": "CPU"})


def test_an_announced_fall_back_is_no_fault(smoke):
    report = smoke(fakes.backend("a", on_the_cpu("pipeline-cpu", announced=True)))
    assert by_variant(report)["pipeline-cpu"].verdict is Verdict.FELL_BACK
    assert report.passed
    assert report.faults() == []


def test_an_unannounced_fall_back_fails_the_run(smoke):
    report = smoke(fakes.backend("a", on_the_cpu("silent")))
    assert by_variant(report)["silent"].verdict is Verdict.FELL_BACK
    assert not report.passed


def test_what_is_not_run_unasked_is_skipped_with_the_command_that_runs_it(smoke):
    backend = fakes.backend("a", fakes.variant("shy", unasked=lambda: "There is no such device."))
    skipped = by_variant(smoke(backend))["shy"]
    assert (skipped.verdict, skipped.reason) == (Verdict.SKIPPED, "There is no such device.")
    assert "invoke smoke --backend a:shy" in skipped.remedy


def test_what_is_named_is_run_all_the_same(smoke):
    backend = fakes.backend("a", fakes.variant("shy", unasked=lambda: "There is no such device."))
    assert by_variant(smoke(backend, names=["a:shy"]))["shy"].verdict is Verdict.PASS


def test_the_reference_is_computed_once(smoke, monkeypatch):
    started = []
    real = Worker.run
    monkeypatch.setattr(Worker, "run", lambda worker, *rest: (started.append(worker.log.stem), real(worker, *rest))[1])
    first, second = (smoke(fakes.backend("b", fakes.variant("healthy"))) for _ in range(2))
    assert started == ["reference-fp32", "b-healthy", "b-healthy"]
    assert [r.verdict for r in second.results] == [Verdict.PASS] * 2
    golden = second.results[0]
    assert (first.results[0].measured, bool(golden.measured)) == ("", True)
    assert golden.metrics == first.results[0].metrics
    assert "worker reference fp32" not in {timing.part for timing in second.timings}
    assert (smoke.folder / "report" / golden.log).is_file()
    smoke(fakes.backend("b", fakes.variant("healthy")), prompts=("another question",))
    assert started[3:] == ["reference-fp32", "b-healthy"]


def test_a_damaged_golden_is_computed_again(smoke):
    smoke(fakes.backend("b", fakes.variant("healthy")))
    (logits, *_) = (smoke.folder / "cache" / "goldens").rglob("logits-0.safetensors")
    harmed = bytearray(logits.read_bytes())
    harmed[-1] ^= 1
    logits.write_bytes(bytes(harmed))
    again = smoke(fakes.backend("b", fakes.variant("healthy")))
    assert [(r.verdict, r.measured) for r in again.results] == [(Verdict.PASS, "")] * 2


def test_a_reference_that_fails_is_not_kept(smoke):
    smoke(fakes.reference(fault="nan"), fakes.backend("b", fakes.variant("healthy")))
    assert not (smoke.folder / "cache" / "goldens").exists()


def test_repetitions_and_lengths_are_measured(smoke):
    report = smoke(fakes.backend("b", fakes.variant("healthy"), fakes.variant("short", context=800)),
                   repeat=3, lengths=(8, 940))  # fmt: skip
    found = by_variant(report)
    speed = found["healthy"].performance
    assert len(speed.first_token_samples) == len(speed.tokens_per_s_samples) == 3
    assert speed.tokens_per_s == pytest.approx(500, rel=0.2)
    assert speed.cold_first_token_s is not None
    assert [(each.prompt_tokens, len(each.first_token_samples)) for each in speed.lengths] == [(8, 3), (940, 3)]
    refused = found["short"].performance.lengths[1]
    assert (refused.first_token_samples, refused.error) == ((), "ValueError: 941 tokens are more than 800")
    assert found["short"].verdict is Verdict.DIVERGED
    assert "in a context" in found["short"].reason
    assert report.host.noise > 0


def test_an_answer_that_changes_from_one_repetition_to_the_next_is_told(smoke):
    report = smoke(fakes.backend("b", fakes.variant("moody", fault="unsteady")), repeat=2)
    assert "epetition 2 of prompt 1 gave another answer" in by_variant(report)["moody"].reason


def test_dumps_that_are_kept_can_be_judged_again(smoke):
    from smoke.parity import judge, parity
    from smoke.running import records

    folder = smoke.folder / "dumps"
    for _ in range(2):  # the second time out of the cache, in place of the first
        smoke(fakes.backend("b", fakes.variant("healthy"), fakes.variant("nan", fault="nan")), dump=folder)
        assert sorted(path.name for path in folder.iterdir()) == ["b-healthy", "b-nan", "reference-fp32"]
        found = {}
        for name in ("reference-fp32", "b-healthy", "b-nan"):
            assert not (folder / name / "job.json").exists()
            record = records.read(folder / name)
            base = found.get("reference-fp32")
            judged = judge.judge(record.completed(), 1, folder / name, record.expectation(), base and base.golden)
            found[name] = judged
        assert [judged.judgement.verdict.value for judged in found.values()] == ["PASS", "PASS", "DIVERGED"]
    assert (
        parity.compare(found["b-healthy"].dump, folder / "b-healthy", found["reference-fp32"].golden).logits.nmse == 0
    )


def test_a_folder_that_is_no_dump_is_not_overwritten(smoke):
    precious = smoke.folder / "dumps" / "reference-fp32" / "thesis.txt"
    precious.parent.mkdir(parents=True)
    precious.write_text("precious", encoding="utf-8")
    with pytest.raises(InputError, match="is not a dump"):
        smoke(fakes.backend("b", fakes.variant("healthy")), dump=smoke.folder / "dumps")
    assert precious.read_text(encoding="utf-8") == "precious"
