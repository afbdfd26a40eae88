"""A slow device is asked the beginning of the default prompts, is held to it, and its row says so."""

import dataclasses
import inspect

import pytest

from front import tasks_prove
from smoke.environments.source import Environment
from smoke.parity.verdicts import Verdict
from smoke.running import prompts, shorter
from smoke.running.smoke_request import TIMEOUT, Request
from tests.smoke import fakes
from tests.smoke.running.test_run import smoke  # noqa: F401 - the fixture


@dataclasses.dataclass(frozen=True)
class Slow(fakes.HereSource):
    def prepare(self, wheels):
        return dataclasses.replace(super().prepare(wheels), seconds_per_token=0.5)


def slow(**options):
    return fakes.backend("slow", fakes.variant("fp32", **options), source=Slow())


def result(report, name):
    return next(r for r in report.results if r.backend == name)


def test_the_default_prompts_are_cut_for_a_slow_device_only(smoke):  # noqa: F811
    quick = fakes.backend("quick", fakes.variant("fp32"))
    report = smoke(slow(), quick, prompts=prompts.DEFAULT)
    assert result(report, "slow").verdict is Verdict.PASS
    assert all(tokens <= shorter.TOKENS for tokens in result(report, "slow").metrics.golden_tokens)
    assert len(result(report, "slow").metrics.golden_tokens) == shorter.PROMPTS
    assert "Asked 2 of the 4 prompts, 8 of 24 tokens each and a context of 68 tokens" in result(report, "slow").reason
    assert len(result(report, "quick").metrics.golden_tokens) == len(prompts.DEFAULT)
    assert "Asked" not in result(report, "quick").reason


def test_a_graphics_card_in_software_is_asked_all_prompts_and_a_short_context(smoke):  # noqa: F811
    class Software(fakes.HereSource):
        def prepare(self, wheels):
            return dataclasses.replace(super().prepare(wheels), software_device=True)

    report = smoke(fakes.backend("soft", fakes.variant("fp32"), source=Software()), prompts=prompts.DEFAULT)
    assert result(report, "soft").verdict is Verdict.PASS
    assert len(result(report, "soft").metrics.golden_tokens) == len(prompts.DEFAULT)
    assert "Compared up to 68 tokens of context" in result(report, "soft").reason


def test_wine_says_that_its_graphics_card_is_software(monkeypatch, tmp_path):
    from smoke.wine import environment, namespace
    from wheelhouse.steps import Step

    monkeypatch.setattr(namespace, "session", lambda _: ("python",))
    assert environment._environment(Step(name="p", output=tmp_path, inputs={})).software_device


@pytest.mark.parametrize("fault", ["nan", "wrong decode"])
def test_what_is_wrong_shows_in_a_part_of_the_questions(smoke, fault):  # noqa: F811
    report = smoke(slow(fault=fault), prompts=prompts.DEFAULT)
    assert result(report, "slow").verdict is Verdict.DIVERGED


def test_prompts_that_the_user_chose_are_asked_as_they_are(smoke):  # noqa: F811
    report = smoke(slow(), prompts=("one", "two", "three"))
    assert len(result(report, "slow").metrics.golden_tokens) == 3
    assert "Asked" not in result(report, "slow").reason


def request(tmp_path, **changes):
    asked = {"prompts": prompts.DEFAULT, "max_new_tokens": 64, "timeout": TIMEOUT} | changes
    return Request(plan=(), model="any", report=tmp_path, **asked)


def golden(prompts_, ids, tokens):
    from smoke.parity.dumps import Dump, PromptDump

    asked = PromptDump(text="x", ids=tuple(range(ids)), tokens=tuple(range(tokens)))
    return Dump(schema=2, status="ok", prompts=(asked,) * prompts_, text_ids=tuple(range(100)))


def test_the_time_limit_follows_the_speed_unless_the_user_sets_one(tmp_path):
    quick = Environment(name="x", python=("python",), env={}, label="x")
    slow_one = dataclasses.replace(quick, seconds_per_token=5.0)
    dump = golden(4, 40, 64)
    assert shorter.time_limit(request(tmp_path), quick, dump) == TIMEOUT
    assert shorter.time_limit(request(tmp_path), slow_one, dump) == 5.0 * (4 * 2 * 104 + 100)
    assert shorter.time_limit(request(tmp_path), slow_one, golden(1, 2, 2)) == TIMEOUT
    assert shorter.time_limit(request(tmp_path, timeout=60.0), slow_one, dump) == 60.0
    assert shorter.time_limit(request(tmp_path), slow_one, None) == TIMEOUT


def test_the_default_is_that_of_the_command():
    assert inspect.signature(tasks_prove.smoke.body).parameters["timeout"].default == TIMEOUT
