"""The architectures of llama.cpp that become Hugging Face folders: one table of tensors, settings and tokenizers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .fields import Fields, RefusedError

_ATTENTION = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
}
_HEAD_NORMS = {"attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm"}
_NORMS = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}
_MLP = {"ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}
_TOP = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
_GEMMA3_NORMS = {
    "attn_norm": "input_layernorm",
    "post_attention_norm": "post_attention_layernorm",
    "ffn_norm": "pre_feedforward_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm",
}
_PHI3 = {
    "attn_qkv": "self_attn.qkv_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_up": "mlp.gate_up_proj",
    "ffn_down": "mlp.down_proj",
}

BYTE_LEVEL = {"gpt2": "PreTrainedTokenizerFast"}
EITHER = {**BYTE_LEVEL, "llama": "LlamaTokenizer"}
"""GGUF's kinds of tokenizers, and their class: ONNX Runtime GenAI takes any BPE of the generic one for byte-level."""


@dataclass(frozen=True)
class Architecture:
    """One architecture of llama.cpp and what it is in transformers.

    `block` and `top` name tensors; `biased` those that may have a bias, `attention_bias`: the class asks its
    configuration whether they do; `norm_less_one`: llama.cpp has added 1 to the norms; `interleaved`: it has woven the
    halves of query and key together; `more` adds to config.json; `tokenizers` are the kinds that its models have, with
    what tokenizer_config.json calls them; `template` is for models without a chat template of their own; `swallows`
    says of a control token whether it takes white space behind it along, and `ends` are tokens that end an answer,
    besides those that the file names: neither is in a GGUF file.
    """

    class_name: str
    model_type: str
    block: Mapping[str, str]
    more: Callable[[Fields, dict[str, Any]], None]
    tokenizers: Mapping[str, str] = field(default_factory=lambda: BYTE_LEVEL)
    template: str = ""
    swallows: Callable[[str], bool] = lambda _: False
    ends: frozenset[str] = frozenset()
    biased: frozenset[str] = frozenset()
    attention_bias: bool = False
    norm_less_one: bool = False
    interleaved: bool = False
    top: Mapping[str, str] = field(default_factory=lambda: _TOP)


def _llama(_: Fields, made: dict[str, Any]) -> None:
    made["mlp_bias"] = False


def _qwen(_: Fields, made: dict[str, Any]) -> None:
    made["use_sliding_window"] = False


def _phi3(fields: Fields, made: dict[str, Any]) -> None:
    window = fields(fields.own("attention.sliding_window"), 0)
    original = fields.whole("rope.scaling.original_context_length", made["max_position_embeddings"])
    del made["head_dim"]
    made |= {
        "embd_pdrop": 0.0,
        "resid_pdrop": 0.0,
        "original_max_position_embeddings": original,
        "sliding_window": fields.whole("attention.sliding_window") if window else None,
    }


FULL_ATTENTION_EVERY = 6
"""Every sixth layer attends to everything, the others within the window; the file does not say so, Gemma 3 does."""
LOCAL_ROPE = 10000.0
_LAYERS_OF_27B = 62
"""The one size of Gemma 3 that scales attention by another width; llama.cpp, too, knows it by its layers."""
NO_CHAT = "{{ bos_token }}{% for message in messages %}{{ message['content'] }}{% endfor %}"
"""The template of a Gemma that was not trained to chat: it continues the text. Without BOS, it babbles."""


def _gemma3(fields: Fields, made: dict[str, Any]) -> None:
    theta = fields.number("rope.freq_base", 1000000.0)
    width = made["hidden_size"] // made["num_attention_heads"]
    full = [(number + 1) % FULL_ATTENTION_EVERY == 0 for number in range(made["num_hidden_layers"])]
    if made.pop("rope_scaling") is not None:
        raise RefusedError(f"{fields.own('rope.scaling.type')}: scaled positions are not known for gemma3 here")
    del made["rope_theta"], made["hidden_act"]
    local = fields.number("rope.freq_base_swa", LOCAL_ROPE)
    fields.only("attention.sliding_window_pattern", FULL_ATTENTION_EVERY)
    made |= {
        "hidden_activation": "gelu_pytorch_tanh",
        "layer_types": ["full_attention" if is_full else "sliding_attention" for is_full in full],
        "query_pre_attn_scalar": made["head_dim"] if made["num_hidden_layers"] != _LAYERS_OF_27B else width,
        # transformers reads the two inner parts, the model builder of ONNX Runtime GenAI 0.18 what is beside them.
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": theta,
            "rope_local_base_freq": local,
            "full_attention": {"rope_theta": theta, "rope_type": "default"},
            "sliding_attention": {"rope_theta": local, "rope_type": "default"},
        },
        "sliding_window": fields.whole("attention.sliding_window"),
    }


ARCHITECTURES: Mapping[str, Architecture] = {
    "llama": Architecture(
        class_name="LlamaForCausalLM",
        model_type="llama",
        block={**_ATTENTION, **_NORMS, **_MLP},
        more=_llama,
        tokenizers=EITHER,
        biased=frozenset(_ATTENTION),
        attention_bias=True,
        interleaved=True,
    ),
    "qwen2": Architecture(
        class_name="Qwen2ForCausalLM",
        model_type="qwen2",
        block={**_ATTENTION, **_NORMS, **_MLP},
        more=_qwen,
        biased=frozenset({"attn_q", "attn_k", "attn_v"}),
    ),
    "qwen3": Architecture(
        class_name="Qwen3ForCausalLM",
        model_type="qwen3",
        block={**_ATTENTION, **_HEAD_NORMS, **_NORMS, **_MLP},
        more=_qwen,
    ),
    "gemma3": Architecture(
        class_name="Gemma3ForCausalLM",
        model_type="gemma3_text",
        block={**_ATTENTION, **_HEAD_NORMS, **_GEMMA3_NORMS, **_MLP},
        more=_gemma3,
        tokenizers={"llama": "GemmaTokenizer"},
        template=NO_CHAT,
        norm_less_one=True,
    ),
    "phi3": Architecture(
        class_name="Phi3ForCausalLM",
        model_type="phi3",
        block={**_PHI3, **_NORMS},
        more=_phi3,
        tokenizers=EITHER,
        swallows=lambda token: token not in {"<unk>", "<s>", "<|endoftext|>"},
        ends=frozenset({"<|endoftext|>", "<|assistant|>", "<|end|>"}),
    ),
}
