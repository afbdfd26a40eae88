"""A run held against an earlier one: what is planted is named, noise is not."""

import random
from types import SimpleNamespace

import msgspec
import pytest

from smoke.comparing import baseline, since
from smoke.parity.gates import FP16, checks
from smoke.parity.verdicts import Verdict
from smoke.report import markdown, terminal
from smoke.report.results import Report
from tests.smoke.report.page import making
from wheelhouse.errors import InputError, RegressionError

NAMES = ("a:fp16", "b:fp16")


def run(*, slow=1.0, noise=0.0, seed=0, samples=3, **changes):
    """A report of two backends; the second one's times are `slow` times as long."""
    dice = random.Random(seed)

    def timed(factor):
        times = [factor * (1 + noise * dice.random()) for _ in range(samples)]
        rates = tuple(20 / time for time in times)
        return making.speed(
            first_token_s=0.05 * times[0], first_token_samples=tuple(0.05 * time for time in times),
            tokens_per_s=rates[0], tokens_per_s_samples=rates,
        )  # fmt: skip

    results = [making.result(name, performance=timed(f)) for name, f in zip(NAMES, (1.0, slow), strict=True)]
    return making.report(making.reference(), *results, **changes)


def worse(now, before):
    return [(change.name, change.about) for change in baseline.changes(now, before) if change.kind == "worse"]


@pytest.mark.parametrize("samples", [1, 3, 10])
def test_a_slow_down_of_a_third_is_named_and_equal_runs_are_not(samples):
    before = run(noise=0.1, samples=samples)
    for seed in range(1, 11):
        assert worse(run(noise=0.1, seed=seed, samples=samples), before) == []
    assert worse(run(slow=1.3, samples=samples), run(samples=samples)) == [("b fp16", "speed")] * 2
    assert worse(run(slow=1.45, noise=0.1, seed=5, samples=samples), before) == [("b fp16", "speed")] * 2
    assert worse(run(samples=samples), run(slow=1.3, samples=samples)) == []


def test_an_improvement_is_shown():
    (first, second) = baseline.changes(run(), run(slow=1.5))
    assert (first.kind, second.kind) == ("better", "better")
    assert first.text == "first token was 75 ms, is 50 ms (-33%)"


def test_one_slow_repetition_is_noise():
    now = run()
    hiccup = making.speed(first_token_samples=(0.05, 0.9, 0.9), tokens_per_s_samples=(20.0, 2.0, 2.0))
    results = (*now.results[:2], msgspec.structs.replace(now.results[2], performance=hiccup))
    assert worse(msgspec.structs.replace(now, results=results), run()) == []


def test_a_machine_that_is_slower_itself_is_no_regression():
    def on(work_s):
        return msgspec.structs.replace(making.WHOLE.host, work_s=work_s)

    assert worse(run(slow=1.3, host=on(0.004)), run(host=on(0.003))) == []
    assert worse(run(slow=1.3, host=on(0.002)), run(host=on(0.003))) == [("b fp16", "speed")] * 2


def test_on_a_busy_machine_only_what_takes_twice_as_long_is_named():
    busy = msgspec.structs.replace(making.WHOLE.host, noise=3.0)
    for before, now in ((run(host=busy), run(slow=1.9)), (run(), run(slow=1.9, host=busy))):
        found = baseline.changes(now, before)
        assert [(change.kind, change.about) for change in found] == [("note", "speed")]
        assert "varied by 300%" in found[0].text
    wild = msgspec.structs.replace(making.WHOLE.host, noise=21.0)
    assert worse(run(slow=3.4, host=wild), run()) == []
    assert worse(run(slow=4.9, host=wild), run()) == [("b fp16", "speed")] * 2
    assert worse(run(slow=2.2, host=busy), run()) == [("b fp16", "speed")] * 2


def test_speeds_of_another_machine_are_not_compared():
    other = msgspec.structs.replace(making.WHOLE.host, cpu="another")
    found = baseline.changes(run(slow=3.0, host=other), run())
    assert [(change.kind, change.about) for change in found] == [("note", "speed")]


def test_speed_out_of_the_cache_is_not_compared():
    old = msgspec.structs.replace(making.reference(performance=making.speed(0.1, 9.0)), measured="2026-01-01")
    assert worse(making.report(old), making.report(making.reference())) == []


def drifted(kl, top10=0.99):
    metrics = msgspec.structs.replace(making.result("a:fp16").metrics, logits=making.logits(kl, top10=top10))
    return making.report(making.result("a:fp16", metrics=metrics, checks=checks(FP16, metrics)))


@pytest.mark.parametrize(
    ("kl", "top10", "named"),
    [(1e-6, 0.99, False), (1.1e-6, 0.985, False), (1e-5, 0.99, True), (1e-6, 0.96, True), (1e-9, 1.0, False)],
)
def test_drift_beyond_noise_is_named(kl, top10, named):
    assert bool(worse(drifted(kl, top10), drifted(1e-6))) == named


