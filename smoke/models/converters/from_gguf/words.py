"""What a GGUF file says about its tokenizer, held against what can be rebuilt from it."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from .fields import Fields, RefusedError

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
"""GGUF's kinds of tokens. Control and user-defined ones are matched as a whole; control tokens are 'special'."""

_LETTERS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
PATTERNS = {
    "qwen2": _LETTERS + r"\p{N}" + _REST,
    "llama-bpe": _LETTERS + r"\p{N}{1,3}" + _REST,
    "smollm": "",
    "gpt-2": "",
    "default": "",
}
"""How text is cut before byte-pair encoding, by GGUF's name for it; "": by GPT-2's rule (smollm: digits apart)."""
WHOLE_WORDS, COMPOSED = "llama-bpe", "qwen2"
"""Where a piece that is a token is taken before any merge, and BOS is put in front; where texts become NFC."""
_NEVER = ("add_eos_token", "add_sep_token", "remove_extra_whitespaces")
"""Flags that would change the ids of a text in a way that is not rebuilt here."""


@dataclass(frozen=True)
class Words:
    """A tokenizer: `kind` "gpt2" (byte-level, with merges) or "llama" (SentencePiece, with scores)."""

    kind: str
    cut: str
    tokens: tuple[str, ...]
    types: tuple[int, ...]
    merges: tuple[tuple[str, str], ...]
    scores: tuple[float, ...]
    special: dict[str, int]
    add_bos: bool
    add_prefix: bool
    """Whether a space is put in front of every piece of text (SentencePiece)."""
    template: str


def of(fields: Fields, kinds: Collection[str]) -> Words:
    """Return the tokenizer of a file. Raise RefusedError when it is of another kind than `kinds`, or contradictory."""
    kind = fields("tokenizer.ggml.model")
    if not isinstance(kind, str) or kind not in kinds:
        meant = {"gpt2": "byte-level BPE", "llama": "SentencePiece"}
        wanted = " or ".join(meant[known] for known in kinds)
        raise RefusedError(f"Its tokenizer is {kind!r:.40}, not {wanted}")
    tokens = fields.texts("tokenizer.ggml.tokens")
    if len(set(tokens)) != len(tokens):
        raise RefusedError("tokenizer.ggml.tokens has a token twice")
    if fields("tokenizer.ggml.precompiled_charsmap"):
        raise RefusedError("tokenizer.ggml.precompiled_charsmap normalises texts in a way that is not rebuilt here")
    cut = _cut(fields, kind)
    add_prefix = fields.flag("tokenizer.ggml.add_space_prefix", default=kind == "llama")
    if kind == "gpt2" and add_prefix:
        raise RefusedError("tokenizer.ggml.add_space_prefix is true, which is not rebuilt here for byte-level BPE")
    types = _numbers(fields, "tokenizer.ggml.token_type", len(tokens), int)
    scores = _numbers(fields, "tokenizer.ggml.scores", len(tokens), float) if kind == "llama" else ()
    fields.seen.add("tokenizer.ggml.scores")
    ids = {role: fields.token(role, len(tokens)) for role in ("bos", "eos", "unknown", "padding")}
    if kind == "llama" and ids["unknown"] is None:
        raise RefusedError("It has no tokenizer.ggml.unknown_token_id")
    template = fields("tokenizer.chat_template", "")
    if not isinstance(template, str):
        raise RefusedError("tokenizer.chat_template is not a text")
    return Words(
        kind=kind,
        cut=cut,
        tokens=tuple(tokens),
        types=types,
        merges=_merges(fields, set(tokens)) if kind == "gpt2" else (),
        scores=scores,
        special={role: number for role, number in ids.items() if number is not None},
        add_bos=fields.flag("tokenizer.ggml.add_bos_token", default=kind == "llama" or cut == WHOLE_WORDS),
        add_prefix=add_prefix,
        template=template,
    )


def _cut(fields: Fields, kind: str) -> str:
    for name in _NEVER:
        if fields.flag(f"tokenizer.ggml.{name}", default=False):
            raise RefusedError(f"tokenizer.ggml.{name} is true, which is not rebuilt here")
    cut = fields("tokenizer.ggml.pre", "default")
    if kind == "gpt2" and (not isinstance(cut, str) or cut not in PATTERNS):
        raise RefusedError(f"Its pre-tokenizer {cut!r:.40} is not known here ({', '.join(sorted(PATTERNS))} are)")
    return str(cut)


def _numbers(fields: Fields, name: str, length: int, kind: type) -> tuple[Any, ...]:
    value = fields(name)
    if not isinstance(value, list) or len(value) != length:
        raise RefusedError(f"{name} is not a list of {length} numbers")
    if not all(isinstance(n, int | float) and type(n) is kind and math.isfinite(n) for n in value):
        raise RefusedError(f"{name} is not a list of {length} numbers")
    return tuple(value)


def _merges(fields: Fields, tokens: set[str]) -> tuple[tuple[str, str], ...]:
    found = []
    for merge in fields.texts("tokenizer.ggml.merges"):
        left, _, right = merge.partition(" ")
        if not {left, right, left + right} <= tokens:
            raise RefusedError(f"tokenizer.ggml.merges has {merge!r:.60}, which are not three of its tokens")
        found.append((left, right))
    return tuple(found)


def settings(words: Words, tokenizer_class: str, context: int, template: str) -> dict[str, Any]:
    """Return tokenizer_config.json; `template` is the chat template where the file has none.

    The generic class uses tokenizer.json as it is; GPT2Tokenizer would rebuild it.
    """
    named = {"bos_token": "bos", "eos_token": "eos", "unk_token": "unknown", "pad_token": "padding"}
    return {
        "tokenizer_class": tokenizer_class,
        "add_bos_token": words.add_bos,
        "add_prefix_space": words.add_prefix,
        "clean_up_tokenization_spaces": False,
        "model_max_length": context,
        **{key: words.tokens[words.special[role]] for key, role in named.items() if role in words.special},
        "chat_template": words.template or template or None,
    }
