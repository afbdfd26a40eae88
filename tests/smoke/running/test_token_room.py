"""What a model takes: prompts and answers beyond it are refused with the numbers, before anything is exported."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from smoke.backends.registry import WORKER
from smoke.environments import pinned
from smoke.environments.source import Environment
from smoke.models.model import Model
from smoke.running import token_room
from smoke.running.jobs import Questions
from tests.smoke.main_environment import in_main
from tests.smoke.models import building
from wheelhouse.errors import InputError
from wheelhouse.paths import log_dir

LONGROPE = {"type": "longrope", "short_factor": [1.0] * 8, "long_factor": [2.0] * 8}


def model(**changes: Any) -> Model:
    return Model(name="m", folder=Path("m"), key="k", label="m", facts=building.facts(**changes))


def never() -> Environment:
    raise AssertionError("no process is needed to know")


@pytest.mark.parametrize(
    ("changes", "tokens", "says"),
    [
        ({"max_position_embeddings": 64}, 64, "its context"),
        ({"sliding_window": 32, "family": "mistral"}, 32, "sliding window"),
        ({"sliding_window": 32, "use_sliding_window": False, "family": "qwen2"}, 1024, "its context"),
        ({"rope_scaling": LONGROPE, "original_max_position_embeddings": 48, "family": "phi3"}, 48, "longrope"),
        ({"rope_scaling": {"type": "dynamic", "factor": 2.0, "original_max_position_embeddings": 100}}, 100, "dynamic"),
        ({"rope_scaling": {"type": "linear", "factor": 2.0}}, 1024, "its context"),
    ],
)
def test_the_least_of_what_limits_a_model_counts(changes: dict[str, Any], tokens: int, says: str) -> None:
    found = token_room.of(building.facts(**changes))
    assert found is not None
    assert found.tokens == tokens
    assert says in found.why


def test_what_surely_fits_is_known_without_a_process() -> None:
    assert token_room.require(model(), ["What is the capital of France?"], 64, never) < 100
    assert token_room.require(model(), ["ﷺ"], 64, never) >= 33
    counted = pytest.raises(AssertionError, match="no process")
    with counted:
        token_room.require(model(max_position_embeddings=64), ["A prompt of some thirty bytes."], 40, never)


def test_what_surely_does_not_fit_is_refused_without_a_process() -> None:
    with pytest.raises(InputError, match=r"An answer of 64 tokens leaves no room .* takes 64, its context"):
        token_room.require(model(max_position_embeddings=64), ["x"], 64, never)
    with pytest.raises(InputError, match=r"--lengths 1024: with an answer of 16 that is 1040 .* takes 1024") as caught:
        token_room.require(model(), ["x"], 8, never, lengths=(32, 1024))
    assert "1008 at most" in caught.value.remedy


def test_prompts_are_counted_and_the_longest_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a stand-in for the script that counts: a real process, whose tokens are words."""
    script = tmp_path / "count.py"
    script.write_text(
        "import json, pathlib, sys\njob = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding='utf-8'))\n"
        "counts = [len(m.split()) for m in job['messages']]\nopen(job['output'], 'w').write(json.dumps(counts))\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(token_room, "SCRIPT", script)
    here = Environment(name="here", python=(sys.executable,), env={}, label="here")
    small, prompts = model(max_position_embeddings=64), ["zwölf " * 12, "word " * 50]
    assert token_room.require(small, prompts, 14, lambda: here) == 50
    with pytest.raises(InputError) as caught:
        token_room.require(small, prompts, 15, lambda: here)
    assert "Prompt 2 (“word word" in caught.value.message
    assert "50 tokens" in caught.value.message
    assert "65, and m takes 64" in caught.value.message
    assert "--max-new-tokens 14" in caught.value.remedy
    with pytest.raises(InputError) as caught:
        token_room.require(small, ["word " * 70], 15, lambda: here)
    assert caught.value.remedy == "Shorten it."


def test_workers_are_told_what_the_model_takes() -> None:
    asked = {"prompts": ["x"], "text": "t", "max_new_tokens": 8}
    assert Questions(**asked, most=64).as_json()["most"] == 64
    assert "most" not in Questions(**asked).as_json()


@pytest.mark.integration
def test_tokens_are_counted_without_torch_as_the_reference_counts_them(tmp_path: Path) -> None:
    folder = building.build(tmp_path / "m")
    messages = ["aaaa bbbb", "zwölf 😀"]
    counted = token_room.count(Model(name="m", folder=folder, key="k", label="m", facts=building.facts()), messages,
                               pinned.prepare(pinned.MAIN))  # fmt: skip
    script = (
        "import json, sys, torch; sys.path.insert(0, sys.argv[1]); import engine_transformers as e\n"
        "engine = e.TransformersEngine(None, e.load_tokenizer({'model': sys.argv[2]}))\n"
        "print(json.dumps([len(engine.encode(engine.template(m))) for m in json.load(sys.stdin)]))"
    )
    said = in_main("-c", script, str(WORKER), str(folder), given=messages)
    assert list(counted) == json.loads(said)
    assert "PyTorch was not found" in (log_dir() / "models" / "count_tokens.log").read_text(encoding="utf-8")
