"""What the norms are measured on: texts of full length, chats, and many different first tokens.

The largest rows sit where attention has nothing to attend to, above all at the first position, which depends on the
first token alone. So besides texts, a batch of single tokens is run: every special one, and others spread over the
vocabulary.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .sessions import Decoder, UnusableModelError

FULL_LENGTH = 1024
"""Tokens of the longest text, where the model's context allows it."""
CHAT_LENGTH = 160
SINGLE_TOKENS = 1024
"""All of a vocabulary would take minutes: norms that overflow do so at many first tokens, if at not all."""

SEPARATOR = "%%\n"
"""Between the texts in calibration.txt: prose, code, data and markup, several scripts, mathematics and white space."""


def texts() -> list[str]:
    """Return the calibration texts."""
    return Path(__file__).with_name("calibration.txt").read_text(encoding="utf-8").split(SEPARATOR)


def calibration(folder: Path, decoder: Decoder, asked: Sequence[str] = ()) -> tuple[list[NDArray[np.int64]], bool]:
    """Return the batches of token ids to run, and whether the model's chat template could be applied.

    `asked` are questions to measure, too, each as it is and in the model's chat format. The last batch is single
    tokens. Raise UnusableModelError when the folder has no tokenizer.json that can be read.
    """
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # the library raises nothing narrower
        raise UnusableModelError(f"its tokenizer.json cannot be read: {error}") from error

    def encode(text: str, *, special: bool = True) -> list[int]:
        ids: list[int] = tokenizer.encode(text, add_special_tokens=special).ids
        return ids

    length = min(FULL_LENGTH, decoder.context_length or FULL_LENGTH)
    chats = _chats(folder, asked)
    encoded = [_of_length(encode, "".join(texts()), length)]
    short = min(CHAT_LENGTH, length)
    encoded += [encode(chat, special=False)[:short] for chat in chats]
    encoded += [encode(text)[:short] for text in texts()]
    encoded += [encode(text)[:length] for text in asked]
    batches = [np.array([ids], np.int64) for ids in encoded if ids]
    vocabulary = decoder.vocabulary or tokenizer.get_vocab_size()
    special = [int(index) for index, token in tokenizer.get_added_tokens_decoder().items() if token.special]
    batches.append(single_tokens(special, vocabulary))
    return batches, bool(chats)


def single_tokens(special: list[int], vocabulary: int) -> NDArray[np.int64]:
    """Return up to SINGLE_TOKENS different tokens, of shape (tokens, 1): special ones first, then evenly spread."""
    spread = np.linspace(0, vocabulary - 1, SINGLE_TOKENS).astype(np.int64).tolist()
    chosen = list(dict.fromkeys([*(i for i in special if 0 <= i < vocabulary), *spread]))
    return np.array(chosen[:SINGLE_TOKENS], np.int64)[:, None]


def _of_length(encode: Callable[[str], list[int]], text: str, length: int) -> list[int]:
    """Return exactly `length` tokens: the text, over and over."""
    once = max(1, len(encode(text)))
    return encode(text * (length // once + 2))[:length]


def _chats(folder: Path, asked: Sequence[str]) -> list[str]:
    """Return questions in the model's own chat format; none where its template is missing or wants more than this."""
    template, names = _chat_template(folder)
    if template is None:
        return []
    import jinja2
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def refuse(message: str) -> None:
        raise jinja2.TemplateError(message)

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.globals["raise_exception"] = refuse
    try:
        compiled = environment.from_string(template)
        return [
            compiled.render(messages=[{"role": "user", "content": question}], add_generation_prompt=True, **names)
            for question in (
                "What is the capital of France?",
                *(f"Explain this:\n\n{text}" for text in texts()[:2]),
                *asked,
            )
        ]
    except (jinja2.TemplateError, TypeError, ValueError, KeyError):
        return []


def _chat_template(folder: Path) -> tuple[str | None, dict[str, str]]:
    """Return the folder's chat template and the special tokens' names that it may use."""
    try:
        config: dict[str, Any] = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        config = {}
    names = {}
    for key in ("bos_token", "eos_token", "pad_token", "unk_token"):
        token = config.get(key)
        names[key] = str(token.get("content", "")) if isinstance(token, dict) else str(token or "")
    try:
        return (folder / "chat_template.jinja").read_text(encoding="utf-8"), names
    except OSError:
        template = config.get("chat_template")
        return template if isinstance(template, str) else None, names
