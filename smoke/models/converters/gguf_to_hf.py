"""Turns a GGUF file of the llama architecture into a Hugging Face folder: float32 weights, config, right tokenizer.

Stand-alone: started as `python gguf_to_hf.py FILE.gguf FOLDER` in an environment with gguf, numpy, safetensors and
tokenizers. transformers can read GGUF too, but makes a wrong tokenizer of it (more tokens than the model has, a BOS
added, digits not split) and takes ten times as long; here the tokenizer is rebuilt from the file's own fields.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFReader
from gguf.quants import dequantize
from hf_folder import (  # type: ignore[import-not-found]  # it lies beside this script, which is started by its path
    write_json,
    write_model,
)
from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE

CONTROL, USER_DEFINED = 3, 4
"""GGUF token types that are matched as a whole, before byte-pair encoding; control tokens are 'special'."""

BLOCK = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
TOP = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}


class Fields:
    """The key-value part of a GGUF file."""

    def __init__(self, reader: GGUFReader) -> None:
        self._fields = reader.fields
        self.architecture = self("general.architecture")

    def __call__(self, name: str, default: Any = None) -> Any:
        """Return a value by its full name."""
        field = self._fields.get(name)
        return default if field is None else field.contents()

    def model(self, name: str, default: Any = None) -> Any:
        """Return a value of the model's architecture ("block_count")."""
        value = self(f"{self.architecture}.{name}", default)
        if value is None:
            raise SystemExit(f"The GGUF file has no {self.architecture}.{name}.")
        return value


def hf_name(name: str) -> str:
    """Return the Hugging Face name of a GGUF tensor: blk.3.attn_q.weight is model.layers.3.self_attn.q_proj.weight."""
    parts = name.split(".")
    if parts[0] == "blk" and parts[2] in BLOCK:
        return f"model.layers.{parts[1]}.{BLOCK[parts[2]]}.{parts[3]}"
    if parts[0] in TOP:
        return f"{TOP[parts[0]]}.{parts[1]}"
    raise SystemExit(f"The GGUF tensor {name} has no counterpart in the llama architecture.")


def unpermute(weight: np.ndarray, heads: int) -> np.ndarray:
    """Undo llama.cpp's interleaving of the rotary halves: rows (head, half, 2) become (head, 2, half)."""
    rows = weight.shape[0]
    halves = weight.reshape(heads, rows // heads // 2, 2, *weight.shape[1:])
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(weight.shape))


def weights(reader: GGUFReader, fields: Fields) -> dict[str, np.ndarray]:
    """Return the tensors by Hugging Face name, as float32."""
    heads = {"attn_q": fields.model("attention.head_count"), "attn_k": fields.model("attention.head_count_kv")}
    tensors = {}
    for tensor in reader.tensors:
        if tensor.name == "rope_freqs.weight":
            continue  # derived from the configuration
        value = dequantize(tensor.data, tensor.tensor_type).astype(np.float32, copy=False)
        value = value.reshape([int(n) for n in reversed(tensor.shape)])
        part = tensor.name.split(".")[2] if tensor.name.startswith("blk.") else ""
        if part in heads:
            value = unpermute(value, heads[part])
        tensors[hf_name(tensor.name)] = value
    return tensors


def config(fields: Fields, *, tied: bool) -> dict[str, Any]:
    """Return config.json for transformers' LlamaForCausalLM."""
    heads = fields.model("attention.head_count")
    hidden = fields.model("embedding_length")
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": fields("tokenizer.ggml.bos_token_id"),
        "eos_token_id": fields("tokenizer.ggml.eos_token_id"),
        "pad_token_id": fields("tokenizer.ggml.padding_token_id"),
        "head_dim": fields.model("rope.dimension_count", hidden // heads),
        "hidden_act": "silu",
        "hidden_size": hidden,
        "initializer_range": 0.02,
        "intermediate_size": fields.model("feed_forward_length"),
        "max_position_embeddings": fields.model("context_length"),
        "mlp_bias": False,
        "num_attention_heads": heads,
        "num_hidden_layers": fields.model("block_count"),
        "num_key_value_heads": fields.model("attention.head_count_kv", heads),
        # stored as float32: 9.999999747e-06 was written as 1e-05
        "rms_norm_eps": float(f"{fields.model('attention.layer_norm_rms_epsilon'):.6g}"),
        "rope_scaling": None,
        "rope_theta": float(fields.model("rope.freq_base", 10000.0)),
        "tie_word_embeddings": tied,
        "torch_dtype": "float32",
        "use_cache": True,
        "vocab_size": len(fields("tokenizer.ggml.tokens")),
    }


