"""The settings of the real Phi-3 models on two small layers: exported for real, and in agreement on every backend."""

import json

import pytest

from smoke.backends import selection
from smoke.models import resolving
from smoke.parity.verdicts import Verdict
from smoke.running import run

BACKENDS = ("ort-cpu", "openvino", "openvino-genai", "npu:npuw-cpu")


@pytest.mark.integration
@pytest.mark.parametrize("name", ["tiny-phi3-4k", "tiny-phi3-longrope"])
def test_backends_agree(name, tmp_path):
    plan = selection.select(BACKENDS, everything=False)
    report = run.smoke(
        run.Request(
            plan=plan,
            model=name,
            prompts=["What is the capital of France?"],
            max_new_tokens=32,
            report=tmp_path,
            timeout=900,
        )
    )
    found = {f"{r.backend}:{r.variant}": r for r in report.results}
    assert found.pop("npu:npuw-cpu").verdict is Verdict.FELL_BACK
    assert {key: (r.verdict.value, r.reason) for key, r in found.items() if r.verdict is not Verdict.PASS} == {}


@pytest.mark.integration
@pytest.mark.parametrize("name", ["tiny-phi3-4k", "tiny-phi3-longrope"])
def test_the_tiny_model_speaks_phi3s_chat_format(name):
    folder = resolving.resolve(name).folder
    added = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["added_tokens"]
    assert {"<s>", "<|endoftext|>"} <= {t["content"] for t in added if not t["rstrip"]}
    assert {"<|system|>", "<|user|>", "<|assistant|>", "<|end|>"} <= {t["content"] for t in added if t["rstrip"]}
    template = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))["chat_template"]
    for role in ("system", "user", "assistant"):
        assert f"message['role'] == '{role}' %}}{{{{'<|{role}|>\n' + message['content'] + '<|end|>\n'}}}}" in template
    assert template.endswith("{% else %}{{ eos_token }}{% endif %}")
    assert len(json.loads((folder / "generation_config.json").read_text(encoding="utf-8"))["eos_token_id"]) == 3
