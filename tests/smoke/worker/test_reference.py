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


def test_tensors_that_do_not_agree_with_the_code_are_named():
    engine_transformers.require_complete({"missing_keys": [], "unexpected_keys": set(), "mismatched_keys": []})
    with pytest.raises(ValueError, match=r"model\.norm\.weight \(1 in all\) are missing"):
        engine_transformers.require_complete({"missing_keys": {"model.norm.weight"}})
    with pytest.raises(ValueError, match=r"a, b, c \(4 in all\) are not of this architecture"):
        engine_transformers.require_complete({"unexpected_keys": ["d", "c", "b", "a"]})
    with pytest.raises(ValueError, match="other shapes"):
        engine_transformers.require_complete({"mismatched_keys": [("lm_head.weight", (1, 2), (2, 2))]})


def answer(folder: Path, output: Path) -> list[int]:
    output.mkdir()
    job = {
        "engine": str(WORKER / "engine_transformers.py"), "model": str(folder), "device": "CPU", "options": {},
        "output": str(output), "text": "hello world", "max_new_tokens": 24, "decode_steps": 4,
        "prompts": [{"message": "aaaa bbbb aaaa"}],
    }  # fmt: skip
    (output / "job.json").write_text(json.dumps(job))
    command = pinned.prepare(pinned.MAIN).command(str(WORKER / "main.py"), str(output / "job.json"), timeout=600)
    process.run(command, log=output / "log.txt")
    return list(json.loads((output / "dump.json").read_text())["prompts"][0]["tokens"])


@pytest.mark.integration
def test_a_penalty_on_repetition_changes_nothing(tmp_path: Path) -> None:
    plain, asking = building.build(tmp_path / "plain"), building.build(tmp_path / "asking")
    building.change(asking / "generation_config.json", repetition_penalty=1.3, no_repeat_ngram_size=2)
    assert answer(asking, tmp_path / "a") == answer(plain, tmp_path / "b")
