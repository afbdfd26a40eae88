"""The GGUF converter, really run on small files written for the purpose, and compared with transformers' own reader."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from smoke.models import resolving
from smoke.models.converters import converter
from smoke.models.converters.from_gguf import rope, table
from smoke.models.from_recipe import FROM_GGUF
from smoke.models.model import Model
from tests.smoke.main_environment import in_main
from tests.smoke.models import gguf_building as gguf
from wheelhouse.errors import StepFailedError

pytestmark = pytest.mark.integration

COMPARE = """
import json, sys, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
ours, info = AutoModelForCausalLM.from_pretrained(sys.argv[1], output_loading_info=True)
theirs = AutoModelForCausalLM.from_pretrained(sys.argv[2], gguf_file=sys.argv[3], dtype=torch.float32)
ids = torch.tensor([[5, 2, 7, 3, 3, 6]])
with torch.no_grad():
    difference = (ours(ids).logits - theirs(ids).logits).abs().max().item()
counts = {"missing": len(info["missing_keys"]), "left": len(info["unexpected_keys"])}
print(json.dumps({"difference": difference, **counts}))
"""
TOKENIZE = """
import json, sys
from transformers import AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
ids = [tokenizer(text).input_ids for text in json.load(sys.stdin)]
pieces = [tokenizer.convert_ids_to_tokens(i) for i in ids]
print(json.dumps({"pieces": pieces, "again": [tokenizer.decode(i, skip_special_tokens=True) for i in ids]}))
"""
STATE = """
import json, sys
from transformers import AutoModelForCausalLM
model = AutoModelForCausalLM.from_pretrained(sys.argv[1])
attention = model.model.layers[0].self_attn
vector = __import__("torch").linspace(-1, 1, attention.q_proj.in_features)
parts = [getattr(attention, name) for name in ("q_proj", "k_proj", "v_proj")]
worst = max((part.weight @ vector - part.bias).abs().max().item() for part in parts)
rope = dict(model.config.rope_parameters)
print(json.dumps({"worst": worst, "rope": rope, "o": attention.o_proj.bias.abs().max().item()}))
"""
SHARDED = """
import json, sys
sys.path.insert(0, sys.argv[1])
import hf_folder
from from_gguf import convert
hf_folder.SHARD = 20_000
convert.main(sys.argv[2:])
print(json.dumps(None))
"""
LARGEST = """
import pathlib, resource, sys
import numpy as np
sys.path.insert(0, sys.argv[1])
import hf_folder
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
hf_folder.SHARD = 50_000_000
tensors = ((str(number), np.ones(5_000_000, np.float32)) for number in range(20))
hf_folder.write_model(pathlib.Path(sys.argv[2]), {}, tensors)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.fixture(autouse=True)
def own_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what is made out of the cache: its folders are of this test's files alone."""
    import smoke.models.gguf_file as module
    from wheelhouse.paths import cache_dir

    monkeypatch.setattr(
        module, "cache_dir", lambda *p: tmp_path.joinpath("made", *p) if p[0] == "models" else cache_dir(*p)
    )


def run(folder: Path, script: str, *arguments: str, given: Any = None) -> Any:
    file = folder / "script.py"
    file.write_text(script, encoding="utf-8")
    return json.loads(in_main(str(file), *arguments, given=given))


def made(path: Path) -> Model:
    return resolving.resolve(str(path))


@pytest.mark.parametrize("architecture", sorted(table.ARCHITECTURES))
def test_weights_are_those_that_transformers_reads(tmp_path: Path, architecture: str) -> None:
    path = gguf.build(tmp_path / "m.gguf", architecture)
    model = made(path)
    assert (model.facts.family, model.facts.context) == (table.ARCHITECTURES[architecture].model_type, 64)
    found = run(tmp_path, COMPARE, str(model.folder), str(tmp_path), path.name)
    assert found["difference"] < 1e-5
    assert (found["missing"], found["left"]) == (0, 0)
    assert made(path) == model
    path.write_bytes(gguf.build(tmp_path / "n.gguf", architecture, context_length=32).read_bytes())
    assert made(path).facts.context == 32


def test_biases_are_turned_with_their_weights_and_positions_are_scaled(tmp_path: Path) -> None:
    keys = gguf.keys(rope__scaling__type="linear", rope__scaling__factor=4.0)
    tensors = gguf.tensors(keys)
    vector = np.linspace(-1, 1, gguf.HIDDEN, dtype=np.float32)
    for layer in range(gguf.LAYERS):
        for part in ("attn_q", "attn_k", "attn_v"):
            tensors[f"blk.{layer}.{part}.bias"] = tensors[f"blk.{layer}.{part}.weight"] @ vector
    found = run(tmp_path, STATE, str(made(gguf.write(tmp_path / "m.gguf", keys, tensors)).folder))
    assert found["worst"] < 1e-5
    assert (found["o"], found["rope"]["rope_type"], found["rope"]["factor"]) == (0, "linear", 4)


