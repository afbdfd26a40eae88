"""GGUF files that cannot be carried over whole: each refused by key or tensor, before anything is converted."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from smoke.models import gguf_file, resolving
from smoke.models.converters import converter
from smoke.models.converters.from_gguf import rope, table
from smoke.models.converters.from_gguf.carrying import Plan
from smoke.models.converters.from_gguf.fields import shortest
from tests.smoke.models import gguf_building as gguf
from wheelhouse.errors import InputError


def planned(path: Path, keys: dict[str, Any], edit: Callable[[dict[str, np.ndarray]], object] | None = None) -> Plan:
    tensors = gguf.tensors(keys)
    if edit is not None:
        edit(tensors)
    return gguf_file.planned(gguf.write(path / "m.gguf", keys, tensors))


def refuses(
    path: Path, keys: dict[str, Any], *says: str, edit: Callable[[dict[str, np.ndarray]], object] | None = None
) -> None:
    with pytest.raises(InputError) as caught:
        planned(path, keys, edit)
    for part in says:
        assert part in str(caught.value)
    assert "m.gguf" in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize("architecture", sorted(table.ARCHITECTURES))
def test_every_architecture_of_the_table_is_carried(tmp_path: Path, architecture: str) -> None:
    made = gguf_file.planned(gguf.build(tmp_path / "m.gguf", architecture))
    assert made.config["model_type"] == table.ARCHITECTURES[architecture].model_type
    assert (made.config["rms_norm_eps"], made.config["vocab_size"]) == (1e-5, len(made.words.tokens))
    assert len(made.names) == len(gguf.tensors(gguf.keys(architecture), untied=architecture != "gemma3"))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"rope__scaling__type": "linear", "rope__scaling__factor": 4.0}, ("linear", 4.0)),
        ({"rope__scaling__factor": 4.0}, ("linear", 4.0)),
        ({"rope__scale_linear": 2.0}, ("linear", 2.0)),
        (
            {"rope__scaling__type": "yarn", "rope__scaling__factor": 4.0, "rope__scaling__original_context_length": 16},
            ("yarn", 4.0),
        ),
        ({"rope__scaling__type": "linear", "rope__scaling__factor": 1.0}, None),
        ({"rope__scaling__type": "none"}, None),
    ],
)
def test_scaled_positions_are_carried(
    tmp_path: Path, changes: dict[str, Any], expected: tuple[str, float] | None
) -> None:
    found = planned(tmp_path, gguf.keys(**changes)).config["rope_scaling"]
    assert found == expected or (found["type"], found["factor"]) == expected


def test_llama_3s_factors_become_its_settings(tmp_path: Path) -> None:
    factors = rope.llama3_factors(32.0, 10000.0, gguf.HEAD)
    keys = gguf.keys()
    made = planned(tmp_path, keys, lambda t: t.update({"rope_freqs.weight": np.array(factors, np.float32)}))
    assert made.config["rope_scaling"]["factor"] == pytest.approx(32.0)
    assert made.config["rope_scaling"]["type"] == "llama3"
    for wrong in ([2.0, 2.0, 2.0, 3.0], [1.0, math.nan, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0]):
        values = np.array(wrong, np.float32)
        refuses(tmp_path, keys, "rope_freqs.weight", edit=lambda t, v=values: t.update({"rope_freqs.weight": v}))


def test_longrope_is_carried_with_its_factors(tmp_path: Path) -> None:
    short, long = np.array([1, 1.01, 1.02, 1.03], np.float32), np.array([1, 1.5, 2, 4], np.float32)
    both = {"rope_factors_short.weight": short, "rope_factors_long.weight": long}
    keys = gguf.keys("phi3", rope__scaling__original_context_length=16)
    found = planned(tmp_path, keys, lambda t: t.update(both)).config
    assert found["rope_scaling"]["short_factor"] == [1.0, 1.01, 1.02, 1.03]
    assert (found["original_max_position_embeddings"], found["max_position_embeddings"]) == (16, 64)
    refuses(tmp_path, keys, "rope_factors_short", edit=lambda t: t.update({"rope_factors_long.weight": long}))
    other = gguf.keys("phi3", rope__scaling__original_context_length=16, rope__scaling__attn_factor=1.5)
    refuses(tmp_path, other, "phi3.rope.scaling.attn_factor is 1.5", edit=lambda t: t.update(both))


def biases(*parts: str) -> Callable[[dict[str, np.ndarray]], object]:
    rows = {"attn_q": 32, "attn_k": 16, "attn_v": 16, "attn_output": 32}
    return lambda t: t.update(
        {f"blk.{n}.{part}.bias": np.ones(rows[part], np.float32) for n in range(gguf.LAYERS) for part in parts}
    )


def test_biases_of_llama_are_carried_and_the_one_that_is_never_there_is_zero(tmp_path: Path) -> None:
    made = planned(tmp_path, gguf.keys(), biases("attn_q", "attn_k", "attn_v"))
    assert made.config["attention_bias"] is True
    assert made.names["model.layers.1.self_attn.k_proj.bias"].name == "blk.1.attn_k.bias"
    assert dict(made.zeros) == {f"model.layers.{n}.self_attn.o_proj.bias": 32 for n in range(gguf.LAYERS)}

    def but_one(tensors: dict[str, np.ndarray]) -> None:
        biases("attn_q", "attn_k", "attn_v")(tensors)
        tensors.pop("blk.1.attn_q.bias")

    refuses(tmp_path, gguf.keys(), "blk.1.attn_q.bias", edit=but_one)


@pytest.mark.parametrize(
    ("architecture", "name"),
    [
        ("qwen2", "blk.0.attn_output.bias"),
        ("llama", "blk.0.ffn_gate.bias"),
        ("llama", "output.bias"),
        ("llama", "blk.0.attn_q_norm.weight"),
        ("llama", "blk.0.attn_q.scale"),
        ("llama", "blk.0.ffn_gate_inp.weight"),
        ("llama", "blk.00.attn_q.weight"),
        ("llama", "blk.7.attn_q.weight"),
        ("llama", "v.patch_embd.weight"),
        ("llama", "rope_factors_long.weight"),
        ("phi3", "blk.0.attn_qkv.bias"),
        ("phi3", "blk.0.attn_q.weight"),
    ],
)
def test_a_tensor_without_counterpart_is_named(tmp_path: Path, architecture: str, name: str) -> None:
    refuses(tmp_path, gguf.keys(architecture), name, edit=lambda t: t.update({name: np.ones((32,), np.float32)}))


@pytest.mark.parametrize(
    ("architecture", "missing"),
    [
        ("llama", "output_norm.weight"),
        ("qwen2", "blk.1.attn_k.bias"),
        ("gemma3", "blk.1.post_ffw_norm.weight"),
        ("phi3", "blk.0.ffn_up.weight"),
    ],
)
def test_a_missing_tensor_is_named(tmp_path: Path, architecture: str, missing: str) -> None:
    refuses(tmp_path, gguf.keys(architecture), "lacks the tensor", missing, edit=lambda t: t.pop(missing))


def test_a_shape_unlike_the_keys(tmp_path: Path) -> None:
    refuses(tmp_path, gguf.keys(feed_forward_length=96), "blk.0.ffn_gate.weight", "64 x 32", "96 x 32")
    refuses(tmp_path, gguf.keys(), "token_embd.weight", "9 x 32", "8 x 32",
            edit=lambda t: t.update({"token_embd.weight": np.ones((9, 32), np.float32)}))  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"block_count": None}, "no llama.block_count"),
        ({"block_count": 0}, "llama.block_count is 0"),
        ({"block_count": 3}, "lacks the tensor"),
        ({"block_count": 1}, "'blk.1."),
        ({"context_length": "64"}, "llama.context_length is '64'"),
        ({"attention__head_count": [4, 4]}, "llama.attention.head_count is [4, 4]"),
        ({"attention__head_count_kv": 3}, "num_key_value_heads is 3"),
        ({"attention__layer_norm_rms_epsilon": 0.0}, "layer_norm_rms_epsilon is 0.0"),
        ({"attention__layer_norm_rms_epsilon": math.nan}, "layer_norm_rms_epsilon is nan"),
        ({"attention__value_length": 16}, "llama.attention.value_length is 16"),
        ({"rope__dimension_count": 4}, "llama.rope.dimension_count is 4"),
        ({"rope__freq_base": -1.0}, "llama.rope.freq_base is -1.0"),
        ({"rope__scaling__type": "none", "rope__scaling__factor": 4.0}, "llama.rope.scaling.factor"),
        ({"rope__scaling__type": "longrope", "rope__scaling__factor": 4.0}, "llama.rope.scaling.type is 'longrope'"),
        ({"rope__scaling__type": 7}, "llama.rope.scaling.type is 7"),
        (
            {"rope__scaling__type": "yarn", "rope__scaling__factor": 4.0, "rope__scaling__yarn_beta_fast": 16.0},
            "yarn_beta_fast",
        ),
        ({"rope__scaling__attn_factor": 2.0}, "llama.rope.scaling.attn_factor"),
        ({"attention__sliding_window": 32}, "llama.attention.sliding_window"),
        ({"attention__scale": 0.5}, "llama.attention.scale"),
        ({"attention__clamp_kqv": 8.0}, "llama.attention.clamp_kqv"),
        ({"final_logit_softcapping": 30.0}, "llama.final_logit_softcapping"),
        ({"logit_scale": 0.5}, "llama.logit_scale"),
        ({"expert_count": 8}, "a mixture of experts"),
        ({"use_parallel_residual": True}, "llama.use_parallel_residual"),
        ({"tensor_data_layout": "Meta AI original pth"}, "llama.tensor_data_layout"),
        ({"vocab_size": 9}, "llama.vocab_size is 9"),
    ],
)
def test_a_key_that_cannot_be_carried_is_named(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    refuses(tmp_path, gguf.keys(**changes), says)


@pytest.mark.parametrize(
    ("name", "given", "says"),
    [
        ("general.architecture", "mamba", "architecture 'mamba'; known here are gemma3, llama"),
        ("general.architecture", 3, "names no architecture"),
        ("general.type", "adapter", "no model but 'adapter'"),
        ("split.count", 3, "one of 3 parts"),
        ("tokenizer.ggml.model", "bert", "tokenizer is 'bert'"),
        ("tokenizer.ggml.pre", "deepseek-coder", "pre-tokenizer 'deepseek-coder' is not known"),
        ("tokenizer.ggml.add_eos_token", True, "tokenizer.ggml.add_eos_token is true"),
        ("tokenizer.ggml.add_bos_token", 1, "add_bos_token is 1"),
        ("tokenizer.ggml.add_space_prefix", True, "tokenizer.ggml.add_space_prefix is true"),
        ("tokenizer.ggml.eos_token_id", 8, "tokenizer.ggml.eos_token_id is 8; there are 8"),
        ("tokenizer.ggml.tokens", ["a"] * 8, "has a token twice"),
        ("tokenizer.ggml.tokens", [1, 2], "tokenizer.ggml.tokens is not a list of texts"),
        ("tokenizer.ggml.token_type", [1, 1], "tokenizer.ggml.token_type is not a list of 8"),
        ("tokenizer.ggml.merges", ["a z"], "tokenizer.ggml.merges has 'a z'"),
        ("tokenizer.ggml.precompiled_charsmap", [1, 2], "precompiled_charsmap"),
        ("tokenizer.ggml.something_new", True, "tokenizer.ggml.something_new = True"),
        ("tokenizer.chat_template", 3, "tokenizer.chat_template is not a text"),
        ("adapter.lora.alpha", 16.0, "adapter.lora.alpha"),
        ("general.alignment", 0, "general.alignment is 0"),
        ("tokenizer.ggml.eot_token_id", 99, "eot_token_id is 99"),
    ],
)  # fmt: skip
def test_a_key_of_the_file_or_the_tokenizer_is_named(tmp_path: Path, name: str, given: Any, says: str) -> None:
    changed = {**gguf.keys(), name: given}
    with pytest.raises(InputError, match=r"cannot be used|is damaged") as caught:
        gguf_file.planned(gguf.write(tmp_path / "m.gguf", changed, gguf.tensors(gguf.keys())))
    assert says in str(caught.value)


def test_what_changes_nothing_is_listed_and_let_through(tmp_path: Path) -> None:
    more = {
        "general.quantized_by": "somebody", "quantize.imatrix.entries_count": 3, "llama.rope.scaling.finetuned": False,
        "tokenizer.ggml.fim_pre_token_id": 1, "tokenizer.chat_templates": ["tool_use"], "llama.expert_count": 0,
        "tokenizer.ggml.eot_token_id": 0, "tokenizer.ggml.add_eos_token": False, "somebodys.note": "hello",
    }  # fmt: skip
    assert planned(tmp_path, gguf.keys() | more).ends == (1, 0)


def test_a_damaged_file_says_how(tmp_path: Path) -> None:
    path = gguf.build(tmp_path / "m.gguf")
    whole = path.read_bytes()
    for content, says in (
        (whole[:-600], "is truncated: the tensor"),
        (whole[:200], "is truncated: it ends in the middle of its header"),
        (whole[:4] + struct.pack(">I", 3) + whole[8:], "big-endian"),
        (whole[:4] + struct.pack("<I", 1) + whole[8:], "GGUF version 1"),
        (whole[:16] + struct.pack("<Q", 1 << 60) + whole[24:], "key-value pairs"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (b"<!DOCTYPE html>", "HTML page"),
        (b"", "is empty"),
        (b"PK\x03\x04 whatever", "zip archive"),
        (b"nothing known", "is no GGUF file"),
    ):
        path.write_bytes(content)
        with pytest.raises(InputError) as caught:
            resolving.resolve(str(path))
        assert says in str(caught.value)


def test_a_file_is_named_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(converter, "run", lambda *_, **__: pytest.fail("something was converted"))
    for spec in (str(tmp_path / "none.gguf"), "owner/none.GGUF", "none.gguf"):
        with pytest.raises(InputError, match="does not exist"):
            resolving.resolve(spec)
    (tmp_path / "folder.gguf").mkdir()
    with pytest.raises(InputError, match=r"folder\.gguf has no config"):
        resolving.resolve(str(tmp_path / "folder.gguf"))


@pytest.mark.parametrize("number", [1e-05, 1e-06, 10000.0, 1234567.0, 0.1, 3e38, 16777216.0])
def test_numbers_come_back_as_they_were_written(number: float) -> None:
    assert shortest(struct.unpack("<f", struct.pack("<f", number))[0]) == number


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{% for m in messages %}", "cannot be parsed"),
        ("{{ messages[0].content.nothing() }}", "fails for a user's question: 'str object' has no attribute 'nothing'"),
        ("{{ 'x' * 10**10 }}", "fails for a user's question: it needs more than"),
    ],
)
def test_a_template_is_tried_before_anything_is_converted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, template: str, says: str
) -> None:
    monkeypatch.setattr(converter, "run", lambda *_, **__: pytest.fail("something was converted"))
    keys = gguf.keys("llama") | {"tokenizer.chat_template": template}
    path = gguf.write(tmp_path / "m.gguf", keys, gguf.tensors(gguf.keys("llama")))
    with pytest.raises(InputError) as caught:
        resolving.resolve(str(path))
    assert f"{path}: tokenizer.chat_template: the chat template {says}" in caught.value.message
