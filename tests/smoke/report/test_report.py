import json
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import jsonschema
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from smoke.parity.dumps import Device, Library
from smoke.parity.parity import Difference, LogitMetrics, Metrics
from smoke.parity.speeds import Performance
from smoke.parity.verdicts import Verdict
from smoke.report import html, json_schema, junit, markdown, terminal, wording
from smoke.report import writing as reports
from smoke.report.page import pictures
from smoke.report.page.chart_data import Drawn
from smoke.report.results import Host, ModelInfo, Report, Result, Section, Timing
from wheelhouse import console
from wheelhouse.errors import ParityError, ResourceError, UnsupportedError

NASTY = "<script>alert(1)</script> \x1b[2J\x00\x07 ]]> & \ud800 \u202e “é”\nnext line"


def result(verdict=Verdict.PASS, **changes):
    fields = {
        "backend": "ort-cpu",
        "variant": verdict.value.lower(),
        "device": "CPU",
        "verdict": verdict,
        "reason": "" if verdict is Verdict.PASS else f"because of {verdict.value}",
        "gate": "same weights, float16",
        "against": "reference:fp32",
        "metrics": Metrics(
            prefix=(8, 40),
            golden_tokens=(8, 64),
            differences=(Difference(prompt=2, position=40, expected=1, got=2, margin=0.1),),
            logits=LogitMetrics(
                positions=72, spread=4, max_abs=0.1, mean_abs=0.01, nmse=1e-6, kl=1.2e-5, kl_max=1e-4, top1=1,
                top1_margin=0, top10=0.99,
            ),
            spread=4.0,
            perplexity=50.0,
            perplexity_ratio=1.0002,
        ),
        "performance": Performance(
            load_s=0.5, first_token_s=0.02, tokens_per_s=23.46, peak_memory_bytes=859320320, worker_s=9.0
        ),
        "text": ("The capital of France is Paris.", "Because."),
        "device_details": Device(name="CPU", description="a CPU", evidence="the runtime"),
        "settings": {"a": "b"},
        "versions": {"onnxruntime": "1.31.1"},
        "loaded": (Library(path="/x.so", size=1, sha256="0" * 64),),
        "log": "logs/x.log",
    }  # fmt: skip
    return Result(**(fields | changes))


def report(*results, **changes):
    fields = {
        "schema": 1,
        "created": "2026-01-02T03:04:05+00:00",
        "model": ModelInfo(name="m", label="a model", key="k"),
        "host": Host(system="Linux", machine="x86_64", cpu="CPU", cores=2, memory_bytes=8 << 30),
        "prompts": ("What is the capital of France?", "Why?"),
        "max_new_tokens": 64,
        "passed": not any(r.verdict.is_fault for r in results),
        "results": results,
        "timings": (Timing(part="model", seconds=1.0), Timing(part="worker ort-cpu pass", seconds=9.0)),
        "seconds": 12.0,
        "sections": (
            Section(title="Operators", columns=("op", "error"), rows=(("Add", 0.5), ("Mul", None)), note="n"),
        ),
    }
    return Report(**(fields | changes))


EVERY = report(*(result(verdict) for verdict in Verdict))
HOSTILE = report(
    result(Verdict.CRASHED, reason=NASTY, remedy=NASTY, text=(NASTY, NASTY), device=NASTY, settings={NASTY: NASTY}),
    prompts=(NASTY, NASTY),
)


def printed(shown, columns=160, *, everything=False):
    console = Console(width=columns, force_terminal=False)
    with console.capture() as capture:
        for part in terminal.render(shown, everything=everything):
            console.print(part)
    return capture.get()


def test_the_schema_in_the_repository_is_the_one_of_the_code():
    assert json_schema.PATH.read_bytes() == json_schema.generate(), "run: python -m smoke.report.json_schema"


def test_reports_are_valid_and_the_schema_refuses_others():
    validator = jsonschema.Draft202012Validator(json.loads(json_schema.PATH.read_text(encoding="utf-8")))
    written = json.loads(msgspec.json.encode(EVERY))
    validator.validate(written)
    for harm in (
        lambda r: r.update(schema=4),
        lambda r: r["results"][0].update(verdict="FINE"),
        lambda r: r["results"][0].pop("device"),
        lambda r: r.pop("host"),
    ):
        broken = json.loads(json.dumps(written))
        harm(broken)
        assert not validator.is_valid(broken)


def test_the_terminal_shows_every_column():
    text = printed(EVERY, everything=True)
    for words in (
        "PASS",
        "FELL_BACK",
        "TIMED_OUT",
        "SKIPPED",
        "8/8 40/64",
        "1e-5",
        "20 ms",
        "23.5",
        "859 MB",
        "500 ms",
    ):
        assert words in text
    assert "because of CRASHED" in text
    assert "The capital of France is Paris." in text
    assert "Operators" in text
    assert "workers 9.0 s (0.0 s of processor time), model 1.0 s, other 2.0 s" in text
    assert "m on 6 variants: 1 PASS, 1 DIVERGED, 1 FELL_BACK, 1 CRASHED, 1 TIMED_OUT, 1 SKIPPED, in 12 s" in text