def test_drift_is_found_in_reports_that_lack_the_gates_numbers():
    def old(report):
        results = tuple(msgspec.structs.replace(result, checks=()) for result in report.results)
        return msgspec.structs.replace(report, schema=2, results=results)

    assert ("a fp16", "drift") in worse(drifted(1e-5), old(drifted(1e-6)))
    assert worse(drifted(1e-6), old(drifted(1e-6))) == []


@pytest.mark.parametrize(
    ("now", "before", "kind"),
    [
        (Verdict.DIVERGED, Verdict.PASS, "worse"),
        (Verdict.SKIPPED, Verdict.PASS, "worse"),
        (Verdict.CRASHED, Verdict.SKIPPED, "worse"),
        (Verdict.PASS, Verdict.CRASHED, "better"),
        (Verdict.CRASHED, Verdict.DIVERGED, "note"),
        (Verdict.PASS, Verdict.PASS, None),
    ],
)
def test_verdicts(now, before, kind):
    found = baseline.changes(
        making.report(making.result("a:fp16", verdict=now)), making.report(making.result("a:fp16", verdict=before))
    )
    assert [change.kind for change in found] == ([kind] if kind else [])


def test_what_is_new_or_gone_is_told():
    found = baseline.changes(making.report(making.result("a:x")), making.report(making.result("a:y")))
    assert {(change.kind, change.name) for change in found} == {("note", "a x"), ("note", "a y")}


def test_what_was_not_asked_for_is_one_line_however_much_it_is():
    before = making.report(*(making.result(f"{name}:x") for name in "adcb"))
    (gone,) = baseline.changes(making.report(making.result("a:x")), before)
    assert (gone.name, gone.text) == ("b x, c x, d x", "were not asked for")


PLAN = [
    SimpleNamespace(
        name=name, backend=SimpleNamespace(name=name.partition(":")[0]),
        variant=SimpleNamespace(name=name.partition(":")[2], against=against),
    )
    for name, against in (("reference:fp32", "reference:fp32"), ("a:fp16", "reference:fp32"), ("b:fp16", "a:fp16"))
]  # fmt: skip


def since_then(found, runs, monkeypatch, tmp_path):
    asked = []

    def replaced(request, plan, report, dump):
        return SimpleNamespace(plan=plan, report=report)

    def again(request):
        asked.append([item.name for item in request.plan])
        return runs.pop(0)

    monkeypatch.setattr(since, "replace", replaced)
    request = SimpleNamespace(plan=PLAN, report=tmp_path)
    return since.compared(found, run(), request, again), asked


def test_what_seems_slower_is_measured_again_with_what_it_is_compared_with(monkeypatch, tmp_path):
    report, asked = since_then(run(slow=2.0), [run(slow=1.05)], monkeypatch, tmp_path)
    assert asked == [["reference:fp32", "a:fp16", "b:fp16"]]
    assert [change for change in report.changes if change.kind == "worse"] == []
    assert len(report.results[2].performance.tokens_per_s_samples) == 6
    assert len(report.results[1].performance.tokens_per_s_samples) == 3
    since.require_no_regression(report.changes)


def test_what_stays_slower_fails_with_a_code_of_its_own(monkeypatch, tmp_path):
    report, asked = since_then(run(slow=1.3), [run(slow=1.3), run(slow=1.3)], monkeypatch, tmp_path)
    assert len(asked) == 2
    with pytest.raises(RegressionError, match=r"b fp16: first token was 50 ms, is 65 ms \(\+30%\)") as caught:
        since.require_no_regression(report.changes)
    assert caught.value.exit_code == 14
    assert "#### Since 2026" in markdown.render(report).decode()
    assert any("2 worse" in str(part) for part in terminal.render(report))


@pytest.mark.parametrize(
    ("changed", "word"),
    [({"prompts": ["x"]}, "other prompts"), ({"max_new_tokens": 9}, "length"), ({"model": "x"}, "another model")],
)
def test_what_is_about_something_else_is_refused(changed, word):
    asked = {"prompts": ("What?", "Why?"), "max_new_tokens": 3, "model": "m"}
    baseline.require_alike(run(), **asked)
    with pytest.raises(InputError, match=word):
        baseline.require_alike(run(), **(asked | changed))


@pytest.mark.parametrize("content", [None, b"", b"{}", b"[" * 100_000, b"\xff", b'{"schema": 99}'])
def test_a_file_that_is_no_report_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "report.json").write_bytes(content)
    for path in (tmp_path, tmp_path / "report.json"):
        with pytest.raises(InputError, match="report"):
            baseline.read(path)


def test_a_report_is_read_from_its_folder(tmp_path):
    (tmp_path / "report.json").write_bytes(msgspec.json.encode(run()))
    assert isinstance(baseline.read(tmp_path), Report)
    assert baseline.read(tmp_path / "report.json") == run()
