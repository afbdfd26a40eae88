"""What is looked at in a long context: the plan, the rows that are kept, and a runtime that takes tokens once only."""

import sys

import numpy as np
import pytest

from smoke.backends.registry import WORKER
from smoke.parity import dumps
from smoke.running.asked import long_prompt
from tests.smoke.models import building

sys.path.insert(0, str(WORKER))

import worker_context
import worker_engine
from engine_ort_genai_dml import DirectMlEngine

EDGES = long_prompt.EDGES


@pytest.mark.parametrize("tokens", [1, 5, 16, 17, 40, 68, 69, 130, 599, 600, 1023, 1024, 1028, 1029, 1700])
@pytest.mark.parametrize("most", [64, 256, 10_000])
def test_a_pass_goes_through_every_token_once_and_in_order(tokens, most):
    for number, sizes in enumerate(worker_context.passes(tokens, EDGES, most)):
        assert sum(sizes) == (tokens if number == 0 else worker_context.AGAIN if tokens >= 1000 else 600)
        assert 0 < min(sizes) <= max(sizes) <= most


@pytest.mark.parametrize("tokens", [600, 1023, 1700])
def test_at_least_32_rows_of_each_kind_are_kept_and_all_around_the_edges(tokens):
    sizes = worker_context.passes(tokens, EDGES, 10_000)
    kept = [worker_context.kept(each) for each in sizes]
    at_once, steps = [p for one, _ in kept for p in one], [p for _, one in kept for p in one]
    assert min(len(at_once), len(steps)) >= 32
    for edge in (edge for edge in EDGES if edge + 4 <= tokens):
        assert set(range(edge - 4, edge + 4)) <= set(steps)
    assert len(sizes) == 2  # a shorter prompt follows
    assert len(at_once) + len(steps) < 200


def test_the_edges_of_a_window_and_of_scaled_positions_are_looked_at():
    facts = building.facts(sliding_window=300, max_position_embeddings=4096)
    assert {300, *EDGES} <= set(long_prompt.question(facts, 4096)["edges"])
    asked = long_prompt.question(facts, 4096)
    steps = worker_context.kept(worker_context.passes(asked["tokens"], asked["edges"], asked["most"])[0])[1]
    assert set(range(296, 304)) <= set(steps)


def test_a_slow_device_looks_at_the_first_of_the_same_rows():
    whole = worker_context.kept(worker_context.passes(1700, EDGES, 10_000)[0])
    short = worker_context.kept(worker_context.passes(long_prompt.SLOW, EDGES, 10_000)[0])
    assert len(worker_context.passes(long_prompt.SLOW, EDGES, 10_000)) == 1
    for mine, all_of_them in zip(short, whole, strict=True):
        assert mine == all_of_them[: len(mine)]
        assert mine


def test_the_context_is_as_long_as_the_model_allows():
    assert long_prompt.question(building.facts(), 512)["tokens"] == 511
    for most in (1 << 20, None):
        assert long_prompt.question(building.facts(), most)["tokens"] == long_prompt.LONGEST
    assert long_prompt.question(building.facts(vocab_size=300_000), None)["most"] < 256
    assert len(long_prompt.text()) > 4 * 700
    assert long_prompt.text().endswith(long_prompt.text()[:300][-40:]) is False


class Counting(worker_engine.Engine):
    """Its logits are the position and what came before."""

    scores = True

    def __init__(self, refuses=10_000):
        self.refuses = refuses

    def next_token(self, ids):
        return len(ids)

    def pieces(self, ids, sizes):
        if len(ids) > self.refuses:
            raise ValueError("too long")
        for start, end in worker_engine.bounds(sizes):
            yield np.array([[p, sum(ids[: p + 1])] for p in range(start, end)], dtype="f4")


def measured(tmp_path, engine, tokens=700):
    job = {"context": {"ids": list(range(tokens)), "tokens": tokens, "edges": list(EDGES), "most": 100},
           "output": str(tmp_path)}  # fmt: skip
    return worker_context.measured(engine, job)


def rows_of(tmp_path, name):
    return np.concatenate(list(dumps.open_logits(tmp_path / name).blocks()))


def test_the_kept_rows_are_those_of_their_positions(tmp_path):
    found = measured(tmp_path, Counting())
    assert found["tokens"] == 700
    for name, places in ((dumps.AT_ONCE, found["at_once"]), (dumps.ONE_BY_ONE, found["one_by_one"])):
        rows = rows_of(tmp_path, name)
        assert rows[:, 0].tolist() == places
        assert rows[:, 1].tolist() == [sum(range(p + 1)) for p in places]


def test_a_runtime_that_refuses_says_so_and_one_without_logits_is_asked_for_choices(tmp_path):
    assert "too long" in measured(tmp_path, Counting(refuses=500))["error"]
    engine = Counting()
    engine.scores = False
    assert measured(tmp_path, engine)["choices"] == [[63, 64], [127, 128], [255, 256], [511, 512], [699, 700]]
    engine.long_context = False
    assert measured(tmp_path, engine) == {}


def test_directml_computes_each_piece_anew_and_gives_the_same_rows():
    class Once(DirectMlEngine):
        def __init__(self):
            self.asked = []

        def score(self, ids, steps):
            self.asked.append((len(ids), steps))
            yield from Counting().pieces(ids, [len(ids) - steps, *[1] * steps])

    sizes = [60, *[1] * 8, 56, *[1] * 3, 7]
    ids = list(range(sum(sizes)))
    ours, theirs = (np.concatenate(list(e.pieces(ids, sizes))) for e in (Once(), Counting()))
    np.testing.assert_array_equal(ours, theirs)
    assert worker_engine.with_steps(sizes) == [(0, 60, 8), (68, 124, 3), (127, 134, 0)]


def test_no_long_prompt_is_asked_where_shapes_are_compiled_for_the_prompts(monkeypatch):
    import engine_npu

    monkeypatch.setattr(engine_npu, "require_npu", lambda: None)
    monkeypatch.setattr(engine_npu.engine_openvino_genai, "load", lambda job: Counting())
    prompts = [{"ids": [1], "continuation": []}]
    job = {"model": "m", "options": {"route": "genai"}, "prompts": prompts, "max_new_tokens": 8}
    assert engine_npu.load(job).long_context is False
    assert engine_npu.NpuEngine.long_context is False