def test_a_result_out_of_the_cache_has_no_speed_in_this_run():
    kept = result(measured="2026-01-01T00:00:00+00:00", performance=Performance(tokens_per_s=77.25, worker_cpu_s=5.0))
    text = printed(report(kept))
    assert "77.2" not in text
    assert "processor time" not in text
    assert "77.2" not in "".join(parsed(report(kept)).text)
    assert b"77.2" not in markdown.render(report(kept))


def test_model_output_cannot_control_the_terminal():
    text = printed(HOSTILE)
    assert "\x1b" not in text
    assert "\x00" not in text
    assert "<script>" in text  # literal, not markup
    assert "\\x1b" in text


def test_junit_counts_and_explains():
    root = ET.fromstring(junit.render(EVERY))
    suite = root.find("testsuite")
    assert {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "6",
        "failures": "2",
        "errors": "2",
        "skipped": "1",
    }
    assert suite.find("testcase[@name='diverged']/failure").get("type") == "DIVERGED"
    assert suite.find("testcase[@name='timed_out']/error").get("message") == "because of TIMED_OUT"


class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.text, self.links = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [
            value for name, value in attrs if name in {"src", "href"} and not value.startswith(("#", "data:,"))
        ]

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(autouse=True)
def undrawn(monkeypatch):
    monkeypatch.setattr(pictures, "draw", lambda charts: [Drawn(chart=chart, svg="") for chart in charts])


def parsed(shown):
    page = Page()
    page.feed(html.render(shown).decode())
    return page


def test_the_page_needs_nothing_else_and_escapes():
    page = parsed(HOSTILE)
    assert page.tags.count("script") == 1  # ours, which the page's own policy names by its hash
    assert "img" not in page.tags
    assert page.links == []
    text = "".join(page.text)
    assert "<script>alert(1)</script>" in text
    assert "\x1b" not in text


def test_the_page_shows_everything():
    text = "".join(parsed(EVERY).text)
    for words in (
        "TIMED_OUT",
        "48 of 72",
        "40 of 64",
        "Operators",
        "0.5",
        "same weights, float16",
        "a CPU",
        "logs/x.log",
        "9.0 s",
    ):
        assert words in text


@settings(max_examples=25, deadline=None)
@given(text=st.text())
def test_any_text_survives_every_form(text):
    shown = report(result(reason=text, text=(text,), device=text), prompts=(text,))
    ET.fromstring(junit.render(shown))
    parsed(shown)
    assert "\x1b" not in printed(shown)
    assert b"\x1b" not in markdown.render(shown)


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (0.0, "0"), (0.25, "0.25"), (1.2e-11, "1e-11"), (12.34, "12"), (1234.5, "1234"), (3e7, "3e7")],
)
def test_numbers(value, text):
    assert wording.number(value) == text


def test_many_prompts_are_added_up():
    many = result(metrics=Metrics(prefix=(1,) * 5, golden_tokens=(2,) * 5))
    assert wording.prefix(many) == "5/10"


def test_files_are_written(tmp_path):
    reports.write(EVERY, tmp_path / "new")
    names = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert names == ["junit.xml", "report.html", "report.json", "report.md"]
    assert msgspec.json.decode((tmp_path / "new" / "report.json").read_bytes(), type=Report) == EVERY


def test_a_full_disk_is_told(tmp_path, monkeypatch):
    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(reports, "write_atomic", full)
    with pytest.raises(ResourceError, match="No space left"):
        reports.write(EVERY, tmp_path)


def test_the_exit_code_follows_the_verdicts():
    reports.require_success(report(result(), result(Verdict.SKIPPED)), strict=False)
    with pytest.raises(ParityError, match="ort-cpu skipped SKIPPED"):
        reports.require_success(report(result(), result(Verdict.SKIPPED)), strict=True)
    for verdict in Verdict:
        if verdict.is_fault:
            with pytest.raises(ParityError, match=verdict.value):
                reports.require_success(report(result(), result(verdict)), strict=False)


