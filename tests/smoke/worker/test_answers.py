"""An answer is checked against the runtime's own logits, wherever it parts from the tokens that were given."""

import sys

import numpy as np
import pytest

from smoke.backends.registry import WORKER

sys.path.insert(0, str(WORKER))

import worker_answers

SIZE = 50


class Runtime:
    """Prefers the sum of all tokens, in blocks of a few rows."""

    def __init__(self, block=3):
        self.block, self.asked = block, 0

    def next_token(self, ids):
        self.asked += 1
        return sum(ids) % SIZE

    def rows(self, ids):
        rows = np.zeros((len(ids), SIZE), "f4")
        for k in range(len(ids)):
            rows[k, sum(ids[: k + 1]) % SIZE] = 2.5
        return rows

    def score(self, ids, steps):
        self.asked += 1
        rows = self.rows(ids)
        for start in range(0, len(ids), self.block):
            yield rows[start : start + self.block]

    def answer(self, ids, length):
        tokens = []
        while len(tokens) < length:
            tokens.append(sum([*ids, *tokens]) % SIZE)
        return tokens


IDS = [3, 4, 5]


def checked(tokens, given, block=3):
    runtime = Runtime(block)
    rows = runtime.rows([*IDS, *given[:-1]])[len(IDS) - 1 :]
    return worker_answers.rechecked(runtime, IDS, tokens, given, rows), runtime


@pytest.mark.parametrize("block", [1, 2, 3, 100])
@pytest.mark.parametrize("given", [[1, 2, 3], [12, 24, 48, 7, 7, 7], list(range(20))])
def test_its_own_answer_is_what_it_chooses(given, block):
    tokens = Runtime().answer(IDS, 12)
    found, _ = checked(tokens, given, block)
    assert found == {"rechecked": 12, "unchosen": []}


def test_nothing_is_computed_again_where_the_answer_is_the_one_given():
    tokens = Runtime().answer(IDS, 12)
    found, runtime = checked(tokens, tokens)
    assert (found["rechecked"], runtime.asked) == (12, 0)


@pytest.mark.parametrize("block", [1, 2, 3, 100])
@pytest.mark.parametrize("position", [0, 1, 5, 11])
def test_a_token_that_it_did_not_choose_is_found_at_its_place(position, block):
    tokens = Runtime().answer(IDS, 12)
    best = tokens[position]
    tokens[position] = (best + 1) % SIZE
    tokens[position + 1 :] = Runtime().answer([*IDS, *tokens[: position + 1]], 11 - position)
    for given in (Runtime().answer(IDS, 12), [1, 2, 3], tokens):
        found, _ = checked(tokens, given, block)
        assert found == {"rechecked": 12, "unchosen": [[position, best, 2.5]]}


def test_without_logits_some_tokens_and_the_last_are_asked_for_again():
    runtime = Runtime()
    tokens = runtime.answer(IDS, 20)
    tokens[16] = (tokens[16] + 1) % SIZE
    probes = [[0, tokens[0]], [8, tokens[8]], [16, 5]]
    given = [*tokens[:9], 49]
    found = worker_answers.rechecked_by_choices(runtime, IDS, tokens, given, probes)
    best = sum([*IDS, *tokens[:16]]) % SIZE
    assert found["rechecked"] == 4
    assert [16, best, None] in found["unchosen"]
    assert runtime.asked == 2  # 16 and 19: the others were asked for after the same tokens
