"""Every threshold has a healthy dump that passes it and a broken one that fails it."""

import msgspec
import numpy as np
import pytest

from smoke.parity import gates, parity
from smoke.parity.parity import Difference, LogitMetrics, Metrics
from smoke.parity.thresholds import THRESHOLDS, SameWeights
from tests.smoke import dumping

PERFECT = LogitMetrics(
    positions=100, spread=4.0, max_abs=0, mean_abs=0, nmse=0, kl=0, kl_max=0, top1=1, top1_margin=0, top10=1
)
ALL = Metrics(prefix=(64, 8), golden_tokens=(64, 8), logits=PERFECT, spread=4.0, perplexity=9.0, perplexity_ratio=1.0,
              perplexity_shift=0.0)  # fmt: skip
GATES = [gate for gate in gates.ALL if gate is not gates.GOLDEN]
FLOAT32, FLOAT16, INT4_FP16, INT4, INT8, QUANTISED = (gate.name for gate in GATES)


def with_logits(**changes):
    return msgspec.structs.replace(ALL, logits=msgspec.structs.replace(PERFECT, **changes))


@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.name)
def test_perfection_passes(gate):
    assert gates.violations(gate, ALL) == []


def thresholds():
    for gate in GATES:
        same = isinstance(gate, SameWeights)
        largest = {"nmse": gate.nmse, "kl": gate.kl} | ({"top1_margin": gate.tie} if same else {})
        smallest = {"top10": gate.top10} | ({} if same else {"top1": gate.top1})
        for name, limit in largest.items():
            yield pytest.param(gate, made(name), limit, 1.01, id=f"{gate.name} {name}")
        for name, limit in smallest.items():
            yield pytest.param(gate, made(name), limit, 0.99, id=f"{gate.name} {name}")
        yield pytest.param(gate, made_shift, gate.perplexity, 1.01, id=f"{gate.name} perplexity")
        if same:
            yield pytest.param(gate, made("max_abs", 4.0), gate.max_error, 1.01, id=f"{gate.name} max_error")


def made(name, factor=1.0):
    return lambda value: with_logits(**{name: value * factor})


def made_shift(value):
    return msgspec.structs.replace(ALL, perplexity_shift=value)


@pytest.mark.parametrize(("gate", "metrics_with", "limit", "beyond"), list(thresholds()))
def test_each_threshold_divides_what_passes_from_what_fails(gate, metrics_with, limit, beyond):
    inside = limit * (2 - beyond)
    assert gates.violations(gate, metrics_with(inside if beyond > 1 else min(inside, 1))) == []
    assert len(gates.violations(gate, metrics_with(limit * beyond))) == 1
    assert len(gates.violations(gate, metrics_with(float("nan")))) == 1


@pytest.mark.parametrize(
    ("positions", "distance", "share"),
    [(1, 3.0, 0.4), (4, 1.5, 0.7), (9, 1.0, 0.8), (36, 1.0, 0.9), (500, 1.0, 0.9)],
)
def test_few_positions_leave_more_room_and_many_none(positions, distance, share):
    few = THRESHOLDS.few_rows
    assert few.distance(0.02, positions) == pytest.approx(0.02 * distance)
    assert few.share(0.9, positions, chosen=True) == pytest.approx(share)
    gate = gates.INT8_ACTIVATIONS
    for factor, passes in ((0.99, True), (1.01, False)):
        far = {"positions": positions, "kl": gate.kl * distance * factor}
        assert (gates.violations(gate, with_logits(**far)) == []) is passes
    least = 1 - (1 - gate.top1) * (1 - share) / 0.1
    for top1, passes in ((least + 0.01, True), (least - 0.01, False)):
        assert (gates.violations(gate, with_logits(positions=positions, top1=top1)) == []) is passes


def test_of_few_positions_none_passes_that_is_far_off():
    wrong = {"positions": 4, "nmse": 1.0, "kl": 2.0, "top1": 0.25, "top10": 0.2}
    for gate in GATES:
        assert len(gates.violations(gate, with_logits(**wrong))) >= 3


def difference(**changes):
    fields = {"prompt": 1, "position": 40, "expected": 5, "got": 6, "margin": 1e-6, "to_runner_up": True}
    return Difference(**(fields | changes))


@pytest.mark.parametrize("gate", [gates.FP32, gates.FP16], ids=lambda gate: gate.name)
@pytest.mark.parametrize(
    ("changes", "forgiven"),
    [
        ({}, True),
        ({"to_runner_up": False}, False),
        ({"margin": None}, False),
        ({"margin": 0.011}, False),
        ({"got": None, "to_runner_up": False}, False),
    ],
)
def test_only_a_tie_is_forgiven(gate, changes, forgiven):
    apart = msgspec.structs.replace(ALL, prefix=(40, 8), differences=(difference(**changes),))
    assert (gates.violations(gate, apart) == []) is forgiven
    assert bool(gates.ties(gate, apart)) is forgiven
    probed = Metrics(
        prefix=(64,), golden_tokens=(64,), probes=8, probe_differences=(difference(**changes),), spread=4.0
    )
    assert (gates.violations(gate, probed) == []) is forgiven