def test_a_backend_that_was_named_and_could_not_run_is_no_success():
    skipped = msgspec.structs.replace(
        result(Verdict.SKIPPED), backend="dml", variant="fp16", reason="No wheels.", remedy="Build."
    )
    reports.require_named(report(result(), skipped), [])  # --all-backends
    reports.require_named(report(result(), skipped), ["ort-cpu"])
    for name in ("dml", "dml:fp16"):
        with pytest.raises(UnsupportedError, match=r"dml.* could not be run: No wheels\. Build") as refused:
            reports.require_named(report(result(), skipped), [name])
        assert refused.value.exit_code == 10
    ran = msgspec.structs.replace(result(), backend="dml", variant="int4")
    reports.require_named(report(ran, skipped), ["dml"])
    elsewhere = msgspec.structs.replace(result(Verdict.FELL_BACK), backend="dml", variant="on-cpu", announced=True)
    with pytest.raises(UnsupportedError):
        reports.require_named(report(elsewhere, skipped), ["dml"])
    reports.require_named(report(elsewhere, skipped), ["dml:on-cpu"])


def test_answers_that_are_the_same_are_printed_once():
    text = printed(report(*(msgspec.structs.replace(result(), variant=name) for name in ("fp32", "int4", "fp16"))))
    assert text.count("The capital of France is Paris.") == 1
    assert "ort-cpu fp32 and 2 more: The capital" in text


def test_what_was_skipped_for_one_reason_is_one_line():
    skipped = [
        msgspec.structs.replace(
            result(Verdict.SKIPPED),
            backend=backend,
            variant=variant,
            reason="No NPU.",
            remedy=f"Run {backend}:{variant}.",
        )
        for backend, variant in (("npu", "int4"), ("npu", "fp16"), ("npu-legacy", "int8"))
    ]
    other = msgspec.structs.replace(skipped[0], backend="cuda", reason="No GPU.", remedy="Buy one.")
    lines = printed(report(result(), *skipped, other)).splitlines()
    assert [line for line in lines if "SKIPPED" in line][:2] == [
        "3 SKIPPED (npu int4, fp16; npu-legacy int8): No NPU. Run NAME.",
        "1 SKIPPED (cuda int4): No GPU. Buy one.",
    ]
    assert not [line for line in lines if line.startswith(("npu", "cuda"))]


def test_of_what_was_skipped_the_first_sentences_are_said():
    skipped = [
        msgspec.structs.replace(
            result(Verdict.SKIPPED), backend=name, reason=reason, remedy="Get one (e.g. 2.0). Or not."
        )
        for name, reason in (("npu", "No NPU. It is not there."), ("npu-legacy", "No NPU. Nor here."))
    ]
    lines = printed(report(result(), *skipped)).splitlines()
    assert "2 SKIPPED (npu skipped; npu-legacy skipped): No NPU. Get one (e.g. 2.0)." in [
        line.rstrip() for line in lines
    ]
    everything = printed(report(result(), *skipped), everything=True)
    assert "No NPU. It is not there. Get one (e.g. 2.0). Or not." in everything


def test_a_section_with_nothing_to_look_at_is_one_line():
    usual = Section(title="Norms", columns=("export",), rows=(("dml-fp16",),), usual="none exceeds fp16.")
    text = printed(report(result(), sections=(usual,)))
    assert "Norms: none exceeds fp16." in text
    assert "dml-fp16" not in text
    assert "dml-fp16" in printed(report(result(), sections=(usual,)), everything=True)


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_no_line_is_longer_than_the_terminal(columns):
    assert max(map(len, printed(EVERY, columns).splitlines())) <= columns
    assert max(map(len, printed(HOSTILE, columns).splitlines())) <= columns


def test_quiet_prints_the_outcome_only(tmp_path, capsys):
    console.set_loudness(console.Loudness.QUIET)
    try:
        terminal.show(EVERY, tmp_path)
    finally:
        console.set_loudness(console.Loudness.NORMAL)
    assert capsys.readouterr() == (wording.headline(EVERY) + "\n", "")


def test_what_went_well_takes_few_lines():
    """Every backend in every variant fits on 60 lines of 80 columns, of which four are those of a run's parts."""
    backends = ("ort-cpu", "dml", "webgpu", "openvino", "npu")
    ran = [
        msgspec.structs.replace(
            result(),
            backend=backend,
            variant=f"v{number}",
            reason=f"Remark {backend} {number}. " * 9,
            text=(f"{number}",),
        )
        for backend in backends
        for number in range(5)
    ]
    lines = printed(report(*ran), 80).splitlines()
    assert len(lines) <= 56
    assert max(map(len, lines)) <= 80
    assert sum("Remark" in line for line in lines) == terminal.REMARKS
    assert f"and {25 - terminal.REMARKS} more remarks, in the report, and with --verbose here" in lines
    assert "  and 1 more, in the report" in lines
    everything = printed(report(*ran), 80, everything=True)
    assert all(f"{one.name}: Remark" in everything for one in ran)


def test_of_faults_everything_is_said():
    bad = msgspec.structs.replace(result(Verdict.DIVERGED), reason="It went wrong. " * 20, remedy="Mend it.")
    text = printed(report(*[bad] * 9), 80)
    assert "Mend it." in text
    assert "…" not in text
