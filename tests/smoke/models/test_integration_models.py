"""Real models, made and exported by the real tools: minutes when nothing is cached, seconds afterwards."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from smoke.exports import making
from smoke.models import from_recipe as made
from smoke.models import resolving
from smoke.models.check.whole_folder import facts_of
from smoke.models.model import Model
from tests.smoke.main_environment import in_main

pytestmark = pytest.mark.integration

TEXTS = [
    "Hello, world!",
    "In 2026: 1234567890 + 9876543210 = ?",
    "1/2 of 3.14e-10",
    "naïve café — “quotes” … €",
    "日本語とEnglish 한국어 عربى",
    "😀 👩‍👩‍👧 🇫🇷 ✊🏿",
    "def f(x):\n\treturn x ** 2  # square\n\n\nprint(f(3))",
    "  leading, trailing  ",
    "a\tb\r\nc\n\n\n   d",
    "x" * 200,
    "I'm you're he'll they've we'd it's DON'T",
    "<|im_start|>system\nYou are<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n",
    "<|endoftext|>a <|im_end|> b<|im_end|>c",
    "<|user|>\nHi<|end|>\n<|assistant|>\n",
    "https://example.org/a_b?c=d&e=%20#f",
    "\u00a0nbsp\u200bzwsp\u3000ideographic",
    "e\u0301 combining",
    "<not_special> <|not|>",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𐍈",  # noqa: RUF001 - four bytes each
]


@pytest.fixture(scope="module")
def tiny() -> Model:
    return resolving.resolve("tiny-phi3")


@pytest.fixture(scope="module")
def smollm2() -> Model:
    return resolving.resolve("smollm2-135m")


@pytest.fixture(scope="module")
def tiny_exports(tiny: Model) -> dict[str, Path]:
    made = making.export_all(tiny, making.EXPORTS)
    assert not [error for error in made.values() if not isinstance(error, Path)]
    return {kind: folder for kind, folder in made.items() if isinstance(folder, Path)}


def test_every_export_of_the_tiny_model_is_complete(tiny: Model, tiny_exports: dict[str, Path]) -> None:
    assert set(tiny_exports) == set(making.EXPORTS)
    for kind, folder in tiny_exports.items():
        info = making.info(folder)
        assert (info.kind, info.model_key) == (kind, tiny.key)
    for kind in ("dml-fp16", "dml-int4"):
        config = json.loads((tiny_exports[kind] / "genai_config.json").read_text(encoding="utf-8"))
        (provider,) = config["model"]["decoder"]["session_options"]["provider_options"]
        assert "dml" in provider


def test_truncated_export_is_made_again(tiny: Model, tiny_exports: dict[str, Path]) -> None:
    weights = tiny_exports["cpu-fp32"] / "model.onnx.data"
    whole = weights.stat().st_size
    weights.write_bytes(weights.read_bytes()[: whole // 2])
    assert (making.export(tiny, "cpu-fp32") / "model.onnx.data").stat().st_size == whole


def test_tiny_model_is_the_same_everywhere_and_has_clear_winners(tiny: Model, tmp_path: Path) -> None:
    again = made.model("tiny-phi3")
    assert again.key == tiny.key
    facts_of(tiny.folder)
    script = tmp_path / "margins.py"
    script.write_text(MARGINS, encoding="utf-8")
    answers = json.loads(in_main(str(script), str(tiny.folder), given=["Hello", "What is 2 + 2?", "😀"]))
    for answer in answers:
        assert answer["tokens"] == 64, "it neither stops early"
        assert answer["distinct"] == 64, "nor repeats itself"
        assert answer["margin"] > 1.0, "half precision moves these logits by less than 0.01"


MARGINS = """
import json, sys, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
torch.set_num_threads(1)
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModelForCausalLM.from_pretrained(sys.argv[1])
answers = []
for text in json.load(sys.stdin):
    chat = [{"role": "user", "content": text}]
    prompt = tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
    ids = tokenizer(prompt, return_tensors="pt").input_ids
    out = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=64, do_sample=False)
    with torch.no_grad():
        best = model(out).logits[0, ids.shape[1] - 1 : -1].topk(2).values
    new = out[0, ids.shape[1] :].tolist()
    answers.append({"tokens": len(new), "distinct": len(set(new)), "margin": (best[:, 0] - best[:, 1]).min().item()})
