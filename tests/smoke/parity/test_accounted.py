"""Free answers are accounted for: chosen by their own logits, ended by an end token, and a loop is named."""

import msgspec
import pytest

from smoke.parity import accounted, gates
from smoke.parity.dumps import Dump, PromptDump
from smoke.parity.judge import judge
from smoke.parity.verdicts import Verdict
from tests.smoke import dumping
from tests.smoke.parity.test_judge import ended

ENDS, LIMIT = (2, 7), 24


def dump(tokens, **changes):
    fields = {
        "text": "?", "ids": (1,), "tokens": tuple(tokens), "pieces": tuple(f"<{t}>" for t in tokens),
        "rechecked": len(tokens),
    }  # fmt: skip
    return Dump(schema=2, status="ok", prompts=(PromptDump(**(fields | changes)),))


def said(tokens, **changes):
    return accounted.violations(dump(tokens, **changes), tie=0.15, spread=4.0, ends=ENDS, limit=LIMIT)


WHOLE = [*range(10, 20), 2]
FULL = list(range(10, 10 + LIMIT))


@pytest.mark.parametrize("tokens", [WHOLE, [*range(10, 20), 7], FULL, [*FULL[:-1], 2], [2]])
def test_an_answer_that_ends_where_it_should_or_is_cut_off_is_accounted_for(tokens):
    assert said(tokens) == []


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        (WHOLE[:-1], "ends after 10 tokens with '<19>', which is no end token"),
        ([*WHOLE, 11, 12, 2], "goes on after its end token at 10"),
        ([*FULL[:5], 7, *FULL[6:]], "goes on after its end token at 5"),
    ],
)
def test_an_answer_that_ends_elsewhere_is_not(tokens, words):
    (found,) = said(tokens)
    assert words in found


def test_without_known_end_tokens_nothing_is_said_of_ends():
    assert accounted.violations(dump(WHOLE[:-1]), tie=0.15, spread=4.0, ends=(), limit=LIMIT) == []


def test_a_token_that_is_not_the_best_by_its_own_logits_is_named_unless_it_is_a_tie():
    assert said(FULL, unchosen=((4, 99, 0.59),)) == []
    (found,) = said(FULL, unchosen=((4, 99, 0.61), (9, 98, 3.0)))
    assert "token 4 of its answer to prompt 1 is '<14>'" in found
    assert "and so on at 1 more" in found
    (ends,) = said(FULL, unchosen=((4, 7, 5.0),))
    assert "by its own logits the answer ends (by 1.25 spreads)" in ends


def test_a_runtime_without_logits_may_change_its_mind_at_one_token_in_ten():
    once, thrice = ((0, 99, None),), ((0, 99, None), (8, 99, None), (16, 99, None))
    assert said(FULL, rechecked=10, unchosen=once) == []
    (found,) = said(FULL, rechecked=10, unchosen=thrice)
    assert "differently after 3 of 10 beginnings" in found


def test_an_answer_that_nobody_looked_at_is_not_accounted_for():
    (found,) = said(FULL, rechecked=0)
    assert "nobody looked" in found


@pytest.mark.parametrize(
    ("tokens", "start", "turn"),
    [
        ([5, 6, *[9] * 20], 2, "<9>"),
        ([9] * 16, 0, "<9>"),
        ([1, 2, 3, *[4, 5, 6] * 6], 3, "<4><5><6>"),
        ([*[4, 5, 6, 7, 8] * 4, 4, 5], 0, "<4><5><6><7><8>"),
    ],
)
def test_a_loop_is_named_with_where_it_begins(tokens, start, turn):
    (found,) = accounted.loops(dump(tokens))
    assert f"from token {start} on" in found
    assert repr(turn) in found


@pytest.mark.parametrize("tokens", [FULL, [9] * 15, [9] * 30 + [1], [4, 5, 6, 7, 8] * 3, []])
def test_what_is_no_loop_is_not_named(tokens):
    assert accounted.loops(dump(tokens)) == []


@pytest.mark.parametrize("gate", [gate for gate in gates.ALL if gate is not gates.GOLDEN], ids=lambda gate: gate.name)
def test_an_answer_unlike_its_logits_fails_under_every_gate(tmp_path, gate):
    base, logits = dumping.golden(tmp_path / "golden")
    made = dumping.write(tmp_path / "own", logits)
    expected = dumping.expectation(gate, ends=ENDS, limit=16)
    assert judge(ended(), 10.0, tmp_path / "own", expected, base).judgement.verdict is Verdict.PASS
    spoilt = msgspec.structs.replace(made.prompts[1], unchosen=((5, 3, 4.0),))
    dumping.save(tmp_path / "own", msgspec.structs.replace(made, prompts=(made.prompts[0], spoilt, made.prompts[2])))
    judged = judge(ended(), 10.0, tmp_path / "own", expected, base).judgement
    assert judged.verdict is Verdict.DIVERGED
    assert "answer to prompt 2" in judged.reason
    assert not gates.checks(gate, judged.metrics)[0].holds
