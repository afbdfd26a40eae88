"""The GGUF converter on small files written for the purpose: what it makes, and what it refuses by name."""

import json
import shutil
from pathlib import Path

import pytest

from smoke.models.converters import converter
from tests.smoke.main_environment import in_main
from wheelhouse.errors import StepFailedError

pytestmark = pytest.mark.integration

WRITE = """
import json, sys
from gguf import GGUFWriter
from gguf_writing import block, finish
settings = json.load(sys.stdin)
hidden, heads, kv, inner, tokens = 16, 4, 2, 32, settings["tokens"]
writer = GGUFWriter(sys.argv[1], settings["architecture"])
writer.add_block_count(1)
writer.add_context_length(64)
writer.add_embedding_length(hidden)
writer.add_feed_forward_length(inner)
writer.add_head_count(heads)
writer.add_head_count_kv(kv)
writer.add_rope_freq_base(10000.0)
writer.add_rope_dimension_count(hidden // heads)
writer.add_layer_norm_rms_eps(1e-5)
writer.add_tokenizer_model(settings["tokenizer"])
writer.add_tokenizer_pre(settings["pre"])
writer.add_token_list(tokens)
writer.add_token_types([3 if t.startswith("<") else 1 for t in tokens])
writer.add_token_merges(["a b", "1 2"])
writer.add_bos_token_id(0)
writer.add_eos_token_id(1)
writer.add_add_bos_token(False)
writer.add_chat_template("{{ messages[0]['content'] }}")
shapes = {"token_embd": (len(tokens), hidden), "output_norm": (hidden,)}
if settings["untied"]:
    shapes["output"] = (len(tokens), hidden)
shapes |= block(0, hidden=hidden, query=hidden, key=hidden * kv // heads, inner=inner, norms=("attn_norm", "ffn_norm"))
finish(writer, shapes)
"""

COMPARE = """
import json, sys, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
ours = AutoModelForCausalLM.from_pretrained(sys.argv[1])
theirs = AutoModelForCausalLM.from_pretrained(sys.argv[2], gguf_file=sys.argv[3], dtype=torch.float32)
ids = torch.arange(6)[None]
with torch.no_grad():
    difference = (ours(ids).logits - theirs(ids).logits).abs().max().item()
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
text = "<s>ab12<e>"
print(json.dumps({"difference": difference, "tokens": tokenizer.tokenize(text), "size": len(tokenizer)}))
"""

TOKENS = ["<s>", "<e>", "a", "b", "ab", "1", "2", "12"]


def write(folder: Path, **changes: object) -> Path:
    script = folder / "write.py"
    script.write_text(WRITE, encoding="utf-8")
    shutil.copy(Path(__file__).with_name("gguf_writing.py"), folder)
    settings = {"architecture": "llama", "tokenizer": "gpt2", "pre": "smollm", "tokens": TOKENS, "untied": False}
    in_main(str(script), str(folder / "small.gguf"), given=settings | changes)
    return folder / "small.gguf"


def convert(gguf: Path, output: Path) -> Path:
    output.mkdir()
    converter.run("gguf_to_hf.py", str(gguf), str(output), title="converting")
    return output


@pytest.mark.parametrize("untied", [False, True])
def test_weights_and_tokenizer(tmp_path: Path, untied: bool) -> None:
    gguf = write(tmp_path, untied=untied)
    folder = convert(gguf, tmp_path / "hf")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert config["tie_word_embeddings"] is not untied
    assert (config["num_key_value_heads"], config["head_dim"], config["rms_norm_eps"]) == (2, 4, 1e-5)
    script = tmp_path / "compare.py"
    script.write_text(COMPARE, encoding="utf-8")
    assert json.loads(in_main(str(script), str(folder), str(tmp_path), gguf.name)) == {
        "difference": 0.0,
        "tokens": ["<s>", "ab", "1", "2", "<e>"],
        "size": len(TOKENS),
    }


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"architecture": "qwen2"}, "architecture 'qwen2', not llama"),
        ({"tokenizer": "llama"}, "tokenizer is 'llama'"),
        ({"pre": "deepseek-coder"}, "pre-tokenizer 'deepseek-coder' is not known"),
    ],
)
def test_what_would_come_out_wrong_is_refused(tmp_path: Path, changes: dict[str, str], says: str) -> None:
    with pytest.raises(StepFailedError, match=says):
        convert(write(tmp_path, **changes), tmp_path / "hf")


def test_truncated_file_is_an_explained_failure(tmp_path: Path) -> None:
    gguf = write(tmp_path)
    gguf.write_bytes(gguf.read_bytes()[:-600])
    with pytest.raises(StepFailedError) as caught:
        convert(gguf, tmp_path / "hf")
    assert caught.value.log is not None
