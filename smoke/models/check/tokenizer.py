"""What the tokenizer's files say: how many tokens, what is put in front of a text, whether there is a chat template."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from smoke.models.check import foreign
from smoke.models.check.template import require_template, templates
from smoke.models.check.values import Values, read, shown
from wheelhouse.errors import InputError

FILE = "tokenizer.json"
CONFIG = "tokenizer_config.json"
_BYTES, _FIXED, _PER_TOKEN = 100_000_000, 8_000_000, 400
"""Several times what the largest tokenizers that are published have: 33 MB in all, 130 bytes for each token."""
_SAVE = "Save the model's fast tokenizer beside it: AutoTokenizer.from_pretrained(…).save_pretrained(folder)."


class _Added(Struct, frozen=True):
    id: int
    content: str


class _Model(Struct, frozen=True):
    vocab: dict[str, int] | list[tuple[str, float]]
    type: Literal["BPE", "Unigram", "WordPiece", "WordLevel"] | None = None


class _Pairs(Struct, frozen=True):
    vocab: dict[str, int] | list[tuple[str, float]]
    merges: list[str | tuple[str, str]] | None = None
    continuing_subword_prefix: str | None = None


class _Merged(Struct, frozen=True):
    model: _Pairs


class _File(Struct, frozen=True):
    model: _Model
    added_tokens: tuple[_Added, ...] | None = None
    post_processor: msgspec.Raw = msgspec.Raw(b"null")


class Tokenizer(Struct, frozen=True, kw_only=True):
    """A tokenizer, as its files describe it."""

    tokens: int
    """The ids run from 0 to below this, the added tokens included."""
    largest: int
    """The largest id of an ordinary token."""
    begin: str
    template_size: int
    """Bytes of the chat template, 0 where there is none."""
    own_code: dict[str, str]


def load(folder: Path, vocabulary: int) -> Tokenizer:
    """Return the tokenizer of a folder. Raise InputError when it is missing, slow only, damaged or another file.

    `vocabulary`: how many tokens the model has; the file of a far larger one is not read.
    """
    path = folder / FILE
    if not path.is_file():
        if (link := foreign.dangling(path)) is not None:
            raise link
        slow = next((name for name in ("tokenizer.model", "vocab.json") if (folder / name).is_file()), None)
        has = f" (it has {slow}, that of the slow tokenizer)" if slow else ""
        raise InputError(f"{folder} has no {FILE}{has}.", remedy=_SAVE)
    config = read(folder / CONFIG, _SAVE)
    file = _decode(path, min(_BYTES, _FIXED + _PER_TOKEN * vocabulary))
    vocab = file.model.vocab
    ordinary = max(vocab.values(), default=-1) if isinstance(vocab, dict) else len(vocab) - 1
    if isinstance(vocab, dict) and len(set(vocab.values())) != len(vocab):
        raise InputError(f"{path} is damaged: it has two tokens with the same id.", remedy=_SAVE)
    added = {token.id: token.content for token in file.added_tokens or ()}
    if min([*added, *(vocab.values() if isinstance(vocab, dict) else ())], default=0) < 0:
        raise InputError(f"{path} is damaged: it has a token with an id below 0.", remedy=_SAVE)
    largest = max(ordinary, *added) if added else ordinary
    return Tokenizer(
        tokens=largest + 1,
        largest=ordinary,
        begin=_begin(file, config, added),
        template_size=_template_size(folder, config),
        own_code=own_code(config),
    )


def _decode(path: Path, most: int) -> _File:
    stranger = foreign.form(path)
    if stranger is not None:
        raise InputError(f"{path} {stranger.what}.", remedy=stranger.remedy)
    try:
        size = path.stat().st_size
        if size > most:
            raise InputError(f"{path} is not this model's tokenizer: it has {size} bytes.", remedy=_SAVE)
        return msgspec.json.decode(path.read_bytes(), type=_File)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path} is damaged: {error}.", remedy=_SAVE) from error


def require_sound(folder: Path) -> None:
    """Raise InputError when a merge is not of three of the tokens: the tokenizer could not be loaded.

    Looks at every merge, which is worth doing once for each model.
    """
    path = folder / FILE
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_Merged).model
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path} is damaged: {error}.", remedy=_SAVE) from error
    prefix, vocab = found.continuing_subword_prefix or "", found.vocab
    for merge in found.merges or ():
        left, _, right = merge.partition(" ") if isinstance(merge, str) else (merge[0], "", merge[1])
        if left not in vocab or right not in vocab or left + right.removeprefix(prefix) not in vocab:
            raise InputError(
                f"{path} is damaged: it merges {shown(left)} and {shown(right)}, which are not tokens of it, or come "
                "to none.",
                remedy=_SAVE,
            )


def _begin(file: _File, config: Values, added: dict[int, str]) -> str:
    """Return the special tokens that the tokenizer's own post-processor puts in front of a text, written out."""
    try:
        processor: Any = msgspec.json.decode(file.post_processor)
    except (msgspec.MsgspecError, RecursionError):
        return ""
    steps = processor.get("processors", [processor]) if isinstance(processor, dict) else []
    begin = ""
    for step in steps if isinstance(steps, list) else []:
        if not isinstance(step, dict) or step.get("type") != "TemplateProcessing":
            continue
        for piece in step.get("single") or []:
            token = piece.get("SpecialToken") if isinstance(piece, dict) else None
            if not isinstance(token, dict):
                break
            begin += str(token.get("id", ""))
    named = config.content.get("bos_token")
    bos = named.get("content") if isinstance(named, dict) else named
    if not begin and config.content.get("add_bos_token") is True and isinstance(bos, str) and bos in added.values():
        return bos
    return begin


def _template_size(folder: Path, config: Values) -> int:
    found = templates(folder, config)
    for text, where in found:
        require_template(text, where)
    return max((len(text.encode("utf-8", "replace")) for text, _ in found), default=0)


def own_code(config: Values) -> dict[str, str]:
    """Return what a configuration's auto_map names, as "what: where"."""
    part = config.part("auto_map")
    if part is None:
        return {}
    found = {}
    for name, value in part.content.items():
        wheres = [where for where in (value if isinstance(value, list) else [value]) if where is not None]
        if not all(isinstance(where, str) for where in wheres):
            raise part.refusal(name, "not the name of a class")
        found[name] = ", ".join(wheres)
    return found
