"""Which tensors an architecture consists of, by its configuration: names and shapes, as transformers' classes say.

For the families that are common and regular. The tensors of all others are asked of transformers itself, which takes
seconds (`models/loading.py`); these here are compared before any process is started.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from smoke.models.check.folder_facts import Sizes
from smoke.models.check.values import Values

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, kw_only=True)
class Family:
    """`architecture` in transformers; `block` yields a layer's tensors.

    `tied` and `head_width` are what tie_word_embeddings and head_dim are where the configuration does not say
    (0: the hidden size divided by the heads).
    """

    architecture: str
    block: Callable[[Sizes, Values], Iterator[tuple[str, tuple[int, ...]]]]
    tied: bool = False
    head_width: int = 0


def _attention(s: Sizes, *, bias: bool = False, out_bias: bool = False) -> Iterator[tuple[str, tuple[int, ...]]]:
    query, key = s.heads * s.head_width, s.key_heads * s.head_width
    for name, rows in (("q_proj", query), ("k_proj", key), ("v_proj", key)):
        yield f"self_attn.{name}.weight", (rows, s.hidden)
        if bias:
            yield f"self_attn.{name}.bias", (rows,)
    yield "self_attn.o_proj.weight", (s.hidden, query)
    if out_bias:
        yield "self_attn.o_proj.bias", (s.hidden,)


def _mlp(s: Sizes, *, bias: bool = False) -> Iterator[tuple[str, tuple[int, ...]]]:
    for name, rows, columns in (
        ("gate_proj", s.inner, s.hidden), ("up_proj", s.inner, s.hidden), ("down_proj", s.hidden, s.inner)
    ):  # fmt: skip
        yield f"mlp.{name}.weight", (rows, columns)
        if bias:
            yield f"mlp.{name}.bias", (rows,)


def _norms(s: Sizes, *names: str) -> Iterator[tuple[str, tuple[int, ...]]]:
    for name in names:
        yield f"{name}.weight", (s.hidden,)


def _two_norms(s: Sizes) -> Iterator[tuple[str, tuple[int, ...]]]:
    return _norms(s, "input_layernorm", "post_attention_layernorm")


def _head_norms(s: Sizes) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield "self_attn.q_norm.weight", (s.head_width,)
    yield "self_attn.k_norm.weight", (s.head_width,)


def _llama(s: Sizes, c: Values) -> Iterator[tuple[str, tuple[int, ...]]]:
    bias = c.flag("attention_bias")
    yield from _attention(s, bias=bias, out_bias=bias)
    yield from _mlp(s, bias=c.flag("mlp_bias"))
    yield from _two_norms(s)


def _mistral(s: Sizes, _: Values) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield from _attention(s)
    yield from _mlp(s)
    yield from _two_norms(s)


def _qwen2(s: Sizes, _: Values) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield from _attention(s, bias=True)
    yield from _mlp(s)
    yield from _two_norms(s)


def _qwen3(s: Sizes, c: Values) -> Iterator[tuple[str, tuple[int, ...]]]:
    bias = c.flag("attention_bias")
    yield from _attention(s, bias=bias, out_bias=bias)
    yield from _head_norms(s)
    yield from _mlp(s)
    yield from _two_norms(s)


def _phi3(s: Sizes, _: Values) -> Iterator[tuple[str, tuple[int, ...]]]:
    query = s.heads * s.head_width
    yield "self_attn.qkv_proj.weight", (query + 2 * s.key_heads * s.head_width, s.hidden)
    yield "self_attn.o_proj.weight", (s.hidden, query)
    yield "mlp.gate_up_proj.weight", (2 * s.inner, s.hidden)
    yield "mlp.down_proj.weight", (s.hidden, s.inner)
    yield from _two_norms(s)


def _gemma2(s: Sizes, c: Values) -> Iterator[tuple[str, tuple[int, ...]]]:
    bias = c.flag("attention_bias")
    yield from _attention(s, bias=bias, out_bias=bias)
    yield from _mlp(s)
    yield from _two_norms(s)
    yield from _norms(s, "pre_feedforward_layernorm", "post_feedforward_layernorm")


def _gemma3(s: Sizes, c: Values) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield from _gemma2(s, c)
    yield from _head_norms(s)


FAMILIES: Mapping[str, Family] = {
    "llama": Family(architecture="LlamaForCausalLM", block=_llama),
    "mistral": Family(architecture="MistralForCausalLM", block=_mistral),
    "qwen2": Family(architecture="Qwen2ForCausalLM", block=_qwen2),
    "qwen3": Family(architecture="Qwen3ForCausalLM", block=_qwen3, head_width=128),
    "phi3": Family(architecture="Phi3ForCausalLM", block=_phi3),
    "gemma": Family(architecture="GemmaForCausalLM", block=_llama, tied=True, head_width=256),
    "gemma2": Family(architecture="Gemma2ForCausalLM", block=_gemma2, tied=True, head_width=256),
    "gemma3_text": Family(architecture="Gemma3ForCausalLM", block=_gemma3, tied=True, head_width=256),
    "smollm3": Family(architecture="SmolLM3ForCausalLM", block=_llama, tied=True),
    "granite": Family(architecture="GraniteForCausalLM", block=_llama),
}
"""By config.json's model_type."""


def expected(family: Family, sizes: Sizes, config: Values) -> Shapes:
    """Return the shape of every tensor that the configuration asks for."""
    found: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (sizes.vocabulary, sizes.hidden)}
    block = dict(family.block(sizes, config))
    for layer in range(sizes.layers):
        found |= {f"model.layers.{layer}.{name}": shape for name, shape in block.items()}
    found["model.norm.weight"] = (sizes.hidden,)
    if not sizes.tied:
        found["lm_head.weight"] = (sizes.vocabulary, sizes.hidden)
    return found
