"""Turns a GGUF file of the gemma3 architecture (text only) into a Hugging Face folder.

Stand-alone: started as `python gemma3_gguf_to_hf.py FILE.gguf FOLDER`, beside gguf_to_hf.py, which does the same for
the llama architecture and whose parts it uses. The tokenizer in the file is SentencePiece's list of tokens with scores;
it becomes the byte-pair encoding with byte fallback that Gemma's own tokenizer.json has.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFReader
from gguf.quants import dequantize
from gguf_to_hf import (  # type: ignore[import-not-found]  # it lies beside this script, which is started by its path
    CONTROL,
    USER_DEFINED,
    Fields,
    tokenizer_config,
)
from hf_folder import write_json, write_model  # type: ignore[import-not-found]  # beside this script, too
from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import BPE

BLOCK = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "post_attention_norm": "post_attention_layernorm",
    "ffn_norm": "pre_feedforward_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "post_ffw_norm": "post_feedforward_layernorm",
}
TOP = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
FULL_ATTENTION_EVERY = 6
"""Every sixth layer attends to everything, the others within the window; the file does not say so, Gemma 3 does."""
LOCAL_ROPE = 10000.0
SPACE = "\u2581"
NO_CHAT = "{{ bos_token }}{% for message in messages %}{{ message['content'] }}{% endfor %}"
"""The template of a model that was not trained to chat: it continues the text. Without BOS, Gemma babbles."""


def hf_name(name: str) -> str:
    """Return the Hugging Face name of a GGUF tensor."""
    parts = name.split(".")
    if parts[0] == "blk" and parts[2] in BLOCK:
        return f"model.layers.{parts[1]}.{BLOCK[parts[2]]}.{parts[3]}"
    if parts[0] in TOP:
        return f"{TOP[parts[0]]}.{parts[1]}"
    raise SystemExit(f"The GGUF tensor {name} has no counterpart in the gemma3 architecture.")


def weights(reader: GGUFReader) -> dict[str, np.ndarray]:
    """Return the tensors by Hugging Face name, as float32; norms without the 1 that llama.cpp has added to them."""
    tensors = {}
    for tensor in reader.tensors:
        value = dequantize(tensor.data, tensor.tensor_type).astype(np.float32, copy=False)
        value = value.reshape([int(n) for n in reversed(tensor.shape)])
        tensors[hf_name(tensor.name)] = value - 1 if tensor.name.endswith("norm.weight") else value
    return tensors


def config(fields: Fields, *, tied: bool) -> dict[str, Any]:
    """Return config.json for transformers' Gemma3ForCausalLM."""
    layers, head = fields.model("block_count"), fields.model("attention.key_length")
    full = [(number + 1) % FULL_ATTENTION_EVERY == 0 for number in range(layers)]
    theta = float(fields.model("rope.freq_base", 1000000.0))
    return {
        "architectures": ["Gemma3ForCausalLM"],
        "model_type": "gemma3_text",
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": fields("tokenizer.ggml.bos_token_id"),
        "eos_token_id": fields("tokenizer.ggml.eos_token_id"),
        "pad_token_id": fields("tokenizer.ggml.padding_token_id"),
        "head_dim": head,
        "hidden_activation": "gelu_pytorch_tanh",
        "hidden_size": fields.model("embedding_length"),
        "initializer_range": 0.02,
        "intermediate_size": fields.model("feed_forward_length"),
        "layer_types": ["full_attention" if is_full else "sliding_attention" for is_full in full],
        "max_position_embeddings": fields.model("context_length"),
        "num_attention_heads": fields.model("attention.head_count"),
        "num_hidden_layers": layers,
        "num_key_value_heads": fields.model("attention.head_count_kv"),
        "query_pre_attn_scalar": head,
        # stored as float32: 9.99999997e-07 was written as 1e-06
        "rms_norm_eps": float(f"{fields.model('attention.layer_norm_rms_epsilon'):.6g}"),
        # transformers reads the two inner parts, the model builder of ONNX Runtime GenAI 0.18 what is beside them.
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": theta,
            "rope_local_base_freq": LOCAL_ROPE,
            "full_attention": {"rope_theta": theta, "rope_type": "default"},
            "sliding_attention": {"rope_theta": LOCAL_ROPE, "rope_type": "default"},
        },
        "sliding_window": fields.model("attention.sliding_window"),
        "tie_word_embeddings": tied,
        "torch_dtype": "float32",
        "use_cache": True,
        "vocab_size": len(fields("tokenizer.ggml.tokens")),
    }


