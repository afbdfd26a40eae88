"""`--quick`: one prompt, nothing timed, workers beside each other; and who may run beside whom."""

import threading

import pytest

from smoke import commands
from smoke.advice import advise
from smoke.parity import gates
from smoke.parity.verdicts import Verdict
from smoke.report import markdown, terminal, wording
from smoke.report.page import sentences
from smoke.running import beside, order
from smoke.running.beside import Beside
from smoke.running.jobs import Worker
from tests.smoke import fakes
from tests.smoke.running.test_run import smoke  # noqa: F401 - a fixture
from tests.smoke.running.test_twins import SOUND
from wheelhouse.errors import UsageError


@pytest.fixture
def met(monkeypatch):
    """Two workers at a time; return which ran beside which others, by their logs' names."""
    monkeypatch.setattr("smoke.running.run.at_once", lambda facts: 2)
    running, seen, lock, real = set(), {}, threading.Lock(), Worker.run

    def run(worker, *rest):
        name = worker.log.stem
        with lock:
            running.add(name)
            for one in running:
                seen.setdefault(one, set()).update(running)
        try:
            return real(worker, *rest)
        finally:
            with lock:
                running.discard(name)

    monkeypatch.setattr(Worker, "run", run)
    return seen


BOTH = (fakes.variant("healthy"), fakes.variant("weights", export="other weights"))


def test_a_quick_run_judges_the_same_times_nothing_and_says_so(smoke, met):  # noqa: F811
    report = smoke(fakes.backend("b", *BOTH), quick=True, prompts=("one",))
    assert {r.variant: r.verdict for r in report.results} == {
        "fp32": Verdict.PASS, "healthy": Verdict.PASS, "weights": Verdict.DIVERGED,
    }  # fmt: skip
    assert met["b-healthy"] == {"b-healthy", "b-weights"}
    assert met["reference-fp32"] == {"reference-fp32"}
    for result in report.results:
        speed = result.performance
        assert (speed.tokens_per_s, speed.first_token_s, speed.load_s, speed.worker_s) == (None, None, None, None)
    assert (report.quick, report.choice) == (True, "")
    assert wording.QUICK in sentences.summary(report)
    assert "nothing timed" in markdown.render(report).decode()
    assert "(quick: one prompt, nothing timed)" in terminal.outcome(report).plain


def test_who_is_timed_runs_alone(smoke, met):  # noqa: F811
    report = smoke(fakes.backend("b", *BOTH))
    assert met["b-healthy"] == {"b-healthy"}
    assert met["b-weights"] == {"b-weights"}
    assert (report.quick, bool(report.choice)) == (False, True)
    assert all(result.performance.worker_s is not None for result in report.results)


def test_twins_run_beside_each_other_and_nobody_beside_who_is_timed(smoke, met):  # noqa: F811
    noises = {"k": 0.1, "l": 0.11}  # what computes the same is computed once
    base = {"gate": gates.QUANTISED, "is_base": True, "weights": [SOUND]}
    twins = [fakes.variant(name, noise=noise, **base) for name, noise in noises.items()]
    users = [fakes.variant(f"int4-{n}", gate=gates.INT4, against=f"twin:{n}", noise=0.1) for n in ("k", "l")]
    smoke(fakes.backend("twin", *twins), fakes.backend("b", *users))
    assert met["twin-k"] == {"twin-k", "twin-l"}
    assert met["b-int4-k"] == {"b-int4-k"}
    assert met["b-int4-l"] == {"b-int4-l"}


def test_a_graphics_card_in_software_has_the_machine_for_itself(smoke, met, monkeypatch):  # noqa: F811
    monkeypatch.setattr(order, "fits", lambda environment: False)
    smoke(fakes.backend("b", *BOTH), quick=True)
    assert met["b-healthy"] == {"b-healthy"}


def test_an_error_in_one_ends_all_and_is_told():
    several = Beside(2)

    def fail():
        raise UsageError("no")

    several.start("bad", fail)
    several.start("good", lambda: 1)
    with pytest.raises(UsageError, match="no"):
        several.wait()
    several.give_up()
    good = several.started["good"]
    assert good.cancelled() or good.result() == 1


def test_memory_and_processors_limit_how_many(monkeypatch):
    class Facts:
        parameters = 1_000_000_000

    monkeypatch.setattr(beside.os, "cpu_count", lambda: 16)
    found = []
    for free in (8, 40, 64, 1000):
        monkeypatch.setattr(beside.needs.host, "memory", lambda free=free: type("M", (), {"available": free * 10**9}))
        found.append(beside.at_once(Facts))
    assert found == [1, 2, 3, beside.MOST]


@pytest.mark.parametrize("changed", [{"repeat": 3}, {"lengths": ["32"]}, {"baseline": "r.json"}, {"pairs": True}])
def test_what_a_quick_run_cannot_do_is_refused(changed):
    (name,) = changed
    asked = {"backends": [], "all_backends": False, "model": "tiny-phi3", "prompts": "", "max_new_tokens": 8,
             "report": "", "strict": False, "wheels": [], "timeout": 9.0}  # fmt: skip
    with pytest.raises(UsageError, match=f"--{name}"):
        commands.smoke(**asked | changed, quick=True)


def test_advice_rests_on_timed_runs(smoke, tmp_path):  # noqa: F811
    from smoke.report import writing

    report = smoke(fakes.backend("b", fakes.variant("healthy")), quick=True, prompts=("one",))
    (tmp_path / "reports" / "quick").mkdir(parents=True)
    writing.write(report, tmp_path / "reports" / "quick")
    assert advise.last_report(report.model.name, tmp_path / "reports") is None
