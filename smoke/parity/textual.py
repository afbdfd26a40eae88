"""What runtimes make of texts and conversations: where that is unlike the reference, and what of it is a fault."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

Token = Annotated[int, Meta(ge=0)]

SHOWN = 40
"""Characters of a text that are shown around its first difference."""


class TextMade(Struct, frozen=True, kw_only=True):
    """A text, the reference's token ids of it, and what those are decoded to."""

    text: str
    ids: tuple[Token, ...]
    decoded: str = ""


class ChatMade(Struct, frozen=True, kw_only=True):
    """A conversation as the reference renders it; None, and what it says, where it refuses."""

    name: str
    messages: tuple[dict[str, str], ...]
    plain: bool = False
    rendered: str | None = None
    error: str = ""


class Made(Struct, frozen=True, kw_only=True):
    """What the reference makes of everything that is asked; `added`: the model's added tokens."""

    corpus: tuple[TextMade, ...] = ()
    added: tuple[TextMade, ...] = ()
    chats: tuple[ChatMade, ...] = ()


class Unlike(Struct, frozen=True, kw_only=True):
    """One thing that came out unlike the reference's, or the error that came instead."""

    what: str
    given: str
    expected: str
    got: str = ""
    error: str = ""


class Texts(Struct, frozen=True, kw_only=True):
    """How many things of each kind a runtime was asked for, and those that came out unlike the reference's."""

    looked_at: dict[str, Annotated[int, Meta(ge=0)]] = {}
    unlike: tuple[Unlike, ...] = ()


FAULTS = {
    "answer": "its detokenizer makes {got} of the reference's answer {expected}",
    "stream": "token by token, its detokenizer makes {got} of the reference's answer {expected}",
    "text": "its tokenizer and detokenizer make {got} of the text {expected}",
    "ids": "its detokenizer makes {got} of the ids of {expected}",
    "added token": "its tokenizer takes {given} for text: the ids {got} instead of {expected}",
    "template": "it renders a conversation ({given}) as {got} instead of {expected}",
}
REMARKS = {
    "encode": "its tokenizer makes other ids of {count} of {whole} texts, for instance of {given}",
    "decode": "its detokenizer makes other texts of {count} of {whole}, for instance {got} instead of {expected}",
    "unusual template": "it renders {count} of {whole} unusual conversations otherwise, for instance {given}: {got} "
    "instead of {expected}",
}


def violations(texts: Texts | None) -> list[str]:
    """Return what is wrong with a runtime's text, in words: the first of each kind."""
    found = []
    for what, words in FAULTS.items():
        unlike = _of(texts, what)
        if unlike:
            more = f" (and {len(unlike) - 1} more)" if len(unlike) > 1 else ""
            found.append(_said(words, unlike[0]) + more)
    return found


def remarks(texts: Texts | None) -> list[str]:
    """Return where a runtime is unlike the reference without computing anything wrong, and what it cannot render."""
    found = []
    for what, words in REMARKS.items():
        unlike = _of(texts, what)
        if texts is not None and unlike:
            found.append(_said(words, unlike[0], count=len(unlike), whole=texts.looked_at.get(what, 0)))
    refused = [u for u in texts.unlike if u.error and u.what.endswith("template")] if texts is not None else []
    if refused:
        names = ", ".join(u.given for u in refused)
        found.append(f"its template engine cannot render {len(refused)} conversations ({names}): {refused[0].error}")
    return found


def _of(texts: Texts | None, what: str) -> list[Unlike]:
    """Return what is unlike of one kind. A template that is refused is a lack, not a fault."""
    if texts is None:
        return []
    return [u for u in texts.unlike if u.what == what and not (u.error and what.endswith("template"))]


def _said(words: str, unlike: Unlike, **numbers: int) -> str:
    got, expected = _around(unlike.got or unlike.error, unlike.expected)
    given = unlike.given if unlike.what.endswith("template") else repr(_cut(unlike.given, 0))
    return words.format(given=given, got=repr(got), expected=repr(expected), **numbers)


def _around(got: str, expected: str) -> tuple[str, str]:
    """Return both texts around the place where they part."""
    same = next(
        (k for k, (a, b) in enumerate(zip(got, expected, strict=False)) if a != b), min(len(got), len(expected))
    )
    start = max(0, same - SHOWN // 2)
    return _cut(got, start), _cut(expected, start)


def _cut(text: str, start: int) -> str:
    end = start + SHOWN
    return ("…" if start else "") + text[start:end] + ("…" if len(text) > end else "")
