"""npu-check: what is tried in which order, and what is made of a compiler's answers, its crashes and its silence."""

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smoke.backends import npu_compiler, selection
from smoke.environments.source import Environment
from smoke.models.model import Model
from smoke.report import wording
from smoke.suites import all_suites
from smoke.suites.npu_check import check, settings, suite
from smoke.suites.npu_check.settings import Attempt
from smoke.wine import recipe as wine_recipe
from tests.smoke.models import building
from wheelhouse.errors import AuditError, StepFailedError, UnsupportedError, UsageError

UNROLL = (
    "Exception from src\\inference\\src\\cpp\\core.cpp:135:\nException from src\\plugins\\x.cpp:59:\n"
    "UnrollPermuteDMA Pass failed : The size of merged sub output shape [1, 2] is not equal to 3\n\n"
)
STAND_IN = """
import json, os, sys, time
job = json.load(open(sys.argv[1]))
plan = json.load(open({plan!r}))
how = plan.get(job["platform"] + " " + job["model"].split(os.sep)[-2] + " " + str(job["prompt"]), "refused")
if how == "crashed": os.abort()
if how == "hung": time.sleep(60)
if how == "silent": sys.exit(0)
if how == "garbled": open(job["output"], "w").write("{{"); sys.exit(0)
done = how == "compiled"
if done and job["blob"]: open(job["blob"], "wb").write(b"blob")
json.dump(dict(compiled=done, message="" if done else {message!r}, seconds=1.5, blob_bytes=4 * done, version="1"),
          open(job["output"], "w"))
"""


def nowhere(folder):
    return Model(name="m", folder=folder, key="a", label="", facts=building.facts())


@pytest.fixture
def checked(tmp_path, monkeypatch):
    """Check a stand-in model with a stand-in compiler that answers as told."""
    model = Model(name="stand-in", folder=tmp_path, key="a" * 64, label="", facts=building.facts())
    failing = set()

    def export(_model, kind):
        folder = tmp_path / kind
        folder.mkdir(exist_ok=True)
        (folder / "openvino_model.bin").write_bytes(b"weights")
        if kind in failing:
            raise StepFailedError("the exporter stopped.")
        return folder

    def export_all(model, kinds):
        try:
            return {kind: export(model, kind) for kind in kinds}
        except StepFailedError as error:
            return dict.fromkeys(kinds, error)

    monkeypatch.setattr(check.exporting, "export", export)
    monkeypatch.setattr(check.exporting, "export_all", export_all)
    script = tmp_path / "stand_in.py"
    monkeypatch.setattr(check, "SCRIPT", script)
    here = Environment(name="here", python=(sys.executable,), env={}, label="")

    def call(plan, *, platforms=("4000",), prompt=1024, save=None, broken=(), timeout=30.0):
        failing.update(broken)
        (tmp_path / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
        script.write_text(STAND_IN.format(plan=str(tmp_path / "plan.json"), message=UNROLL), encoding="utf-8")
        return check.check(
            model, platforms, prompt=prompt, environment=here, logs=tmp_path / "logs", save=save, timeout=timeout
        )

    return call


def test_what_compiles_at_once_needs_no_advice(checked, tmp_path):
    found = checked({"4000 openvino-npu-int4 1024": "compiled"}, save=tmp_path / "blobs")[0]
    assert (found.product, found.advice, len(found.outcomes)) == ("Lunar Lake", "", 1)
    assert found.compiled.blob.read_bytes() == b"blob"
    assert found.compiled.blob_bytes == 4


def test_the_first_change_that_helps_is_the_advice_and_the_last_attempt(checked):
    plan = {"4000 openvino-npu-int4-channel 256": "compiled", "4000 openvino-fp16 256": "compiled"}
    found = checked(plan)[0]
    assert [o.compiled for o in found.outcomes] == [False, False, False, True]
    assert found.advice == ("Use int4 symmetric, channel-wise, prompts up to 256 tokens (--backend npu:int4-channel).")
    assert "transposition" in found.outcomes[0].message
    assert "not equal to 3" in found.outcomes[0].message


def test_platforms_are_judged_apart(checked):
    found = checked({"4000 openvino-npu-int4 1024": "compiled"}, platforms=("3720", "4000"))
    assert [f.compiled is not None for f in found] == [False, True]
    assert "Nothing that was tried helps" in found[0].advice
    assert [row[2] for row in suite.section(found, "m").rows] == ["no"] * 6 + ["yes"]
    assert [entry["compiles"] for entry in check.as_json(found)] == [False, True]


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("crashed", "process failed"),
        ("hung", "did not end"),
        ("silent", "no readable answer"),
        ("garbled", "no readable"),
    ],
)
def test_a_compiler_that_goes_wrong_is_an_outcome(checked, how, words):
    found = checked(
        {f"4000 {kind} 256": how for kind in settings.WEIGHTS}, prompt=256, timeout=1.0 if how == "hung" else 20.0
    )[0]
    assert found.compiled is None
    assert [words in outcome.message for outcome in found.outcomes] == [True, False] * 3


