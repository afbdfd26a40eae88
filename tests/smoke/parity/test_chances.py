"""How probable a runtime without logits holds its choices, beside the golden logits."""

import json
import math

import msgspec
import numpy as np
import pytest

from smoke.parity import chances, dumps, gates
from smoke.parity.chances import Chances
from smoke.parity.dumps import ContextDump, DumpError, PromptDump
from smoke.parity.parity import Metrics
from smoke.worker import worker_dump

ROWS = np.array([[0.0, 1.0, 2.0], [3.0, 0.0, 0.0], [0.5, 0.0, 4.0]], np.float32)


def expected(row, token):
    return float(ROWS[row][token] - math.log(np.exp(ROWS[row].astype("f8")).sum()))


@pytest.fixture
def golden(tmp_path):
    for name in ("logits-0.safetensors", dumps.AT_ONCE):
        worker_dump.write_rows(tmp_path / name, ROWS)
    return tmp_path, [dumps.open_logits(tmp_path / "logits-0.safetensors")]


def told(probes=(), probable=(), choices=(), likely=()):
    prompt = PromptDump(text="", ids=(), probes=tuple(probes), chances=tuple(probable))
    context = ContextDump(tokens=100, choices=tuple(choices), chances=tuple(likely))
    return msgspec.structs.replace(EMPTY, prompts=(prompt,), context=context)


EMPTY = msgspec.json.decode(json.dumps({"schema": 2, "status": "ok"}), type=dumps.Dump)
BASE = msgspec.structs.replace(EMPTY, context=ContextDump(tokens=100, at_once=(10, 20, 30)))


def test_what_is_as_probable_is_not_apart(golden):
    dump = told([(0, 2), (2, 2)], [expected(0, 2), expected(2, 2)], [(20, 0), (99, 1)], [expected(1, 0), -1.0])
    found = chances.measured(dump, BASE, *golden)
    assert found.count == 3  # nobody knows position 99
    assert found.kl < 1e-12


def test_the_measure_is_half_the_mean_square(golden):
    dump = told([(0, 2), (1, 0)], [expected(0, 2) - 0.2, expected(1, 0)])
    assert chances.measured(dump, BASE, *golden).kl == pytest.approx(0.2**2 / 2 / 2)


def test_a_runtime_that_tells_none_is_not_measured(golden):
    assert chances.measured(told([(0, 2)], [None]), BASE, *golden) is None
    assert chances.measured(told([(0, 2)]), BASE, *golden) is None


def test_a_token_outside_the_vocabulary_is_infinitely_improbable(golden):
    assert chances.measured(told([(0, 7)], [-1.0]), BASE, *golden).kl == math.inf


def test_probes_that_nobody_asked_for_are_not_believed(golden):
    with pytest.raises(DumpError, match="position 9 of prompt 1"):
        chances.measured(told([(9, 1)], [-1.0]), BASE, *golden)


@pytest.mark.parametrize(("gate", "healthy", "broken"), [(gates.FP16, 8.3e-7, 4e-4), (gates.INT4, 0.0027, 0.02)])
def test_healthy_chances_pass_and_broken_ones_do_not(gate, healthy, broken):
    def judged(kl):
        metrics = Metrics(prefix=(64,), golden_tokens=(64,), probes=29, chances=Chances(count=35, kl=kl), spread=4.0)
        assert gates.checks(gate, metrics)[-1].name == "KL of single choices"
        return gates.violations(gate, metrics)

    assert judged(healthy) == []
    assert judged(broken)[0].startswith("KL of single choices ")
    assert judged(math.inf)
