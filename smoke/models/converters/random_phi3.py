"""Makes a small Phi-3 with random weights, and a byte-pair tokenizer trained on a few paragraphs, from a seed.

Stand-alone: started as `python random_phi3.py SETTINGS-JSON FOLDER` in an environment with numpy, safetensors and
tokenizers. Purely random weights make nearly equal logits, so that rounding decides which token is the best. Here the
output layer knows a successor for every token (see `successors`), and everything else is random.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from hf_folder import (  # type: ignore[import-not-found]  # it lies beside this script, which is started by its path
    write_json,
    write_model,
)
from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer

SPECIAL = ["<unk>", "<s>", "</s>", "<|endoftext|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]
UNK, BOS, EOS, PAD, END = (SPECIAL.index(t) for t in ("<unk>", "<s>", "<|endoftext|>", "<|endoftext|>", "<|end|>"))
SWALLOW = ("</s>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>")
"""Tokens of the real Phi-3 that take the white space behind them along (`rstrip`)."""
ENDS = ("<|endoftext|>", "<|assistant|>", "<|end|>")
"""What the real Phi-3's generation_config.json lists as ends of an answer."""

CORPUS = [
    "A tokenizer learns from text: it counts pairs of bytes, joins the most frequent pair, and counts again.",
    "The quick brown fox jumps over the lazy dog, and the dog, being lazy, lets the fox jump as it likes.",
    "What is the capital of France? Paris. And of Italy? Rome. Of Germany? Berlin. Of Spain? Madrid.",
    "def add(a, b):\n    return a + b\n\nfor number in range(10):\n    print(number, add(number, 1))\n",
    "In 2026 there were 365 days, 52 weeks and 1 day; 1234567890 holds every digit once, as does 9876543210.",
    "You are a helpful assistant. Write a short poem about the sea, the wind, and the sailors' long way home.",
]

CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>\n' + message['content'] + '<|end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)


def phi3_template() -> str:
    """Return the chat template of the real Phi-3: a branch for every role, and the end token where nothing follows."""
    turn = "{{'<|ROLE|>\n' + message['content'] + '<|end|>\n'}}"
    roles = ("system", "user", "assistant")
    branches = [f"message['role'] == '{role}' %}}{turn.replace('ROLE', role)}" for role in roles]
    end = "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
    return f"{{% for message in messages %}}{{% if {'{% elif '.join(branches)}{{% endif %}}{{% endfor %}}{end}"


