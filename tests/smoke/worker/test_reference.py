"""The reference: it is greedy whatever generation_config.json asks for, and loads no weights that are not there."""

import json
import sys
from pathlib import Path

import pytest

from smoke.backends.registry import WORKER
from smoke.environments import pinned
from tests.smoke.models import building
from wheelhouse import process

sys.path.insert(0, str(WORKER))

import engine_transformers
import main as worker


def test_tensors_that_do_not_agree_with_the_code_are_named():
    engine_transformers.require_complete({"missing_keys": [], "unexpected_keys": set(), "mismatched_keys": []})
    with pytest.raises(ValueError, match=r"model\.norm\.weight \(1 in all\) are missing"):
        engine_transformers.require_complete({"missing_keys": {"model.norm.weight"}})
    with pytest.raises(ValueError, match=r"a, b, c \(4 in all\) are not of this architecture"):
        engine_transformers.require_complete({"unexpected_keys": ["d", "c", "b", "a"]})
    with pytest.raises(ValueError, match="other shapes"):
        engine_transformers.require_complete({"mismatched_keys": [("lm_head.weight", (1, 2), (2, 2))]})


class Tokenizer:
    """Words as ids; `<s>` (1) stands before a text where special tokens are added, `</s>` (2) behind it."""

    chat_template = ""

    def __call__(self, text, add_special_tokens):
        ids = [10 + len(word) for word in text.split()]
        return {"input_ids": [1, *ids, 2] if add_special_tokens else ids}

    def convert_ids_to_tokens(self, ids):
        return [{1: "<s>", 2: "</s>"}[i] for i in ids]

    def apply_chat_template(self, chat, **_):
        return f"<chat>{chat[0]['content']}"


def test_without_a_chat_template_a_prompt_is_continued_after_what_stands_in_front():
    tokenizer = Tokenizer()
    engine = engine_transformers.Reference(None, tokenizer)
    assert engine.template("once upon a time") == "<s>once upon a time"
    assert "continued as plain text" in engine.notes()[0]
    tokenizer.chat_template = "{{ messages }}"
    assert (engine.template("once"), engine.notes()) == ("<chat>once", [])


def test_the_fixed_text_is_cut_to_what_the_model_takes():
    class Engine:
        scores = False

        def encode(self, text):
            return list(text.encode())

    run = worker.Run({"text": "0123456789", "most": 4})
    run._perplexity(Engine())
    assert run.dump["text_ids"] == [48, 49, 50, 51]
    assert run.cuts == ["the fixed text is cut to 4 of 10 tokens, which the model takes"]
    other = worker.Run({"text": "0123456789", "most": 4, "text_ids": [48, 49, 50, 51]})
    other._perplexity(Engine())
    assert (other.dump["text_ids"], other.cuts) == ([48, 49, 50, 51], [])


def test_a_prompt_that_the_model_does_not_take_is_no_reference():
    engine = engine_transformers.Reference(None, Tokenizer())
    run = worker.Run({"most": 8, "max_new_tokens": 6})
    with pytest.raises(ValueError, match="A prompt has 3 tokens"):
        run._tokenized(engine, {"message": "one two three"})


def answer(folder: Path, output: Path) -> list[int]:
    output.mkdir()
    job = {
        "engine": str(WORKER / "engine_transformers.py"), "model": str(folder), "device": "CPU", "options": {},
        "output": str(output), "text": "hello world", "max_new_tokens": 24, "decode_steps": 4,
        "prompts": [{"message": "aaaa bbbb aaaa"}],
    }  # fmt: skip
    (output / "job.json").write_text(json.dumps(job), encoding="utf-8")
    command = pinned.prepare(pinned.MAIN).command(str(WORKER / "main.py"), str(output / "job.json"), timeout=600)
    process.run(command, log=output / "log.txt")
    return list(json.loads((output / "dump.json").read_text(encoding="utf-8"))["prompts"][0]["tokens"])


@pytest.mark.integration
def test_a_penalty_on_repetition_changes_nothing(tmp_path: Path) -> None:
    plain, asking = building.build(tmp_path / "plain"), building.build(tmp_path / "asking")
    building.change(asking / "generation_config.json", repetition_penalty=1.3, no_repeat_ngram_size=2)
    assert answer(asking, tmp_path / "a") == answer(plain, tmp_path / "b")
