"""The converter for Gemma 3 on a small file written for the purpose, compared with transformers' own reader."""

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
hidden, heads, head, inner = 16, 4, 256, 32  # transformers takes 256 for the attention scale whatever the file says
tokens = settings["tokens"]
writer = GGUFWriter(sys.argv[1], settings["architecture"])
writer.add_block_count(6)
writer.add_context_length(64)
writer.add_embedding_length(hidden)
writer.add_feed_forward_length(inner)
writer.add_head_count(heads)
writer.add_head_count_kv(1)
writer.add_key_length(head)
writer.add_value_length(head)
writer.add_sliding_window(16)
writer.add_rope_freq_base(1000000.0)
writer.add_layer_norm_rms_eps(1e-6)
writer.add_tokenizer_model("llama")
writer.add_tokenizer_pre("default")
writer.add_token_list([token for token, _, _ in tokens])
writer.add_token_scores([score for _, score, _ in tokens])
writer.add_token_types([kind for _, _, kind in tokens])
writer.add_bos_token_id(2)
writer.add_eos_token_id(1)
writer.add_unk_token_id(3)
writer.add_pad_token_id(0)
writer.add_add_bos_token(True)
writer.add_add_space_prefix(False)
shapes = {"token_embd": (len(tokens), hidden), "output_norm": (hidden,)}
for layer in range(6):
    norms = ("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm")
    shapes |= block(layer, hidden=hidden, query=heads * head, key=head, inner=inner, norms=norms)
    shapes |= {f"blk.{layer}.{name}": (head,) for name in ("attn_q_norm", "attn_k_norm")}
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
text = "the cat \\u00e9<end>"
ids = tokenizer(text).input_ids
print(json.dumps({"difference": difference, "tokens": tokenizer.convert_ids_to_tokens(ids),
                  "again": tokenizer.decode(ids, skip_special_tokens=True)}))
"""

CONTROL, NORMAL, BYTE = 3, 1, 6
SPACE = "\u2581"
TOKENS: list[tuple[str, float, int]] = [
    ("<pad>", -1000.0, CONTROL),
    ("<eos>", -1000.0, CONTROL),
    ("<bos>", -1000.0, CONTROL),
    ("<unk>", -1000.0, CONTROL),
    ("<end>", -1000.0, CONTROL),
    *((f"<0x{byte:02X}>", -1000.0, BYTE) for byte in range(256)),
    *((token, -float(rank), NORMAL) for rank, token in enumerate(["th", "the", f"{SPACE}c", "at", f"{SPACE}cat"])),
    *((token, -100.0 - rank, NORMAL) for rank, token in enumerate([*"thecat", SPACE][2:])),
    *((token, -200.0, NORMAL) for token in "th"),
]
# SentencePiece has every character once.
TOKENS = list({token: (token, score, kind) for token, score, kind in TOKENS}.values())


def write(folder: Path, **changes: object) -> Path:
    script = folder / "write.py"
    script.write_text(WRITE, encoding="utf-8")
    shutil.copy(Path(__file__).with_name("gguf_writing.py"), folder)
    in_main(str(script), str(folder / "small.gguf"), given={"architecture": "gemma3", "tokens": TOKENS} | changes)
    return folder / "small.gguf"


def convert(gguf: Path, output: Path) -> Path:
    output.mkdir()
    converter.run("gemma3_gguf_to_hf.py", str(gguf), str(output), title="converting")
    return output


def test_weights_and_tokenizer(tmp_path: Path) -> None:
    gguf = write(tmp_path)
    folder = convert(gguf, tmp_path / "hf")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert config["layer_types"] == ["sliding_attention"] * 5 + ["full_attention"]
    assert (config["head_dim"], config["rms_norm_eps"], config["sliding_window"]) == (256, 1e-6, 16)
    script = tmp_path / "compare.py"
    script.write_text(COMPARE, encoding="utf-8")
    found = json.loads(in_main(str(script), str(folder), str(tmp_path), gguf.name))
    assert found["difference"] < 1e-5
    assert found["tokens"] == ["<bos>", "the", f"{SPACE}cat", SPACE, "<0xC3>", "<0xA9>", "<end>"]
    assert found["again"] == "the cat \u00e9"


def test_other_architectures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StepFailedError, match="architecture 'gemma2', not gemma3"):
        convert(write(tmp_path, architecture="gemma2"), tmp_path / "hf")