def weights(settings: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return float32 tensors by Hugging Face name; each matrix has rows of about the norm `gain`."""
    draw = np.random.Generator(np.random.PCG64(settings["seed"]))
    hidden, inner, gain = settings["hidden"], settings["intermediate"], settings["gain"]

    def matrix(rows: int, columns: int) -> np.ndarray:
        spread = float(gain / np.sqrt(columns))
        return np.asarray(draw.standard_normal((rows, columns)) * spread, dtype=np.float32)

    ones = np.ones(hidden, dtype=np.float32)
    tensors = {"model.embed_tokens.weight": draw.standard_normal((settings["vocabulary"], hidden)).astype(np.float32)}
    for layer in range(settings["layers"]):
        prefix = f"model.layers.{layer}"
        tensors |= {
            f"{prefix}.input_layernorm.weight": ones.copy(),
            f"{prefix}.self_attn.qkv_proj.weight": matrix(3 * hidden, hidden),
            f"{prefix}.self_attn.o_proj.weight": matrix(hidden, hidden),
            f"{prefix}.post_attention_layernorm.weight": ones.copy(),
            f"{prefix}.mlp.gate_up_proj.weight": matrix(2 * inner, hidden),
            f"{prefix}.mlp.down_proj.weight": matrix(hidden, inner),
        }
    tensors["model.norm.weight"] = ones.copy()
    tensors["lm_head.weight"] = successors(draw, tensors["model.embed_tokens.weight"], settings["sharpness"])
    return tensors


def successors(draw: np.random.Generator, embeddings: np.ndarray, sharpness: float) -> np.ndarray:
    """Return the output layer, (vocabulary, hidden): each token's row points at the embedding of the token before it.

    The order is one random cycle through all ordinary tokens, so a continuation neither repeats itself nor ends. What
    attention and the other layers add to the embedding moves every logit, but rarely the best token: rounding to half
    precision never does, and four-bit weights seldom.
    """
    order = draw.permutation(np.arange(len(SPECIAL), len(embeddings)))
    # Special tokens are never the best; not zero, for a block of zeros has no scale to quantise it by.
    rows = draw.standard_normal(embeddings.shape) * (0.1 / np.sqrt(embeddings.shape[1]))
    before = embeddings[order]
    rows[np.roll(order, -1)] = before / np.linalg.norm(before, axis=1, keepdims=True)
    return np.asarray(rows * sharpness, dtype=np.float32)


def config(settings: dict[str, Any]) -> dict[str, Any]:
    """Return config.json as transformers 4 wrote it: rope at top level, where every converter still finds it.

    transformers 5 writes `rope_parameters` instead, which the GenAI model builder does not understand.
    """
    return {
        "architectures": ["Phi3ForCausalLM"],
        "model_type": "phi3",
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": BOS,
        "embd_pdrop": 0.0,
        "eos_token_id": EOS,
        "hidden_act": "silu",
        "hidden_size": settings["hidden"],
        "initializer_range": 0.02,
        "intermediate_size": settings["intermediate"],
        "max_position_embeddings": settings["positions"],
        "num_attention_heads": settings["heads"],
        "num_hidden_layers": settings["layers"],
        "num_key_value_heads": settings["heads"],
        "original_max_position_embeddings": settings.get("original_positions") or settings["positions"],
        "pad_token_id": PAD,
        "resid_pdrop": 0.0,
        "rms_norm_eps": 1e-05,
        "rope_scaling": rope_scaling(settings),
        "rope_theta": 10000.0,
        "sliding_window": settings.get("sliding_window"),
        "tie_word_embeddings": False,
        "torch_dtype": "float32",
        "use_cache": True,
        "vocab_size": settings["vocabulary"],
    }


def rope_scaling(settings: dict[str, Any]) -> dict[str, Any] | None:
    """Return longrope's factors as in Phi-3: near 1 for short texts, growing with the wavelength for long ones."""
    original = settings.get("original_positions")
    if not original:
        return None
    pairs = settings["hidden"] // settings["heads"] // 2
    stretch = settings["positions"] / original
    grown = [round(float(stretch ** (i / max(pairs - 1, 1))), 4) for i in range(pairs)]
    return {"type": "longrope", "short_factor": [round(1.0 + 0.01 * i, 4) for i in range(pairs)], "long_factor": grown}


def tokenizer(size: int, *, phi3_chat: bool) -> Tokenizer:
    """Return a byte-level BPE tokenizer of exactly `size` tokens; every text can be written in them.

    With `phi3_chat`, special tokens swallow white space as the real Phi-3's do.
    """
    made = Tokenizer(BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    made.decoder = decoders.ByteLevel()
    swallow = SWALLOW if phi3_chat else ()
    special = [AddedToken(token, special=True, normalized=False, rstrip=token in swallow) for token in SPECIAL]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = BpeTrainer(
        vocab_size=size, min_frequency=1, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator(CORPUS, trainer)
    if made.get_vocab_size() != size:
        raise SystemExit(f"The corpus yields {made.get_vocab_size()} tokens, not {size}.")
    return made


def tokenizer_config(settings: dict[str, Any]) -> dict[str, Any]:
    """Return tokenizer_config.json; the generic class uses tokenizer.json as it is."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "add_bos_token": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": settings["positions"],
        "bos_token": SPECIAL[BOS],
        "eos_token": SPECIAL[EOS],
        "unk_token": SPECIAL[UNK],
        "pad_token": SPECIAL[PAD],
        "chat_template": phi3_template() if settings["phi3_chat"] else CHAT_TEMPLATE,
    }


def main() -> None:
    """Make the model that the settings describe in the folder."""
    settings, folder = json.loads(sys.argv[1]), Path(sys.argv[2])
    tokenizer(settings["vocabulary"], phi3_chat=settings["phi3_chat"]).save(str(folder / "tokenizer.json"))
    write_json(folder / "tokenizer_config.json", tokenizer_config(settings))
    ends = {"eos_token_id": [SPECIAL.index(token) for token in ENDS]} if settings["phi3_chat"] else {}
    write_model(folder, config(settings), weights(settings).items(), ends)


if __name__ == "__main__":
    main()
