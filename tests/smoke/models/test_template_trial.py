"""Chat templates: what no question survives is refused, and a hostile one costs neither time nor memory."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from smoke.models import local, template_trial
from smoke.models.check import rendering, whole_folder
from tests.smoke.models.building import build, change
from wheelhouse.errors import InputError

TOKENS = {"bos_token": "<s>"}


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{{ messages[0].content.undefined_method() }}", "has no attribute 'undefined_method'"),
        ("{{ raise_exception('A system message comes first') }}", "A system message comes first"),
        ("{{ messages[0].content.replace('a', 1) }}", "replace"),
        ("{{ messages | nosuchfilter }}", "nosuchfilter"),
        ("{{ messages[0]['content'] + 1 }}", "str"),
        ("{{ messages[1].content.strip() }}", "has no element 1"),
        ("{{ bos_token + eos_token }}", "is undefined"),
        ("{{ 1 // 0 }}", "by zero"),
        ("{{ messages[0].__class__.__mro__ }}", "unsafe"),
        ("{% include 'other.jinja' %}", "no loader"),
        ("{{ range(10**9) | list | length }}", "Range too big"),
        ("{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}", "recursion"),
        ("{{ tools | length }}", "NoneType"),
    ],
)
def test_a_template_that_no_question_survives(template: str, says: str) -> None:
    assert says in rendering.problem(template, TOKENS)


@pytest.mark.parametrize(
    "template",
    [
        "{{ bos_token }}{{ messages | tojson(indent=2) }}{% if tools %}{{ tools | length }}{% endif %}{{ eos_token }}",
        "{% set ns = namespace(n=0) %}{{ strftime_now('%Y') }}{{ messages[0].content.replace('a', 'b').strip() }}",
        "{% generation %}{% for m in messages %}{% if m.x %}{% continue %}{% endif %}{% endfor %}{% endgeneration %}",
        "{{ messages[0] | tojson(ensure_ascii=False, separators=(',', ':'), sort_keys=True) }}",
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('none here') }}{% endif %}{{ 'é😀' }}",
        "{%- for m in messages %}{{ loop.index0 }}{{ m['content'] | trim }}{% endfor %}{{ add_generation_prompt }}",
    ],
)
def test_templates_with_all_that_transformers_offers(template: str) -> None:
    assert not rendering.problem(template, TOKENS)


HOSTILE = [
    "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
    "{{ ('x' * 10**10) | length }}",
    "{{ 10 ** (10 ** 8) }}",
    "{% set ns = namespace(x='xx') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
    "{{ '%999999999d' % 1 }}{{ '%999999999d' % 1 }}",
    "{{ (range(100000) | list) * 100000 }}",
]


@pytest.mark.parametrize("template", HOSTILE)
def test_a_hostile_template_ends_within_its_limits(template: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template_trial, "SECONDS", 0.3)
    started = time.monotonic()
    assert template_trial.tried(template, ()) in {"it takes more than 0.7 s", "it needs more than 200 MB"}
    assert time.monotonic() - started < 30  # nothing that has no end


def test_a_renderer_that_dies_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template_trial, "_RENDERER", "smoke.models.check.nowhere")
    assert template_trial.tried("x", ()) == "the process that rendered it ended with exit code 1"


def test_what_is_said_is_a_text_whatever_it_holds() -> None:
    assert template_trial.tried("{{ raise_exception('\\ud800é' ~ 'x' * 100000) }}", ()).startswith("\ud800é")
    assert len(template_trial.tried("{{ raise_exception('x' * 100000) }}", ())) == 500
    assert template_trial.tried("{{ messages[0].content }}" * 1000, ()) == ""


def test_a_folder_with_such_a_template_is_refused_with_file_and_reason(tmp_path: Path) -> None:
    folder = build(tmp_path / "m")
    change(folder / "tokenizer_config.json", chat_template="{{ messages[0].content.nothing() }}")
    with pytest.raises(InputError, match=r"tokenizer_config.json: the chat template fails for a user's question: .*no"):
        local.model(folder)
    (folder / "chat_template.jinja").write_text("{{ messages[0].content }}", encoding="utf-8")
    assert local.model(folder).facts.template  # it is the one that transformers takes
    (folder / "chat_template.jinja").write_text("{{ messages[0].content + 1 }}", encoding="utf-8")
    with pytest.raises(InputError, match=r"chat_template.jinja: the chat template fails"):
        local.model(folder)


def test_a_template_is_tried_once_for_each_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, tried = build(tmp_path / "m"), list[str]()
    real = template_trial.tried
    monkeypatch.setattr(template_trial, "tried", lambda text, tokens: tried.append(text) or real(text, tokens))
    for _ in range(2):
        local.model(folder)
    assert len(tried) == 1
    change(folder / "tokenizer_config.json", chat_template="{{ messages[0].content }}")
    local.model(folder)
    assert tried[1:] == ["{{ messages[0].content }}"]
    change(folder / "tokenizer_config.json", chat_template=None)
    assert not local.model(folder).facts.template
    assert len(tried) == 2


def test_of_named_templates_the_default_counts(tmp_path: Path) -> None:
    folder = build(tmp_path / "m")
    listed = [{"name": "tool_use", "template": "{{ tools.x.y }}"}, {"name": "default", "template": "{{ messages }}"}]
    change(folder / "tokenizer_config.json", chat_template=listed)
    assert local.model(folder).facts.template_size == len("{{ messages }}")
    change(folder / "tokenizer_config.json", chat_template=listed[:1])
    with pytest.raises(InputError, match=r"tokenizer_config.json: chat_template is .*whose name is 'default'"):
        whole_folder.facts_of(folder)


def test_a_class_with_special_tokens_of_its_own_needs_none_named(tmp_path: Path) -> None:
    folder = build(tmp_path / "m")
    template = "{{ bos_token + messages[0].content + eos_token }}"
    change(folder / "tokenizer_config.json", chat_template=template, bos_token=None, tokenizer_class="LlamaTokenizer")
    local.model(folder)
    change(folder / "tokenizer_config.json", tokenizer_class="TokenizersBackend")
    with pytest.raises(InputError, match="is undefined"):
        local.model(folder)
    change(folder / "tokenizer_config.json", bos_token={"content": "<s>"}, eos_token="</s>")
    local.model(folder)
