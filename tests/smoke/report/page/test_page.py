"""What the page says in words, and which charts it has; how charts are drawn: test_drawing.py."""

import msgspec
import pytest

from smoke.parity.gates import Check
from smoke.parity.parity import Metrics
from smoke.parity.verdicts import Verdict
from smoke.report import html
from smoke.report.page import bug_report, charts, pictures, sentences, side_by_side
from smoke.report.results import Report
from tests.smoke.report.page import making
from tests.smoke.report.page.making import WHOLE

BROKEN = making.report(
    making.reference(),
    making.result("a:fp16"),
    making.result("b:fp16", verdict=Verdict.DIVERGED, reason="It parts at token 3. And then some."),
)


def test_the_first_sentences_are_for_a_customer():
    assert sentences.title(WHOLE) == "All 2 ways to run m pass"
    assert sentences.summary(WHOLE) == [
        "On this machine Runtime A (fp16) gives the reference's answers.",
        (
            "Runtime A (int4), with rounded weights, stays within its limits: "
            "the next token is the reference's at 100% of the positions."
        ),
        "npu cpu ran on CPU, as its name says, and is right there.",
        "Nothing ran on an NPU (this machine has no NPU) or on CUDA (there is no NVIDIA GPU).",
    ]


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("OpenVINO finds no NPU here (it finds CPU). Asked for one, it says: No.", "OpenVINO finds no NPU here"),
        ("This machine (a laptop) has no NPU.", "this machine (a laptop) has no NPU"),
        ("WebGPU is not there", "WebGPU is not there"),
        ("No driver.", "no driver"),
    ],
)
def test_why_nothing_ran_stands_in_brackets(reason, said):
    skipped = making.result("npu:int4", verdict=Verdict.SKIPPED, reason=reason, requested_device="NPU")
    assert f"Nothing ran on an NPU ({said})." in sentences.summary(making.report(making.reference(), skipped))


def test_what_is_wrong_is_said_at_the_top():
    assert sentences.title(BROKEN) == "1 of 2 ways to run m fails"
    assert "b (fp16) does not: b fp16 diverged (It parts at token 3)." in sentences.summary(BROKEN)


def test_several_machines_are_named():
    both = [making.result("a:fp16", machine=name, called="Runtime A") for name in ("home", "laptop")]
    assert sentences.summary(making.report(*both))[0] == (
        "home Runtime A (fp16) and laptop Runtime A (fp16) give the reference's answers."
    )


def test_many_faults_are_counted_at_the_top_and_told_below():
    wrong = [making.result(f"b{n}:x", verdict=Verdict.CRASHED, reason="because " + "a" * 900) for n in range(9)]
    (said,) = [sentence for sentence in sentences.summary(making.report(*wrong)) if "not" in sentence]
    assert said.startswith("9 others do not: b0 x crashed (because aaa")
    assert said.endswith("; and 6 more.")
    assert len(said) < 700
    assert "a" * 900 in page(making.report(*wrong)).decode()


def test_a_report_of_nothing_has_a_page_without_charts():
    empty = making.report(prompts=(), timings=())
    assert charts.of(empty) == []
    assert b"<figure" not in html.render(empty)


def test_skipped_results_are_folded_by_reason():
    assert [[r.name for r in results] for _, _, results in sentences.skipped(WHOLE)] == [
        ["npu fp16", "npu int4"],
        ["cuda fp16"],
    ]


@pytest.mark.parametrize(
    ("shell", "prompts"),
    [("posix", "'my prompts.txt'"), ("powershell", "'my prompts.txt'"), ("cmd", '"my prompts.txt"')],
)
def test_the_command_makes_the_row_again(shell, prompts, monkeypatch):
    monkeypatch.setattr(sentences, "own_shell", lambda: shell)
    assert sentences.command(WHOLE, WHOLE.results[1]) == (
        f"invoke smoke --backend a:fp16 --model m --prompts {prompts}"
    )
    there = msgspec.structs.replace(WHOLE.results[1], machine="laptop")
    assert sentences.command(WHOLE, there) == ""


def test_a_bug_report_is_about_what_is_wrong():
    text = bug_report.text(BROKEN)
    assert "- b fp16: DIVERGED on CPU" in text
    assert "- a fp16" not in text
    assert "onnxruntime 1.31.1" in text
    assert "KL 1.0e-6 (at most 2e-4)" in text
    assert "- a fp16: PASS" in bug_report.text(WHOLE)


@pytest.mark.parametrize(
    ("ours", "theirs", "parts"),
    [
        ("x a c more", "x a b", ("x a ", "c", " more")),
        ("same", "same", ("same", "", "")),
        ("shorter", "shorter by far", ("shorter", "", "")),
        ("longer by far", "longer", ("longer", " by", " far")),
        ("", "x", ("", "", "")),
        ("y", "", ("", "y", "")),
    ],
)
def test_the_first_word_that_differs_is_marked(ours, theirs, parts):
    assert side_by_side.split(ours, theirs) == parts