def merges(tokens: list[str], scores: list[float]) -> list[tuple[str, str]]:
    """Return the merges that SentencePiece's scores amount to: the best token first, of every way to split it."""
    rank = {token: number for number, token in enumerate(tokens)}
    found: list[tuple[float, int, int, str, str]] = []
    for token, score in zip(tokens, scores, strict=True):
        splits = [(token[:cut], token[cut:]) for cut in range(1, len(token))]
        known = [(rank[left], rank[right], left, right) for left, right in splits if left in rank and right in rank]
        found += [(-score, first, second, left, right) for first, second, left, right in known]
    found.sort(key=lambda merge: merge[0])  # stable: within a token in the order of its parts
    return [(left, right) for *_, left, right in found]


def tokenizer(fields: Fields) -> Tokenizer:
    """Return the tokenizer, with the BOS token in front as the file demands."""
    if fields("tokenizer.ggml.model") != "llama":
        raise SystemExit(f"The GGUF file's tokenizer is '{fields('tokenizer.ggml.model')}', not SentencePiece.")
    tokens, kinds = fields("tokenizer.ggml.tokens"), fields("tokenizer.ggml.token_type")
    whole = [(token, kind) for token, kind in zip(tokens, kinds, strict=True) if kind in (CONTROL, USER_DEFINED)]
    apart = {token for token, _ in whole}
    mergeable = merges(tokens, fields("tokenizer.ggml.scores"))
    unknown = tokens[fields("tokenizer.ggml.unknown_token_id")]
    made = Tokenizer(
        BPE(
            {token: number for number, token in enumerate(tokens)},
            [pair for pair in mergeable if "".join(pair) not in apart],
            unk_token=unknown,
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    made.normalizer = normalizers.Replace(" ", SPACE)
    made.pre_tokenizer = pre_tokenizers.Split(Regex(" "), "merged_with_previous")
    made.decoder = decoders.Sequence([decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()])
    made.add_tokens([AddedToken(t, special=k == CONTROL, normalized=False) for t, k in whole])
    if fields("tokenizer.ggml.add_bos_token", default=True):
        bos = fields("tokenizer.ggml.bos_token_id")
        made.post_processor = processors.TemplateProcessing(
            single=f"{tokens[bos]} $A", special_tokens=[(tokens[bos], bos)]
        )
    if made.get_vocab_size() != len(tokens):
        raise SystemExit(f"The tokenizer has {made.get_vocab_size()} tokens, the model {len(tokens)}.")
    return made


def main() -> None:
    """Convert the file named first into the folder named second."""
    source, folder = sys.argv[1], Path(sys.argv[2])
    reader = GGUFReader(source)
    fields = Fields(reader)
    if fields.architecture != "gemma3":
        raise SystemExit(f"The GGUF file is of architecture '{fields.architecture}', not gemma3.")
    print("tokenizer", flush=True)
    tokenizer(fields).save(str(folder / "tokenizer.json"))
    settings = tokenizer_config(fields)
    # ONNX Runtime GenAI goes by the class: under the generic one it takes any BPE for a byte-level one.
    settings |= {"tokenizer_class": "GemmaTokenizer", "chat_template": settings["chat_template"] or NO_CHAT}
    write_json(folder / "tokenizer_config.json", settings)
    print("weights", flush=True)
    tensors = weights(reader)
    write_model(folder, config(fields, tied="lm_head.weight" not in tensors), tensors)


if __name__ == "__main__":
    main()
