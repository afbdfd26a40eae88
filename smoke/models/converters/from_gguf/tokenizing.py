"""Builds the tokenizer of a GGUF file: its own tokens, merges or scores, special tokens, and nothing added."""

from __future__ import annotations

from collections.abc import Callable

from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import BPE

from .words import COMPOSED, CONTROL, PATTERNS, USER_DEFINED, WHOLE_WORDS, Words

SPACE = "\u2581"


def tokenizer(words: Words, swallow: Callable[[str], bool]) -> Tokenizer:
    """Return the tokenizer, with exactly the file's tokens; `swallow`: which control tokens take white space along."""
    whole = [t for t in zip(words.tokens, words.types, strict=True) if t[1] in (CONTROL, USER_DEFINED)]
    made = _byte_level(words) if words.kind == "gpt2" else _sentencepiece(words, {token for token, _ in whole})
    made.add_tokens(
        [
            AddedToken(token, special=kind == CONTROL, normalized=False, rstrip=kind == CONTROL and swallow(token))
            for token, kind in whole
        ]
    )
    if words.add_bos and "bos" in words.special:
        bos = words.special["bos"]
        made.post_processor = processors.TemplateProcessing(
            single=f"{words.tokens[bos]} $A", special_tokens=[(words.tokens[bos], bos)]
        )
    if made.get_vocab_size() != len(words.tokens):
        raise SystemExit(f"The tokenizer has {made.get_vocab_size()} tokens, the model {len(words.tokens)}.")
    return made


def _byte_level(words: Words) -> Tokenizer:
    vocabulary = {token: i for i, token in enumerate(words.tokens)}
    made = Tokenizer(BPE(vocabulary, list(words.merges), ignore_merges=words.cut == WHOLE_WORDS))
    if words.cut == COMPOSED:
        made.normalizer = normalizers.NFC()
    pattern = PATTERNS[words.cut]
    if pattern:
        cut = pre_tokenizers.Split(Regex(pattern), "isolated")
        level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    else:
        cut = pre_tokenizers.Digits(individual_digits=True) if words.cut == "smollm" else None
        level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    made.pre_tokenizer = pre_tokenizers.Sequence([cut, level]) if cut is not None else level
    made.decoder = decoders.ByteLevel()
    return made


def _sentencepiece(words: Words, apart: set[str]) -> Tokenizer:
    """Return SentencePiece's tokens as a byte-pair encoding with byte fallback, as Llama's and Gemma's own."""
    made = Tokenizer(
        BPE(
            {token: number for number, token in enumerate(words.tokens)},
            [pair for pair in merges(words.tokens, words.scores) if "".join(pair) not in apart],
            unk_token=words.tokens[words.special["unknown"]],
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    spaces = normalizers.Replace(" ", SPACE)
    steps = [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    if words.add_prefix:
        made.normalizer = normalizers.Sequence([normalizers.Prepend(SPACE), spaces])
        made.decoder = decoders.Sequence([*steps, decoders.Strip(" ", 1, 0)])
    else:
        made.normalizer = spaces
        made.pre_tokenizer = pre_tokenizers.Split(Regex(" "), "merged_with_previous")
        made.decoder = decoders.Sequence(steps)
    return made


def merges(tokens: tuple[str, ...], scores: tuple[float, ...]) -> list[tuple[str, str]]:
    """Return the merges that SentencePiece's scores amount to: the best token first, of every way to split it."""
    rank = {token: number for number, token in enumerate(tokens)}
    found: list[tuple[float, int, int, str, str]] = []
    for token, score in zip(tokens, scores, strict=True):
        splits = [(token[:cut], token[cut:]) for cut in range(1, len(token))]
        known = [(rank[left], rank[right], left, right) for left, right in splits if left in rank and right in rank]
        found += [(-score, first, second, left, right) for first, second, left, right in known]
    found.sort(key=lambda merge: merge[0])  # stable: within a token in the order of its parts
    return [(left, right) for *_, left, right in found]