def test_factors_of_llama_3_give_the_same_frequencies(tmp_path: Path) -> None:
    keys = gguf.keys(rope__freq_base=500000.0)
    factors = rope.llama3_factors(8.0, 500000.0, gguf.HEAD)
    tensors = gguf.tensors(keys) | {"rope_freqs.weight": np.array(factors, np.float32)}
    folder = made(gguf.write(tmp_path / "m.gguf", keys, tensors)).folder
    script = "import json, sys; from transformers import AutoModelForCausalLM as A; "
    script += "print(json.dumps(A.from_pretrained(sys.argv[1]).model.rotary_emb.inv_freq.tolist()))"
    plain = [500000.0 ** (-2 * pair / gguf.HEAD) for pair in range(gguf.HEAD // 2)]
    assert run(tmp_path, script, str(folder)) == pytest.approx(
        [a / b for a, b in zip(plain, factors, strict=True)], rel=1e-4
    )


def test_large_weights_are_written_in_several_files(tmp_path: Path) -> None:
    path = gguf.build(tmp_path / "m.gguf")
    folder, converters = tmp_path / "sharded", str(Path(converter.__file__).parent)
    folder.mkdir()
    in_main("-c", SHARDED, converters, str(path), str(folder))
    assert len(list(folder.glob("model-0*-of-0*.safetensors"))) > 1
    assert not list(folder.glob("*.part"))
    assert resolving.resolve(str(folder)).facts.context == 64
    found = run(tmp_path, COMPARE, str(folder), str(tmp_path), path.name)
    assert found == {"difference": pytest.approx(0, abs=1e-5), "missing": 0, "left": 0}


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is counted in kibibytes there")
def test_no_more_than_one_file_is_in_memory_at_a_time(tmp_path: Path) -> None:
    """Four hundred megabytes in files of fifty: twice that at most, and what is written is as large as it was."""
    grown = int(in_main("-c", LARGEST, str(Path(converter.__file__).parent), str(tmp_path)).splitlines()[-1])
    assert sum(file.stat().st_size for file in tmp_path.glob("*.safetensors")) > 400_000_000
    assert grown < 200_000


@pytest.mark.parametrize(
    ("architecture", "changes", "text", "pieces", "again"),
    [
        ("llama", {}, "<s>ab12<e>", ["<s>", "ab", "1", "2", "<e>"], "ab12"),
        ("llama", {"tokenizer.ggml.add_bos_token": True}, "ab", ["<s>", "ab"], "ab"),
        ("llama", {"tokenizer.ggml.pre": "gpt-2"}, "12", ["12"], "12"),
        ("qwen2", {}, "ab12", ["ab", "1", "2"], "ab12"),
        ("gemma3", {}, "the cat \u00e9", ["<s>", "the", "_cat", "_", "<0xC3>", "<0xA9>"], "the cat \u00e9"),
        ("llama", gguf.sentencepiece(), "the cat", ["<s>", "_the", "_cat"], "the cat"),
        ("phi3", gguf.sentencepiece(), "the<|end|>\n cat", ["<s>", "_the", "<|end|>", "_cat"], "the cat"),
    ],
)
def test_tokenizers(
    tmp_path: Path, architecture: str, changes: dict[str, Any], text: str, pieces: list[str], again: str
) -> None:
    keys = gguf.keys(architecture)
    if "tokenizer.ggml.scores" in changes:
        keys = {name: value for name, value in keys.items() if not name.startswith("tokenizer.")}
    keys |= changes
    path = gguf.write(tmp_path / "m.gguf", keys, gguf.tensors(keys))
    found = run(tmp_path, TOKENIZE, str(made(path).folder), given=[text])
    assert found["pieces"] == [[piece.replace("_", gguf.SPACE) for piece in pieces]]
    assert found["again"] == [again]


def test_a_type_that_cannot_be_read_is_an_explained_failure(tmp_path: Path) -> None:
    path = gguf.build(tmp_path / "m.gguf")
    path.write_bytes(path.read_bytes()[:-600])
    with pytest.raises(StepFailedError) as caught:
        converter.run(FROM_GGUF[0], str(path), str(tmp_path), title="converting")
    assert caught.value.log is not None
