"""Int4 variants are held to the reference with their own weights, and those weights to the model's."""

import dataclasses

import pytest

from smoke.backends import selection
from smoke.comparing.compare import compare
from smoke.parity import gates
from smoke.parity.verdicts import Verdict
from tests.smoke import fakes
from tests.smoke.running.test_run import by_variant, smoke  # noqa: F401 - a fixture

SOUND = {
    "name": "layers.3.up", "bits": 4, "block_size": 32, "shape": [8, 64], "relative": 0.09, "steps": 0.28,
    "row": [5, 0.3], "block": [2, 1, 0.4], "beyond": 0.0, "beyond_row": [0, 0.0], "beyond_block": [0, 0, 0.0],
}  # fmt: skip


HEALTHY_AND_NOT = (("sound", 0.1), ("wrong", 3.0))


def twin(**options):
    return fakes.backend("twin", fakes.variant("k", gate=gates.QUANTISED, is_base=True, noise=0.1, **options))


def int4(name="int4", **changes):
    return fakes.variant(name, gate=gates.INT4, against="twin:k", **({"noise": 0.1} | changes))


def test_int4_is_held_to_its_own_weights_and_their_quality_is_shown(smoke):  # noqa: F811
    report = smoke(
        twin(weights=[SOUND]),
        fakes.backend(
            "b",
            int4(),
            int4("another-kernel", noise=0.3),
            int4("tokens-only", tokens_only=True),
            int4("tokens-only-broken", tokens_only=True, fault="constant"),
        ),
        names=["b"],
    )
    verdicts = {f"{r.backend}:{r.variant}": r.verdict.value for r in report.results}
    assert verdicts == {
        "reference:fp32": "PASS",
        "twin:k": "PASS",
        "b:int4": "PASS",
        "b:another-kernel": "DIVERGED",
        "b:tokens-only": "PASS",
        "b:tokens-only-broken": "DIVERGED",
    }
    found = {r.variant: r for r in report.results}
    assert found["k"].metrics.quality == found["int4"].metrics.quality
    assert found["int4"].metrics.logits.nmse == 0 < found["k"].metrics.logits.nmse
    assert "quality of the quantised weights" in found["int4"].reason.lower()
    assert "1 matrices are the model's" in found["k"].reason
    assert (found["k"].text, found["int4"].metrics.prefix) == ((), ())


WRONG = {
    "matrix": {"steps": 0.6},
    "not the nearest": {"beyond": 0.05},
    "not the nearest in a row": {"beyond_row": [5, 0.2]},
    "not the nearest in a block": {"beyond_block": [2, 1, 0.2]},
    "row": {"row": [5, 0.6]},
    "block": {"block": [2, 1, 1.5]},
    "scales": {"bad_scales": 1},
}


@pytest.mark.parametrize("what", WRONG)
def test_weights_that_are_not_the_models_fail_whoever_computes_with_them(smoke, what):  # noqa: F811
    report = smoke(twin(weights=[SOUND, SOUND | WRONG[what]]), fakes.backend("b", int4()))
    found = {r.variant: r for r in report.results}
    assert {found[name].verdict for name in ("k", "int4")} == {Verdict.DIVERGED}
    assert "layers.3.up" in found["int4"].reason


def test_a_twin_answers_nothing_and_is_not_timed(smoke):  # noqa: F811
    report = smoke(twin(weights=[SOUND]), fakes.backend("b", int4()), names=["b"], repeat=3, lengths=(8,))
    found = {r.variant: r for r in report.results}
    assert {name: r.verdict for name, r in found.items()} == dict.fromkeys(("fp32", "k", "int4"), Verdict.PASS)
    assert len(found["int4"].performance.tokens_per_s_samples) == 3
    assert (found["k"].performance.tokens_per_s_samples, found["k"].performance.lengths) == ((), ())


def test_weights_that_are_no_numbers_fail_whoever_would_compute_with_them(smoke):  # noqa: F811
    found = by_variant(smoke(twin(fault="nan", weights=[SOUND | {"bad_scales": 1}]), fakes.backend("b", int4())))
    assert {r.verdict for r in found.values()} == {Verdict.DIVERGED}
    assert "its weights are at fault" in found["int4"].reason.lower()
    assert "layers.3.up has 1 scales that are no finite numbers" in found["int4"].reason