print(json.dumps(answers))
"""


def agree(model: Model, again: Callable[[str], str] = str) -> dict[str, dict[str, list[list[int]]]]:
    """Hold three tokenizers to the same ids and the same chat; `again`: what decoding makes of a text."""
    genai, openvino = making.export(model, "cpu-int4"), making.export(model, "openvino-int4")
    script = Path(__file__).with_name("tokenize_everywhere.py")
    found: dict[str, dict[str, list[list[int]]]] = json.loads(
        in_main(str(script), str(model.folder), str(genai), str(openvino), given=TEXTS)
    )
    for number, text in enumerate(TEXTS):
        ids = {library: lists[number] for library, lists in found["ids"].items()}
        assert ids["onnxruntime-genai"] == ids["transformers"], text
        assert ids["openvino"] == ids["transformers"], text
        assert found["decoded"]["transformers"][number] == again(text)
        assert found["decoded"]["openvino"][number] == again(text)
    assert len(set(found["chat"].values())) == 1, found["chat"]
    return found


def test_tokenizers_agree_on_the_tiny_model(tiny: Model, tiny_exports: dict[str, Path]) -> None:
    assert agree(tiny)["size"] == 512


def test_tokenizers_agree_on_phi3s_special_tokens() -> None:
    model = resolving.resolve("tiny-phi3-4k")
    added = json.loads((model.folder / "tokenizer.json").read_text(encoding="utf-8"))["added_tokens"]
    swallow = "|".join(re.escape(token["content"]) for token in added if token["rstrip"])
    found = agree(model, lambda text: re.sub(rf"({swallow})\s+", r"\1", text))
    chat = TEXTS.index("<|user|>\nHi<|end|>\n<|assistant|>\n")
    assert "\n" not in found["decoded"]["transformers"][chat], "the white space behind them is part of the tokens"


@pytest.mark.network
def test_tokenizers_agree_on_smollm2(smollm2: Model) -> None:
    found = agree(smollm2)
    assert found["size"] == 49152
    ids = dict(zip(TEXTS, found["ids"]["transformers"], strict=True))
    assert len(ids["In 2026: 1234567890 + 9876543210 = ?"]) > 24, "every digit is a token"
    chat = ids[TEXTS[11]]
    assert chat[0] == 1, "no BOS before the template's own <|im_start|>"
    assert chat.count(1) == 3
    assert chat.count(2) == 2


@pytest.mark.network
def test_weights_are_those_that_transformers_reads_from_the_gguf_file(smollm2: Model, tmp_path: Path) -> None:
    from smoke.models import catalogue

    source = catalogue.model("smollm2-135m").source
    assert isinstance(source, catalogue.PackagedGguf)
    script = tmp_path / "compare.py"
    script.write_text(COMPARE, encoding="utf-8")
    gguf = made.gguf(source)
    assert json.loads(in_main(str(script), str(smollm2.folder), str(gguf.parent), gguf.name)) == {
        "names": 273,
        "different": [],
    }


COMPARE = """
import json, sys, torch
from transformers import AutoModelForCausalLM
ours = AutoModelForCausalLM.from_pretrained(sys.argv[1]).state_dict()
theirs = AutoModelForCausalLM.from_pretrained(sys.argv[2], gguf_file=sys.argv[3], dtype=torch.float32).state_dict()
assert set(ours) == set(theirs)
print(json.dumps({"names": len(ours), "different": [n for n in ours if not torch.equal(ours[n], theirs[n])]}))
"""
