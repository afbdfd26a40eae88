from smoke.parity.verdicts import Verdict
from smoke.report import markdown
from tests.smoke.report.page import making


def test_a_summary_has_the_sentences_and_the_table():
    text = markdown.render(making.WHOLE).decode()
    assert text.startswith("### All 2 ways to run m pass\n\nOn this machine Runtime A (fp16) gives")
    assert "| a fp16 | PASS | CPU | 5 of 6 | 1e-6 | 50 ms | 20 | 1.0 GB |" in text
    assert "cuda" not in text.partition("| backend")[2]


def test_what_is_wrong_is_told_and_cannot_be_markup():
    wrong = making.result(
        "a:fp16", verdict=Verdict.DIVERGED, reason="It says <b>|no|</b>\nand `more`", remedy="*Mend* it."
    )
    text = markdown.render(making.report(wrong)).decode()
    assert "- **a fp16**: It says \\<b\\>\\|no\\|\\</b\\> and \\`more\\` \\*Mend\\* it." in text
