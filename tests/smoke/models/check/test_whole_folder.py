"""Folders that cannot be what they say: each is refused by file, key or tensor and value, before anything is made."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from smoke.models.check import numbers, tokenizer, weights, whole_folder
from smoke.models.check.folder_facts import Facts
from tests.not_in_wine import LINKS
from tests.smoke.models import building
from tests.smoke.models.building import build, change, drop, rewrite, shard, write_json
from wheelhouse.errors import InputError

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 538090408\n"


def facts(folder: Path) -> Facts:
    found = whole_folder.facts_of(folder)
    numbers.require_sound(weights.find(folder), tied=found.sizes.tied)
    return found


@pytest.mark.parametrize("family", sorted(building.ARCHITECTURES))
def test_every_family_that_is_known_passes(tmp_path: Path, family: str) -> None:
    found = facts(build(tmp_path / "m", family))
    assert (found.family, found.architecture) == (family, building.ARCHITECTURES[family])
    assert (found.sizes.hidden, found.sizes.layers, found.sizes.vocabulary) == (64, 2, 512)
    assert (found.context, found.ends, found.template, found.notes) == (1024, (2,), True, ())
    assert found.dtypes == ("F32",)


def test_shards_in_a_subfolder_are_found(tmp_path: Path) -> None:
    folder = build(tmp_path / "m")
    whole = facts(folder)
    shard(folder, below="s/")
    found = facts(folder)
    assert found.files == ("s/model-00001-of-00002.safetensors", "s/model-00002-of-00002.safetensors")
    assert found.parameters == whole.parameters


def test_options_of_the_architecture_change_what_is_expected(tmp_path: Path) -> None:
    facts(build(tmp_path / "biased", attention_bias=True, mlp_bias=True))
    tied = build(tmp_path / "tied", tie_word_embeddings=True)
    assert facts(tied).sizes.tied
    content = building.tensors(building.config(tie_word_embeddings=True))
    content["lm_head.weight"] = content["model.embed_tokens.weight"]
    content["model.layers.0.self_attn.rotary_emb.inv_freq"] = np.ones(8, np.float32)
    building.safetensors(tied / "model.safetensors", content)
    facts(tied)


def refuses(folder: Path, *says: str) -> InputError:
    with pytest.raises(InputError) as caught:
        facts(folder)
    for part in says:
        assert part in str(caught.value)
    assert str(folder) in caught.value.message
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize(
    ("family", "name"),
    [
        ("llama", "model.norm.weight"),
        ("llama", "model.layers.1.mlp.up_proj.weight"),
        ("llama", "model.layers.0.input_layernorm.weight"),
        ("llama", "model.embed_tokens.weight"),
        ("llama", "lm_head.weight"),
        ("qwen2", "model.layers.1.self_attn.q_proj.bias"),
        ("qwen3", "model.layers.0.self_attn.k_norm.weight"),
        ("phi3", "model.layers.1.mlp.gate_up_proj.weight"),
        ("gemma3_text", "model.layers.1.post_feedforward_layernorm.weight"),
    ],
)
def test_a_missing_tensor_is_named(tmp_path: Path, family: str, name: str) -> None:
    folder = build(tmp_path / "m", family)
    rewrite(folder, lambda content: content.pop(name))
    refuses(folder, f"lacks the tensor '{name}'")


def test_qwen2_without_its_biases(tmp_path: Path) -> None:
    folder = build(tmp_path / "m", "qwen2")
    rewrite(folder, lambda content: [content.pop(name) for name in list(content) if name.endswith("bias")])
    refuses(folder, "self_attn.q_proj.bias", "and 5 more")


def add(name: str, array: np.ndarray) -> Callable[[dict[str, np.ndarray]], None]:
    return lambda content: content.update({name: array})


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("model.layers.0.self_attn.q_proj.bias", np.zeros(64, np.float32)),
        ("model.layers.2.mlp.up_proj.weight", np.zeros((128, 64), np.float32)),
        ("score.weight", np.zeros((2, 64), np.float32)),
    ],
)
def test_a_tensor_that_would_be_left_out_is_named(tmp_path: Path, name: str, array: np.ndarray) -> None:
    folder = build(tmp_path / "m")
    rewrite(folder, add(name, array))
    refuses(folder, f"'{name}'", "left out")


def test_a_shape_unlike_the_configuration(tmp_path: Path) -> None:
    folder = build(tmp_path / "m")
    change(folder / "config.json", intermediate_size=256)
    refuses(folder, "mlp.gate_proj.weight", "128 x 64", "256 x 64")


def test_numbers_that_are_none_are_named_with_their_place(tmp_path: Path) -> None:
    folder = build(tmp_path / "m")

    def spoil(content: dict[str, np.ndarray]) -> None:
        content["model.layers.1.mlp.down_proj.weight"][3, 5] = np.nan

    rewrite(folder, spoil)
    refuses(folder, "model.layers.1.mlp.down_proj.weight", "NaN or infinity", "[3, 5]")


@pytest.mark.parametrize(("called", "kind", "infinity"), [("F16", np.float16, 0x7C00), ("BF16", np.uint16, 0xFF80)])
def test_infinity_in_half_precision(tmp_path: Path, called: str, kind: type, infinity: int) -> None:
    folder = build(tmp_path / "m")
    content = building.tensors(building.config())
    halves = {name: array.astype(np.float16).view(np.uint16) for name, array in content.items()}
    dtypes = dict.fromkeys(content, called)
    building.safetensors(folder / "model.safetensors", halves, dtypes)
    assert facts(folder).dtypes == (called,)
    halves["model.norm.weight"][7] = infinity
    building.safetensors(folder / "model.safetensors", halves, dtypes)
    refuses(folder, "model.norm.weight", "[7]")


def test_a_stored_head_that_contradicts_the_tie(tmp_path: Path) -> None:
    folder = build(tmp_path / "m")
    change(folder / "config.json", tie_word_embeddings=True)
    refuses(folder, "tie_word_embeddings", "lm_head.weight")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"intermediate_size": None}, "intermediate_size is null"),
        ({"intermediate_size": [128, 128]}, "intermediate_size is [128, 128]"),
        ({"num_attention_heads": None}, "num_attention_heads is null"),
        ({"num_attention_heads": 5, "head_dim": None}, "hidden_size is 64, which 5 attention heads do not divide"),
        ({"num_key_value_heads": 3}, "num_key_value_heads is 3, which does not divide the 4"),
        ({"hidden_size": "64"}, 'hidden_size is "64"'),
        ({"hidden_size": True}, "hidden_size is true"),
        ({"hidden_size": 10**30}, "hidden_size is 1000"),
        ({"vocab_size": 0}, "vocab_size is 0"),
        ({"num_hidden_layers": 10**9}, "more layers than any model has"),
        ({"max_position_embeddings": -1}, "max_position_embeddings is -1"),
        ({"max_position_embeddings": 64.5}, "max_position_embeddings is 64.5"),
        ({"sliding_window": 0}, "sliding_window is 0"),
        ({"tie_word_embeddings": "no"}, 'tie_word_embeddings is "no"'),
        ({"rope_theta": 0}, "rope_theta is 0"),
        ({"rope_scaling": {"type": "linaer", "factor": 2.0}}, "Did you mean 'linear'"),
        ({"rope_scaling": {"type": "linear"}}, "rope_scaling.factor"),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 0.5}}, "rope_scaling.factor is 0.5"),
        ({"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, "low_freq_factor"),
        ({"rope_scaling": {"type": "longrope", "short_factor": [1.0], "long_factor": [1.0]}}, "a list of 8 numbers"),
        ({"rope_scaling": [4]}, "rope_scaling is [4], not an object"),
        ({"eos_token_id": 512}, "eos_token_id is 512"),
        ({"bos_token_id": 99999}, "bos_token_id is 99999"),
        ({"pad_token_id": 32000}, "pad_token_id is 32000"),
        ({"rms_norm_eps": None}, "rms_norm_eps is null"),
        ({"rms_norm_eps": "1e-5"}, 'rms_norm_eps is "1e-5"'),
        ({"rms_norm_eps": float("nan")}, "rms_norm_eps is NaN"),
        ({"hidden_act": "siluu"}, "Did you mean 'silu'"),
        ({"head_dim": 15}, "heads of 15 are odd"),
        ({"layer_types": ["full_attention"]}, "not a list of 2 kinds of layers"),
        ({"rope_scaling": {"factor": 4.0}}, "no kind of scaling is named"),
        ({"rope_scaling": {"rope_type": "linear", "type": "yarn", "factor": 4.0}}, 'but type is "yarn"'),
        (
            {"rope_scaling": {"type": "linear", "factor": 4.0}, "rope_parameters": {"rope_type": "default"}},
            "rope_parameters are of the kind default",
        ),
        ({"torch_dtype": "float8_e4m3fn"}, "torch_dtype"),
        ({"architectures": ["BertForMaskedLM"]}, "not a model that continues text"),
        ({"architectures": ["LlamaForCausalLM", "X"]}, "architectures is"),
        ({"architectures": "LlamaForCausalLM"}, "architectures is"),
        ({"architectures": ["Qwen2ForCausalLM"]}, 'model_type is "llama"'),
        ({"model_type": "lama"}, "whose model_type is llama"),
        ({"text_config": {"hidden_size": 64}}, "several parts"),
        ({"vision_config": {"hidden_size": 64}}, "several parts"),
        ({"is_encoder_decoder": True}, "continues text"),
    ],
)
def test_a_value_that_cannot_be_is_named(tmp_path: Path, changes: dict[str, object], says: str) -> None:
    folder = build(tmp_path / "m")
    if "eos_token_id" in changes:
        drop(folder / "generation_config.json", "eos_token_id")
    change(folder / "config.json", **changes)
    refuses(folder, says)


@pytest.mark.parametrize("name", ["hidden_size", "num_attention_heads", "vocab_size", "max_position_embeddings"])
def test_a_size_that_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    folder = build(tmp_path / "m")
    drop(folder / "config.json", name)
    refuses(folder, name, "is not there")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, "quantised with GPTQ (4 bits)"),
        ({"quantization_config": {"quant_method": "awq", "bits": 4}}, "AWQ"),
        ({"quantization_config": {"load_in_4bit": True}}, "bitsandbytes (4 bits)"),
        ({"quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": True}}, "bitsandbytes (8 bits)"),
        ({"quantization_config": {"quant_method": "fp8"}}, "FP8"),
        ({"quantization_config": {"quant_method": "compressed-tensors"}}, "compressed-tensors"),
        ({"quantization_config": {"quant_method": "something new"}}, '"something new"'),
        ({"compression_config": {"format": "pack-quantized"}}, "compression_config says so"),
    ],
)
def test_quantised_models_are_named_as_such(tmp_path: Path, changes: dict[str, object], says: str) -> None:
    folder = build(tmp_path / "m")
    change(folder / "config.json", **changes)
    assert "unquantised" in refuses(folder, says).remedy


def test_quantisation_is_seen_in_files_and_tensors(tmp_path: Path) -> None:
    folder = build(tmp_path / "m")
    write_json(folder / "quantize_config.json", {"bits": 4, "group_size": 128})
    refuses(folder, "GPTQ (4 bits)")
    (folder / "quantize_config.json").unlink()
    rewrite(folder, add("model.layers.0.mlp.up_proj.qweight", np.zeros((8, 128), np.float32)))
    refuses(folder, "up_proj.qweight")
    content = building.tensors(building.config())
    content["model.norm.weight"] = np.zeros(64, np.uint8)
    building.safetensors(folder / "model.safetensors", content, {"model.norm.weight": "F8_E4M3"})
    refuses(folder, "F8_E4M3", "model.norm.weight")


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json"])
@pytest.mark.parametrize(
    ("content", "says"),
    [(LFS, "Git LFS pointer"), (b"<!DOCTYPE html><html>", "HTML page"), (b"\n<html>", "HTML page"), (b"", "is empty")],
)
def test_files_that_are_something_else(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    folder = build(tmp_path / "m")
    (folder / name).write_bytes(content)
    error = refuses(folder, says, name)
    assert content is not LFS or "git lfs pull" in error.remedy


def only(folder: Path, *names: str) -> None:
    """Leave nothing but these files; those that were not there are made."""
    for path in folder.iterdir():
        if path.name not in names:
            path.unlink()
    for name in names:
        if not (folder / name).exists():
            (folder / name).write_bytes(b"\0")


WITHOUT = ("config.json", "tokenizer.json", "tokenizer_config.json")


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (("adapter_config.json", "adapter_model.safetensors"), "LoRA adapter"),
        ((*WITHOUT, "adapter_model.safetensors"), "LoRA adapter"),
        (("model-q4.gguf",), "model-q4.gguf"),
        ((*WITHOUT, "model-q4.gguf"), "model-q4.gguf"),
        ((*WITHOUT, "consolidated.safetensors"), "consolidated.safetensors"),
        (("params.json", "consolidated.00.pth"), "own format"),
        ((*WITHOUT, "model-00001-of-00002.safetensors"), "without model.safetensors.index.json"),
        ((*WITHOUT, "weights.safetensors"), "weights.safetensors"),
        ((*WITHOUT, "pytorch_model.bin"), "pickles only (pytorch_model.bin)"),
        ((*WITHOUT, "tf_model.h5"), "another framework"),
        ((*WITHOUT, "weights.npz"), "another framework"),
        (("genai_config.json", "model.onnx"), "export for ONNX Runtime GenAI"),
        (("openvino_model.xml", "openvino_model.bin"), "export for OpenVINO"),
        (("model_index.json",), "several models"),
        (WITHOUT, "holds no model.safetensors"),
        ((), "has no config.json"),
    ],
)
def test_folders_that_are_something_else(tmp_path: Path, names: tuple[str, ...], says: str) -> None:
    folder = build(tmp_path / "m")
    only(folder, *names)
    refuses(folder, says)


def test_a_folder_around_the_model(tmp_path: Path) -> None:
    build(tmp_path / "m" / "inner")
    assert "inner?" in refuses(tmp_path / "m", "holds no model itself").remedy


def test_the_slow_tokenizer_alone(tmp_path: Path) -> None:
    folder = build(tmp_path / "m")
    (folder / "tokenizer.json").rename(folder / "tokenizer.model")
    refuses(folder, "has no tokenizer.json", "tokenizer.model")


def mapped(folder: Path) -> dict[str, str]:
    index = json.loads((folder / "model.safetensors.index.json").read_text(encoding="utf-8"))
    return dict(index["weight_map"])


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda m: m.update({"model.norm.weight": "../a.safetensors"}), "outside the folder"),
        (lambda m: m.update({"model.norm.weight": "/a.safetensors"}), "outside the folder"),
        (lambda m: m.update({"model.norm.weight": "C:\\a.safetensors"}), "outside the folder"),
        (lambda m: m.update({"model.norm.weight": "pytorch_model.bin"}), "pytorch_model.bin"),
        (lambda m: m.update({"model.norm.weight": 3}), "gives 3"),
        (lambda m: m.update({"model.norm.weight": "gone.safetensors"}), "lacks gone.safetensors"),
        (lambda m: m.update({"model.none.weight": m["model.norm.weight"]}), "no file holds it"),
        (lambda m: m.pop("model.norm.weight"), "does not name"),
        (lambda m: m.clear(), "weight_map is {}"),
        (lambda m: m.update({k: v.replace("1-of", "2-of") for k, v in m.items()}), "but it is in"),
    ],
)
def test_an_index_that_contradicts_the_files(
    tmp_path: Path, edit: Callable[[dict[str, str]], object], says: str
) -> None:
    folder = build(tmp_path / "m")
    shard(folder)
    changed = mapped(folder)
    edit(changed)
    write_json(folder / "model.safetensors.index.json", {"weight_map": changed})
    if "but it is in" not in says:
        refuses(folder, says)
    else:
        refuses(folder)


def test_two_sets_of_weights(tmp_path: Path) -> None:
    folder = build(tmp_path / "m")
    single = (folder / "model.safetensors").read_bytes()
    shard(folder)
    (folder / "model.safetensors").write_bytes(single)
    refuses(folder, "two sets of weights")


def test_the_tokenizer_of_a_larger_model(tmp_path: Path) -> None:
    folder = build(tmp_path / "m")
    write_json(folder / "tokenizer.json", building.tokenizer(size=600))
    refuses(folder, "token 599", "vocab_size is 512")


def test_added_tokens_beyond_the_vocabulary_are_noted(tmp_path: Path) -> None:
    """As in Gemma 3, whose tokenizer has a token for images that the text model lacks."""
    folder = build(tmp_path / "m")
    content = building.tokenizer()
    content["added_tokens"].append({**content["added_tokens"][0], "id": 512, "content": "<image>"})
    write_json(folder / "tokenizer.json", content)
    assert "beyond the vocabulary" in facts(folder).notes[0]


def test_what_is_asked_for_beyond_greedy(tmp_path: Path) -> None:
    folder = build(tmp_path / "m")
    path = folder / "generation_config.json"
    change(path, repetition_penalty=1.1, do_sample=True, temperature=1.0, top_k=50, eos_token_id=[2, 1])
    found = facts(folder)
    assert (found.asks, found.ends) == ({"repetition_penalty": "1.1", "do_sample": "true"}, (2, 1))
    change(path, repetition_penalty="much")
    refuses(folder, 'repetition_penalty is "much"')


def test_templates_wherever_they_are_kept(tmp_path: Path) -> None:
    folder = build(tmp_path / "m")
    settings = folder / "tokenizer_config.json"
    drop(settings, "chat_template")
    assert not facts(folder).template
    assert "no chat template" in facts(folder).notes[0]
    (folder / "chat_template.jinja").write_text(building.TEMPLATE, encoding="utf-8")
    assert facts(folder).template
    (folder / "chat_template.jinja").unlink()
    change(settings, chat_template=[{"name": "default", "template": building.TEMPLATE}])
    assert facts(folder).template
    change(settings, chat_template=7)
    refuses(folder, "chat_template is 7")


def test_what_is_put_in_front_of_a_text(tmp_path: Path) -> None:
    folder = build(tmp_path / "m")
    assert facts(folder).begin == ""
    write_json(folder / "tokenizer.json", building.tokenizer(begin="<s>"))
    assert facts(folder).begin == "<s>"
    write_json(folder / "tokenizer.json", building.tokenizer())
    change(folder / "tokenizer_config.json", add_bos_token=True)
    assert facts(folder).begin == "<s>"


def test_own_code_is_told_from_both_configurations(tmp_path: Path) -> None:
    folder = build(tmp_path / "m")
    change(folder / "config.json", auto_map={"AutoModelForCausalLM": "modeling_x.X"})
    change(folder / "tokenizer_config.json", auto_map={"AutoTokenizer": ["tokenization_x.T", None]})
    assert facts(folder).own_code == {"AutoModelForCausalLM": "modeling_x.X", "AutoTokenizer": "tokenization_x.T"}


def test_an_unknown_family_is_read_by_the_older_names_of_sizes(tmp_path: Path) -> None:
    folder = build(tmp_path / "m")
    old = {
        "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "n_embd": 64, "n_layer": 2, "n_head": 4,
        "n_positions": 256, "n_inner": None, "vocab_size": 512, "eos_token_id": 2,
    }  # fmt: skip
    rewrite(folder, lambda content: content.pop("lm_head.weight"))
    write_json(folder / "config.json", old)
    found = facts(folder)
    assert (found.context, found.sizes.inner, found.sizes.tied, found.widths()) == (256, 256, True, (64, 64, 256))


def test_a_name_that_stands_twice_is_refused(tmp_path: Path) -> None:
    folder = build(tmp_path / "m")
    path = folder / "config.json"
    path.write_text(path.read_text(encoding="utf-8")[:-1] + ', "hidden_size": 64}', encoding="utf-8")
    refuses(folder, '"hidden_size" twice')


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b"\xff\xfe"])
def test_a_byte_order_mark_is_refused(tmp_path: Path, mark: bytes) -> None:
    folder = build(tmp_path / "m")
    path = folder / "generation_config.json"
    path.write_bytes(mark + path.read_bytes())
    refuses(folder, "byte-order mark", "generation_config.json")


def test_a_model_with_an_adapter_beside_it(tmp_path: Path) -> None:
    folder = build(tmp_path / "m")
    write_json(folder / "adapter_config.json", {"peft_type": "LORA"})
    assert "Merge it" in refuses(folder, "a whole model and a LoRA adapter").remedy


@LINKS
@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_link_that_leads_nowhere_says_where(tmp_path: Path, name: str) -> None:
    folder = build(tmp_path / "m")
    (folder / name).unlink()
    (folder / name).symlink_to(tmp_path / "blobs" / "0123")
    if name != "config.json":
        refuses(folder, name, "is a link to", "0123")
    else:
        refuses(folder, "config.json")


def test_a_template_that_is_none(tmp_path: Path) -> None:
    folder = build(tmp_path / "m")
    change(folder / "tokenizer_config.json", chat_template="{% for m in messages %}{{ m['content'] }")
    refuses(folder, "tokenizer_config.json: the chat template cannot be parsed", "line 1")
    change(
        folder / "tokenizer_config.json",
        chat_template="{% generation %}{{ x }}{%- endgeneration -%}{% for a in b %}{% break %}{% endfor %}",
    )
    facts(folder)
    (folder / "chat_template.jinja").write_text("{% if %}", encoding="utf-8")
    refuses(folder, "chat_template.jinja")


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "base_model.model."])
def test_a_wrapper_that_was_saved_in_place_of_the_model(tmp_path: Path, prefix: str) -> None:
    folder = build(tmp_path / "m")
    content = {prefix + name: array for name, array in building.tensors(building.config()).items()}
    building.safetensors(folder / "model.safetensors", content)
    refuses(folder, "model.embed_tokens.weight", f"it has '{prefix}model.embed_tokens.weight'")


def test_tokenizers_that_are_none_or_another_models(tmp_path: Path) -> None:
    folder = build(tmp_path / "m")
    content = building.tokenizer()
    content["model"]["vocab"]["filler5"] = 7
    write_json(folder / "tokenizer.json", content)
    refuses(folder, "two tokens with the same id")
    write_json(folder / "tokenizer.json", building.tokenizer() | {"model": {"type": "Magic", "vocab": {}}})
    refuses(folder, "Magic")
    write_json(folder / "tokenizer.json", building.tokenizer(size=400_000))
    refuses(folder, "is not this model's tokenizer")


@pytest.mark.parametrize("merge", ["a qqqq", ["a", "qqqq"], ["a", "b"]])
def test_merges_of_what_is_no_token(tmp_path: Path, merge: object) -> None:
    folder = build(tmp_path / "m")
    content = building.tokenizer()
    content["model"]["merges"] = [merge]
    write_json(folder / "tokenizer.json", content)
    with pytest.raises(InputError, match='it merges "a" and'):
        tokenizer.require_sound(folder)
    content["model"]["vocab"] = {"a": 0, "b": 1, "ab": 2, "qqqq": 3, "aqqqq": 4}
    write_json(folder / "tokenizer.json", content)
    tokenizer.require_sound(folder)