def pre_tokenizer(kind: str) -> pre_tokenizers.PreTokenizer:
    """Return how the text is cut before byte-pair encoding, by GGUF's name for it."""
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    if kind == "smollm":
        return pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level])
    if kind in ("gpt-2", "default"):
        return byte_level
    raise SystemExit(f"The GGUF file's pre-tokenizer '{kind}' is not known here (smollm and gpt-2 are).")


def tokenizer(fields: Fields) -> Tokenizer:
    """Return the tokenizer: byte-level BPE with the file's tokens, merges and special tokens, and nothing added."""
    if fields("tokenizer.ggml.model") != "gpt2":
        raise SystemExit(f"The GGUF file's tokenizer is '{fields('tokenizer.ggml.model')}', not byte-level BPE.")
    tokens = fields("tokenizer.ggml.tokens")
    merges = [tuple(merge.split(" ", 1)) for merge in fields("tokenizer.ggml.merges")]
    made = Tokenizer(BPE({token: i for i, token in enumerate(tokens)}, merges))
    made.pre_tokenizer = pre_tokenizer(fields("tokenizer.ggml.pre"))
    made.decoder = decoders.ByteLevel()
    kinds = fields("tokenizer.ggml.token_type")
    whole = [(token, kind) for token, kind in zip(tokens, kinds, strict=True) if kind in (CONTROL, USER_DEFINED)]
    made.add_tokens([AddedToken(t, special=k == CONTROL, normalized=False) for t, k in whole])
    if made.get_vocab_size() != len(tokens):
        raise SystemExit(f"The tokenizer has {made.get_vocab_size()} tokens, the model {len(tokens)}.")
    return made


def tokenizer_config(fields: Fields) -> dict[str, Any]:
    """Return tokenizer_config.json. The generic class uses tokenizer.json as it is; GPT2Tokenizer would rebuild it."""
    tokens = fields("tokenizer.ggml.tokens")
    named = {"bos_token": "bos", "eos_token": "eos", "unk_token": "unknown", "pad_token": "padding"}
    ids = {key: fields(f"tokenizer.ggml.{name}_token_id") for key, name in named.items()}
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "add_bos_token": bool(fields("tokenizer.ggml.add_bos_token", default=False)),
        "add_prefix_space": bool(fields("tokenizer.ggml.add_space_prefix", default=False)),
        "clean_up_tokenization_spaces": False,
        "model_max_length": fields.model("context_length"),
        **{key: tokens[i] for key, i in ids.items() if i is not None},
        "chat_template": fields("tokenizer.chat_template"),
    }


def main() -> None:
    """Convert the file named first into the folder named second."""
    source, folder = sys.argv[1], Path(sys.argv[2])
    reader = GGUFReader(source)
    fields = Fields(reader)
    if fields.architecture != "llama":
        raise SystemExit(f"The GGUF file is of architecture '{fields.architecture}', not llama.")
    print("tokenizer", flush=True)
    tokenizer(fields).save(str(folder / "tokenizer.json"))
    write_json(folder / "tokenizer_config.json", tokenizer_config(fields))
    print("weights", flush=True)
    tensors = weights(reader, fields)
    write_model(folder, config(fields, tied="lm_head.weight" not in tensors), tensors)


if __name__ == "__main__":
    main()
