"""Text, tokenizer and template of a runtime, compared with the reference's in real worker processes."""

import pytest

from smoke.parity import textual
from smoke.parity.textual import Texts, Unlike
from smoke.parity.verdicts import Verdict
from tests.smoke import fakes
from tests.smoke.running.test_run import by_variant, smoke  # noqa: F401 - a fixture

FAULTS = {
    "other city": "its detokenizer makes",
    "half a stream": "token by token, its detokenizer makes",
    "special as text": "takes '<answer>' for text",
    "no generation prompt": "renders a conversation (one question)",
}


def test_what_users_read_and_write_is_compared(smoke):  # noqa: F811
    names = {fault: fault.replace(" ", "-") for fault in [*FAULTS, "no template"]}
    report = smoke(fakes.backend("b", fakes.variant("healthy"), *(fakes.variant(n, fault=f) for f, n in names.items())))
    found = by_variant(report)
    assert found["healthy"].verdict is Verdict.PASS
    assert found["healthy"].reason == "Compared up to 1023 tokens of context."
    for fault, words in FAULTS.items():
        assert found[names[fault]].verdict is Verdict.DIVERGED, fault
        assert words.lower() in found[names[fault]].reason.lower()
    assert found["no-template"].verdict is Verdict.PASS
    assert "cannot render" in found["no-template"].reason
    assert "no method named replace" in found["no-template"].reason


def unlike(what, **fields):
    return Unlike(**({"what": what, "given": "the text", "expected": "abc Paris.", "got": "abc Rome."} | fields))


@pytest.mark.parametrize("what", [*textual.FAULTS, *textual.REMARKS])
def test_each_difference_is_a_fault_or_a_remark(what):
    texts = Texts(looked_at={what: 7}, unlike=(unlike(what), unlike(what)))
    faults, remarks = textual.violations(texts), textual.remarks(texts)
    assert len(faults) == (what in textual.FAULTS)
    assert len(remarks) == (what in textual.REMARKS)
    (said,) = [*faults, *remarks]
    assert "the text" in said or "Rome" in said


def test_a_refused_template_is_no_fault_and_a_refused_answer_is():
    error = {"got": "", "error": "ValueError: no"}
    assert textual.violations(Texts(unlike=(unlike("template", **error),))) == []
    assert "cannot render 1" in textual.remarks(Texts(unlike=(unlike("template", **error),)))[0]
    assert "ValueError" in textual.violations(Texts(unlike=(unlike("answer", **error),)))[0]
    assert textual.violations(None) == textual.remarks(None) == []


def test_long_texts_are_shown_around_the_place_where_they_part():
    long = "x" * 500
    (said,) = textual.violations(Texts(unlike=(unlike("answer", expected=long + "Paris", got=long + "Rome"),)))
    assert "…xxxxxxxxxxxxxxxxxxxxRome" in said
    assert len(said) < 220


def test_what_goes_wrong_far_into_a_context_is_found_and_where_it_begins(smoke):  # noqa: F811
    found = by_variant(
        smoke(
            fakes.backend(
                "b",
                fakes.variant("late", fault="late"),
                fakes.variant("late-without-logits", fault="late", tokens_only=True),
                fakes.variant("refuses", context=950),
            )
        )
    )
    assert {r.verdict for r in found.values()} == {Verdict.DIVERGED}
    assert "in a context of 1023 tokens it goes wrong from position 2" in found["late"].reason
    assert "of tokens at once" in found["late"].reason
    assert "of tokens one by one" in found["late"].reason
    assert "in a long context" in found["late-without-logits"].reason
    assert "it fails in a context of 1023 tokens" in found["refuses"].reason.lower()
    assert found["late"].metrics.prefix == (24, 24)