def test_answers_are_side_by_side_the_reference_first():
    first, second = side_by_side.of(WHOLE)
    assert [a.names for a in first.answers] == [["reference fp32", "a fp16", "a int4", "npu cpu"]]
    assert [a.names for a in second.answers] == [["reference fp32"], ["a fp16", "a int4", "npu cpu"]]
    assert (
        "' c' instead of ' b', which is its runner-up; the golden choice led by 0.5 spreads" in second.answers[1].note
    )
    assert b"<mark>c</mark>" in page()


def test_an_answer_that_was_cut_is_called_the_beginning_of_the_other():
    whole = making.result("a:fp16", text=("one two three",))
    cut = making.result(
        "b:fp16",
        against="a:fp16",
        text=("one two",),
        metrics=Metrics(prefix=(2,), golden_tokens=(2,)),
    )
    (prompt,) = side_by_side.of(making.report(making.reference(text=("one two three",)), whole, cut))
    assert {name: answer.note for answer in prompt.answers for name in answer.names}["b fp16"] == (
        "the same as far as it was asked"
    )


def test_commands_in_sentences_are_shown_as_code_and_nothing_else_is():
    reason = "Run `invoke x <a>`; not ```this``` and <b>not `that\n`."
    found = page(
        making.report(making.reference(), making.result("a:fp16", verdict=Verdict.CRASHED, reason=reason))
    ).decode()
    assert "Run <code>invoke x &lt;a&gt;</code>; not ```this``` and &lt;b&gt;not `that\n`." in found


def page(report=WHOLE):
    return html.render(report)


@pytest.fixture(autouse=True)
def undrawn(monkeypatch):
    monkeypatch.setattr(pictures, "draw", lambda found: [pictures.Drawn(chart=c, svg="<svg></svg>") for c in found])


@pytest.mark.parametrize(
    ("check", "reach", "limit"),
    [
        (Check(name="", value=1e-4, limit=1e-2), 40.0, 80.0),
        (Check(name="", value=1e-2, limit=1e-2), 80.0, 80.0),
        (Check(name="", value=1.0, limit=1e-2), 100.0, 80.0),
        (Check(name="", value=0.0, limit=1e-2), 0.0, 80.0),
        (Check(name="", value=None, limit=1e-2), 100.0, 80.0),
        (Check(name="", value=0.75, limit=0.5, at_least=True), 75.0, 50.0),
        (Check(name="", value=None, limit=0.5, at_least=True), 0.0, 50.0),
    ],
)
def test_bars_stand_beside_their_limits(check, reach, limit):
    assert side_by_side.bar(check) == pytest.approx((reach, limit))
    assert check.holds == (reach >= limit if check.at_least else reach <= limit)


def test_every_chart_tells_its_numbers_too():
    found = {chart.title: chart for chart in charts.of(WHOLE)}
    assert len(found) == 9
    for chart in found.values():
        assert all(len(row) == len(chart.head) for row in chart.rows), chart.title
    assert next(bar.label for bar in found["Tokens per second"].series) == "a int4"
    assert found["Tokens per second"].series[0].x == pytest.approx((90.0, 88.2, 91.8))
    assert ("a fp16", 4096, "too long", "") in found["Prompt length and the first token"].rows
    assert found["Drift, position by position"].series[0].y == pytest.approx((1e-6, 1.5e-6, 1.5e-6))
    assert found["How sure the reference was"].rows[0] == (2, 0, "0.01")


def test_speed_of_an_earlier_run_is_in_no_chart_of_speed():
    old = msgspec.structs.replace(WHOLE.results[0], measured="2026-01-01T00:00:00+00:00")
    found = {chart.title: chart for chart in charts.of(making.report(old, WHOLE.results[1]))}
    assert [bar.label for bar in found["Tokens per second"].series] == ["a fp16"]
    assert "How sure the reference was" in found


def test_values_far_apart_are_drawn_on_a_scale_that_shows_them():
    slow = making.result("dml:fp16", performance=making.speed(0.2, 5.0))
    found = {chart.title: chart for chart in charts.of(making.report(making.result("a:fp16"), slow))}
    assert found["Tokens per second"].log
    assert not found["Memory"].log


def test_the_page_names_its_own_script_only():
    import base64
    import hashlib
    import re

    text = page().decode()
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text
    assert "default-src 'none'" in text


def test_an_older_report_has_a_page_too():
    written = msgspec.json.decode(msgspec.json.encode(WHOLE))
    for key in ("options", "choice", "repeat"):
        del written[key]
    for one in written["results"]:
        del one["checks"], one["called"]
    for timing in written["timings"]:
        del timing["spans"], timing["beside"]
    del written["host"]["noise"], written["host"]["work_s"]
    old = msgspec.json.decode(msgspec.json.encode(written | {"schema": 1}), type=Report)
    assert b"invoke smoke --backend a:fp16 --model m --max-new-tokens 3" in page(old)
