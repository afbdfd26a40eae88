"""Small GGUF files for tests, written by the format's own rules: random weights of an architecture's layout."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

HIDDEN, HEADS, KEY_HEADS, HEAD, INNER, LAYERS = 32, 4, 2, 8, 64, 2
CONTROL, NORMAL, BYTE = 3, 1, 6
SPACE = "\u2581"
TOKENS = ["<s>", "<e>", "a", "b", "ab", "1", "2", "12"]
PIECES: list[tuple[str, float, int]] = [
    ("<unk>", -1000.0, 2),
    ("<s>", -1000.0, CONTROL),
    ("</s>", -1000.0, CONTROL),
    ("<|endoftext|>", -1000.0, CONTROL),
    ("<|end|>", -1000.0, CONTROL),
    *((f"<0x{byte:02X}>", -1000.0, BYTE) for byte in range(256)),
    *((t, -float(n), NORMAL) for n, t in enumerate(["th", "the", f"{SPACE}c", f"{SPACE}the", "at", f"{SPACE}cat"])),
    *((token, -100.0 - n, NORMAL) for n, token in enumerate([*"theca", SPACE])),
]  # fmt: skip
"""As SentencePiece has them: a token, its score, its kind."""
_KINDS = {bool: 7, int: 4, float: 6, str: 8}


class Exactly:
    """A value of one of GGUF's types by number."""

    def __init__(self, kind: int, content: bytes) -> None:
        self.kind, self.content = kind, content


def _text(value: str) -> bytes:
    content = value.encode()
    return struct.pack("<Q", len(content)) + content


def _scalar(value: Any) -> bytes:
    if isinstance(value, str):
        return _text(value)
    return struct.pack({bool: "<?", int: "<i" if value < 0 else "<I", float: "<f"}[type(value)], value)


def value(given: Any) -> bytes:
    """Return a value with its type in front."""
    if isinstance(given, Exactly):
        return struct.pack("<I", given.kind) + given.content
    if isinstance(given, list):
        kind = _KINDS[type(given[0])] if given else 4
        return struct.pack("<IIQ", 9, kind, len(given)) + b"".join(map(_scalar, given))
    return struct.pack("<I", 5 if type(given) is int and given < 0 else _KINDS[type(given)]) + _scalar(given)


def write(path: Path, keys: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> Path:
    """Write a file of float32 tensors."""
    header = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys))
    header += b"".join(_text(name) + value(given) for name, given in keys.items())
    offset, blocks = 0, []
    for name, array in tensors.items():
        shape = array.shape[::-1]
        header += _text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, offset)
        block = array.astype("<f4").tobytes()
        blocks.append(block + bytes(-len(block) % 32))
        offset += len(blocks[-1])
    path.write_bytes(header + bytes(-len(header) % 32) + b"".join(blocks))
    return path


def head_width(architecture: str) -> int:
    """Return the width of a head; transformers takes that of its classes, whatever a GGUF file says."""
    return {"gemma3": 256, "qwen3": 128}.get(architecture, HEAD)


def keys(architecture: str = "llama", **changes: Any) -> dict[str, Any]:
    """Return the keys of a model; `changes` are of the architecture (dots as "__"), None takes one away."""
    head = head_width(architecture)
    own = {
        "block_count": LAYERS,
        "context_length": 64,
        "embedding_length": HIDDEN,
        "feed_forward_length": INNER,
        "attention.head_count": HEADS,
        "attention.head_count_kv": KEY_HEADS,
        "attention.layer_norm_rms_epsilon": 1e-5,
        "rope.freq_base": 10000.0,
        "rope.dimension_count": head,
        **({"attention.key_length": head, "attention.value_length": head} if architecture != "phi3" else {}),
        **({"attention.sliding_window": 16} if architecture == "gemma3" else {}),
        **{name.replace("__", "."): given for name, given in changes.items()},
    }
    general = {"general.architecture": architecture, "general.name": "a test", "general.file_type": 0}
    return (
        general
        | {f"{architecture}.{name}": given for name, given in own.items() if given is not None}
        | _words(architecture)
    )


def _words(architecture: str) -> dict[str, Any]:
    if architecture == "gemma3":
        return sentencepiece() | {"tokenizer.ggml.add_space_prefix": False}
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "qwen2" if architecture.startswith("qwen") else "smollm",
        "tokenizer.ggml.tokens": TOKENS,
        "tokenizer.ggml.token_type": [CONTROL if token.startswith("<") else NORMAL for token in TOKENS],
        "tokenizer.ggml.merges": ["a b", "1 2"],
        "tokenizer.ggml.bos_token_id": 0,
        "tokenizer.ggml.eos_token_id": 1,
        "tokenizer.ggml.padding_token_id": 0,
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.chat_template": "{{ messages[0]['content'] }}",
    }


def sentencepiece() -> dict[str, Any]:
    """Return the keys of a SentencePiece tokenizer."""
    return {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.pre": "default",
        "tokenizer.ggml.tokens": [token for token, _, _ in PIECES],
        "tokenizer.ggml.scores": [score for _, score, _ in PIECES],
        "tokenizer.ggml.token_type": [kind for _, _, kind in PIECES],
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.ggml.padding_token_id": 2,
        "tokenizer.ggml.add_bos_token": True,
    }


def tensors(described: Mapping[str, Any], *, untied: bool = True, seed: int = 7) -> dict[str, np.ndarray]:
    """Return random weights in the layout of an architecture, as llama.cpp names them."""
    architecture = described["general.architecture"]
    count = len(described["tokenizer.ggml.tokens"])
    shapes: dict[str, tuple[int, ...]] = {"token_embd.weight": (count, HIDDEN), "output_norm.weight": (HIDDEN,)}
    if untied:
        shapes["output.weight"] = (count, HIDDEN)
    for layer in range(LAYERS):
        shapes |= {f"blk.{layer}.{name}": shape for name, shape in _block(architecture).items()}
    draw = np.random.default_rng(seed)
    return {
        name: (draw.standard_normal(shape) / np.sqrt(shape[-1])).astype(np.float32) for name, shape in shapes.items()
    }


def _block(architecture: str) -> dict[str, tuple[int, ...]]:
    head = head_width(architecture)
    query, key = HEADS * head, KEY_HEADS * head
    shapes: dict[str, tuple[int, ...]] = {
        "attn_norm.weight": (HIDDEN,),
        "ffn_norm.weight": (HIDDEN,),
        "attn_output.weight": (HIDDEN, query),
        "ffn_down.weight": (HIDDEN, INNER),
    }
    if architecture == "phi3":
        return shapes | {"attn_qkv.weight": (query + 2 * key, HIDDEN), "ffn_up.weight": (2 * INNER, HIDDEN)}
    rows = {"attn_q": query, "attn_k": key, "attn_v": key}
    shapes |= {
        f"{name}.weight": (count, HIDDEN) for name, count in {**rows, "ffn_gate": INNER, "ffn_up": INNER}.items()
    }
    if architecture == "qwen2":
        shapes |= {f"{name}.bias": (count,) for name, count in rows.items()}
    if architecture in ("qwen3", "gemma3"):
        shapes |= {"attn_q_norm.weight": (head,), "attn_k_norm.weight": (head,)}
    if architecture == "gemma3":
        shapes |= {"post_attention_norm.weight": (HIDDEN,), "post_ffw_norm.weight": (HIDDEN,)}
    return shapes


def build(path: Path, architecture: str = "llama", **changes: Any) -> Path:
    """Write a whole, healthy file and return its path."""
    described = keys(architecture, **changes)
    return write(path, described, tensors(described, untied=architecture != "gemma3"))