def test_without_a_twin_int4_is_compared_with_the_reference_and_says_so(smoke):  # noqa: F811
    report = smoke(twin(fault="unavailable"), fakes.backend("b", int4(), int4("broken", noise=3.0)))
    found = by_variant(report)
    assert found["int4"].verdict is Verdict.PASS
    assert (found["int4"].against, found["int4"].gate) == ("reference:fp32", gates.QUANTISED.name)
    assert "only be compared with the reference" in found["int4"].reason
    assert found["broken"].verdict is Verdict.DIVERGED


def test_what_a_graph_is_compared_with_may_not_run_here_and_then_its_twin_is_at_hand(smoke):  # noqa: F811
    absent = fakes.backend("b", int4("graph", fault="unavailable"))
    device = [fakes.variant(n, gate=gates.INT8_ACTIVATIONS, against="b:graph", noise=x) for n, x in HEALTHY_AND_NOT]
    found = by_variant(smoke(twin(weights=[SOUND]), absent, fakes.backend("c", *device)))
    assert found["graph"].verdict is Verdict.SKIPPED
    assert (found["sound"].verdict, found["sound"].against) == (Verdict.PASS, "twin:k")
    assert "b:graph does not run here" in found["sound"].reason
    assert found["wrong"].verdict is Verdict.DIVERGED
    alone = by_variant(smoke(fakes.backend("b", fakes.variant("graph", fault="unavailable")),
                             fakes.backend("c", fakes.variant("left", against="b:graph"))))  # fmt: skip
    assert alone["left"].verdict is Verdict.SKIPPED
    assert "nothing to compare it with" in alone["left"].reason


def test_a_twin_that_nobody_is_compared_with_does_not_run(smoke):  # noqa: F811
    shy = dataclasses.replace(int4("shy"), unasked=lambda: "There is no such device.")
    assert {r.variant for r in smoke(twin(), fakes.backend("b", shy)).results} == {"fp32", "shy"}
    known = (fakes.reference(), twin())
    assert [i.name for i in selection.select([], everything=True, known=known)] == ["reference:fp32"]
    named = selection.select(["twin:k"], everything=False, known=known)
    assert [i.name for i in selection.without_idle_bases(named, lambda _: True)] == ["reference:fp32", "twin:k"]


def test_a_twin_is_computed_once_and_its_dump_is_judged_again(smoke):  # noqa: F811
    backends = (twin(weights=[SOUND]), fakes.backend("b", int4()))
    first, second = (smoke(*backends, dump=smoke.folder / name) for name in ("one", "two"))
    assert [bool(r.measured) for r in second.results] == [True, True, False]
    assert [r.metrics for r in first.results] == [r.metrics for r in second.results]
    again = compare([smoke.folder / "two"]).results
    assert {r.variant: (r.verdict, r.metrics) for r in again} == {
        r.variant: (r.verdict, r.metrics) for r in second.results
    }


def test_what_was_computed_on_the_wrong_device_is_judged_too(smoke):  # noqa: F811
    fallen = [
        dataclasses.replace(fakes.variant(name, device="NPU"), options={"device": "CPU", **options})
        for name, options in (("sound", {}), ("broken", {"fault": "constant"}))
    ]
    found = by_variant(smoke(fakes.backend("b", *fallen)))
    assert {r.verdict for r in found.values()} == {Verdict.FELL_BACK}
    assert "wrong, too" in found["broken"].reason
    assert "NMSE" in found["broken"].reason
    assert "wrong, too" not in found["sound"].reason


def test_twins_of_exports_that_are_one_graph_are_computed_once(smoke):  # noqa: F811
    def backends(*noises):
        base = {"gate": gates.QUANTISED, "is_base": True, "weights": [SOUND]}
        twins = [fakes.variant(f"k{n}", noise=noise, **base) for n, noise in enumerate(noises)]
        held = [
            fakes.variant(f"int4-{n}", gate=gates.INT4, against=f"twin:k{n}", noise=0.1) for n in range(len(noises))
        ]
        return fakes.backend("twin", *twins), fakes.backend("b", *held)

    report = smoke(*backends(0.1, 0.1, 0.2), dump=smoke.folder / "alike")
    found = by_variant(report)
    assert {name: bool(r.measured) for name, r in found.items() if r.backend == "twin"} == {
        "k0": False,
        "k1": True,
        "k2": False,
    }
    assert {name: r.verdict for name, r in found.items() if r.backend == "b"} == {
        "int4-0": Verdict.PASS,
        "int4-1": Verdict.PASS,
        "int4-2": Verdict.DIVERGED,
    }
    again = by_variant(compare([smoke.folder / "alike"]))
    assert {name: r.metrics for name, r in again.items()} == {name: r.metrics for name, r in found.items()}