def test_ties_may_not_end_all_comparison():
    early = msgspec.structs.replace(ALL, prefix=(3, 2), differences=(difference(), difference(prompt=2)))
    assert gates.violations(gates.FP16, early) == ["only 5 of 72 tokens could be compared before ties"]


def test_quantisation_is_not_judged_by_tokens():
    apart = msgspec.structs.replace(ALL, prefix=(0, 0), differences=(difference(margin=3.0, to_runner_up=False),))
    assert gates.violations(gates.QUANTISED, apart) == []
    assert gates.ties(gates.QUANTISED, apart) == []


@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.name)
def test_without_evidence_nothing_passes(gate):
    assert gates.violations(gate, Metrics(prefix=(64,), golden_tokens=(64,)))
    assert gates.violations(gate, msgspec.structs.replace(ALL, perplexity_shift=None))


def test_single_choices_are_counted_across_quantisation():
    def probed(wrong):
        return Metrics(probes=20, probe_differences=(difference(),) * wrong)

    assert gates.violations(gates.QUANTISED, probed(10)) == []
    assert gates.violations(gates.QUANTISED, probed(11))


# Whole dumps: noise as float32, float16, bfloat16 arithmetic and int4 rounding have been measured to make it, and
# defects that have been seen. Sizes in standard deviations of the logits.
@pytest.mark.parametrize(
    ("noise", "passing"),
    [
        (5e-6, {FLOAT32, FLOAT16, INT4_FP16, INT4, INT8, QUANTISED}),
        (2e-3, {FLOAT16, INT4_FP16, INT4, INT8, QUANTISED}),
        (0.02, {INT4, INT8, QUANTISED}),  # bfloat16
        (0.3, {QUANTISED}),
        (1.0, set()),
    ],
)
def test_noise_of_each_size_passes_the_gates_that_it_should(tmp_path, noise, passing):
    base, logits = dumping.golden(tmp_path / "golden")
    dump = dumping.write(tmp_path / "own", dumping.perturbed(logits, noise), tokens=logits.argmax(axis=2))
    metrics = parity.compare(dump, tmp_path / "own", base)
    assert {gate.name for gate in GATES if not gates.violations(gate, metrics)} == passing


def shuffled(logits):
    return np.roll(logits, 1, axis=2)


def overflowed(logits):
    flat = logits.copy()
    flat[:, 1:] = flat[:, :1]  # every position answers like the first: a cache that is not read
    return flat


def clipped(logits):
    return np.clip(logits, -4, 4)


def scaled(logits):
    return logits * 0.5


@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.name)
@pytest.mark.parametrize("defect", [shuffled, overflowed, clipped], ids=lambda defect: defect.__name__)
def test_defects_fail_every_gate_even_when_the_tokens_are_faked(tmp_path, gate, defect):
    base, logits = dumping.golden(tmp_path / "golden")
    dump = dumping.write(tmp_path / "own", defect(logits), tokens=logits.argmax(axis=2))
    assert gates.violations(gate, parity.compare(dump, tmp_path / "own", base))


@pytest.mark.parametrize("gate", [gates.FP32, gates.FP16], ids=lambda gate: gate.name)
def test_logits_of_another_scale_fail_same_weights_though_every_choice_is_the_same(tmp_path, gate):
    base, logits = dumping.golden(tmp_path / "golden")
    dump = dumping.write(tmp_path / "own", scaled(logits))
    metrics = parity.compare(dump, tmp_path / "own", base)
    assert metrics.differences == ()
    assert gates.violations(gate, metrics)


def test_a_difference_is_told_in_words():
    told = gates.describe(difference(expected_text=" le", got_text="ind", margin=0.25))
    assert told == "prompt 1 parts at token 40: 'ind' instead of ' le' (golden margin 0.25 spreads)"
    assert "nothing more instead of the special token 5" in gates.describe(difference(got=None))


def test_the_documentation_has_the_thresholds_of_the_code():
    from wheelhouse.paths import ROOT

    documented = (ROOT / "docs" / "smoke.md").read_text(encoding="utf-8")
    for gate in (gates.FP32, gates.FP16, gates.INT4, gates.INT4_FP16):
        row = (
            f"| {gate.name} | ≤ {gate.max_error:g} | ≤ {gate.nmse:g} | ≤ {gate.kl:g} | ≤ {gate.tie:g} "
            f"| ≤ {gate.perplexity:g} | ≥ {gate.top10:g} | | all |"
        )
        assert row in documented
    gate = gates.QUANTISED
    row = (
        f"| {gate.name} | | ≤ {gate.nmse:g} | ≤ {gate.kl:g} | | ≤ {gate.perplexity:g} | ≥ {gate.top10:g} "
        f"| ≥ {gate.top1:g} | ≥ {gate.probes:g} |"
    )
    assert row in documented


def test_many_places_where_it_goes_on_differently_are_counted_and_not_listed():
    many = tuple(difference(position=p, margin=3.0, to_runner_up=False) for p in range(0, 80, 8))
    said = gates.violations(gates.FP32, Metrics(prefix=(64,), golden_tokens=(64,), probes=40, probe_differences=many))
    assert said[-1] == f"and so it would at {10 - gates.NAMED} more of 40 places"
    assert len(said) == gates.NAMED + 1