def test_a_remedy_whose_export_fails_is_an_outcome(checked):
    found = checked({"4000 openvino-fp16 256": "compiled"}, prompt=256, broken=[settings.CHANNELS])[0]
    assert [o.message for o in found.outcomes][2] == "its export failed: the exporter stopped."
    assert found.compiled.attempt.export == settings.HALF


def test_without_its_first_export_nothing_can_be_checked(checked):
    with pytest.raises(StepFailedError):
        checked({}, broken=[settings.GROUPS])


def test_what_is_advised_can_be_run():
    for export, name in settings.BACKENDS.items():
        (planned,) = (item for item in selection.select([name], everything=False) if item.name == name)
        assert planned.variant.export == export
        assert planned.variant.device == "NPU"


@given(st.sampled_from(["3720", "4000", "5010"]), st.integers(1, settings.LONGEST))
def test_remedies_never_repeat_and_change_the_prompt_to_a_usual_length(platform, prompt):
    first = Attempt(platform=platform, prompt=prompt)
    tried = [first, *settings.remedies(first)]
    assert len(set(tried)) == len(tried)
    assert {a.prompt for a in tried} - {prompt} <= {settings.SHORT_PROMPT, settings.PROMPT}
    assert all(a.platform == platform for a in tried)


@given(st.text(), st.text() | st.text().map(lambda text: f"[ERROR] 21:01:31.954 [vpux-compiler] {text}"))
def test_any_message_can_be_explained_in_one_line(message, log):
    assert len(settings.explained(message, log).splitlines()) == 1


def test_the_reason_is_in_the_log_where_the_exception_has_none():
    log = (
        "+ python npu_compile.py\n"
        "[ERROR] 21:01:31.954 [vpux-compiler] UnrollPermuteDMA Pass failed : The size is not equal to 3\n"
        "[ERROR] 21:01:31.955 [vpux-compiler] Failed Pass UnrollPermuteDMA on Operation loc(main)\n"
    )
    said = settings.explained("Exception from core.cpp:135:\nCompilation failed\n", log)
    assert said.startswith("it cannot break a transposition")
    assert said.endswith("(UnrollPermuteDMA Pass failed : The size is not equal to 3)")
    assert settings.explained("Compilation failed") == "Compilation failed"


def test_bad_input_names_the_nearest():
    assert settings.platforms("") == ("3720", "4000", "5010")
    assert settings.platforms(" 4000,4000") == ("4000",)
    with pytest.raises(UsageError, match=r"'3700'.*Did you mean '3720'"):
        settings.platforms("4000,3700")
    with pytest.raises(UsageError, match="max-prompt-len"):
        settings.prompt_length(0)


def test_the_report_has_its_table_or_says_why_not(monkeypatch, tmp_path):
    def absent():
        raise UnsupportedError("No compiler here.", remedy="Go to Windows.")

    monkeypatch.setattr(suite, "resolve", lambda _: nowhere(tmp_path))
    monkeypatch.setattr(npu_compiler, "prepare", absent)
    report = all_suites.added(
        all_suites.empty_report(), ["npu-check"], wheels=(), folder=tmp_path, timeout=1, model="m"
    )
    assert report.sections[0].note == "Not checked: No compiler here. Go to Windows."
    assert report.passed
    assert report.results == ()
    assert [timing.part for timing in report.timings] == ["npu-check"]
    assert wording.headline(report).startswith("NPU readiness of m, in ")


def test_the_task_fails_when_a_platform_is_refused(checked, monkeypatch, tmp_path, capsys):
    refused = checked({}, prompt=256)
    monkeypatch.setattr(suite, "resolve", lambda _: nowhere(tmp_path))
    monkeypatch.setattr(npu_compiler, "prepare", lambda: None)
    monkeypatch.setattr(suite, "check", lambda *_, **__: refused)
    with pytest.raises(AuditError, match="m does not compile for Lunar Lake"):
        suite.run(model="m", platforms="4000", max_prompt_len=256, save="", as_text=False)
    assert json.loads(capsys.readouterr().out)[0]["compiles"] is False


def test_the_compiler_is_the_one_of_the_main_environment():
    from smoke.environments import environment_recipes

    pins = environment_recipes.environment("main").packages
    wheel = wine_recipe.npu_compiler()[0]
    assert f"{wheel.package}=={wheel.version}" in pins


@pytest.mark.wine
def test_the_tiny_model_compiles_for_two_platforms(tmp_path):
    if not npu_compiler.status().ready:
        pytest.skip(npu_compiler.status().reason)
    from smoke.models import resolving

    found = check.check(
        resolving.resolve("tiny-phi3"), ("3720", "4000"), prompt=128, environment=npu_compiler.prepare(),
        logs=tmp_path / "logs", save=tmp_path / "blobs",
    )  # fmt: skip
    assert [f.product for f in found] == ["Meteor Lake", "Lunar Lake"]
    for finding in found:
        assert finding.compiled is not None, [o.message for o in finding.outcomes]
        assert finding.compiled.blob.stat().st_size == finding.compiled.blob_bytes > 100_000
