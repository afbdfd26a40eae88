"""What a runtime makes of texts and conversations, compared with what the reference made of them.

The reference's worker writes what it makes; each other worker is given that and writes only where it differs.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

import worker_engine
from worker_stream import streamed

MOST = 10
"""Differences of one kind that are kept, the shortest first."""
MOST_ADDED = 64
"""Added tokens that are looked at: some models reserve thousands."""


def made(engine: worker_engine.Engine, job: dict[str, Any]) -> dict[str, Any]:
    """Return what the reference makes of the job's texts, of its own added tokens, and of the job's conversations."""
    asked = job["texts"]
    corpus = [{"text": text, "ids": engine.encode(text)} for text in asked["corpus"]]
    added = {text: [token] for text, token in list(engine.added_tokens().items())[:MOST_ADDED]}
    chats = []
    for chat in asked["chats"]:
        rendered, error = _attempt(engine.conversation, chat["messages"])
        chats.append({**chat, "rendered": rendered, "error": error})
    return {
        "corpus": [{**entry, "decoded": engine.decode(entry["ids"])} for entry in corpus],
        # As a tokenizer really takes it: some of a model's added tokens are no more than a list says.
        "added": [{"text": text, "ids": ids} for text, ids in added.items() if engine.encode(text) == ids],
        "chats": chats,
    }


def differences(engine: worker_engine.Engine, job: dict[str, Any]) -> dict[str, Any]:
    """Return how many things of each kind were looked at, and where the runtime is unlike the reference."""
    known = job["texts"]
    answers = [(p["continuation"], p["answer"]) for p in job["prompts"] if p.get("answer")]
    corpus, added = known["corpus"], known["added"]
    chats = [chat for chat in known["chats"] if chat["rendered"] is not None]
    shown: list[tuple[str, list[tuple[Any, Any]], Callable[[Any], Any]]] = [
        ("answer", answers, engine.decode),
        ("stream", answers, lambda ids: streamed(engine.decode, ids)),
        ("encode", [(entry["text"], entry["ids"]) for entry in corpus], engine.encode),
        ("decode", [(entry["ids"], entry["decoded"]) for entry in corpus], engine.decode),
        (
            "text",
            [(entry["text"], entry["decoded"]) for entry in corpus],
            lambda text: engine.decode(engine.encode(text)),
        ),
        ("ids", [(entry["ids"], entry["decoded"]) for entry in corpus], engine.decode),
        ("added token", [(entry["text"], entry["ids"]) for entry in added], engine.encode),
        ("template", [(chat["name"], chat["rendered"]) for chat in chats if chat["plain"]], _renderer(engine, chats)),
        (
            "unusual template",
            [(chat["name"], chat["rendered"]) for chat in chats if not chat["plain"]],
            _renderer(engine, chats),
        ),
    ]
    texts = {tuple(entry["ids"]): entry["text"] for entry in corpus}
    found: list[dict[str, Any]] = []
    for what, pairs, function in shown:
        unlike = [entry for given, expected in pairs if (entry := _unlike(what, given, expected, function))]
        for entry in unlike:
            given = entry["given"]
            entry["given"] = str(texts.get(tuple(given), "") if what in {"decode", "ids"} else given)
        found += unlike if what.endswith("template") else sorted(unlike, key=lambda entry: len(entry["given"]))[:MOST]
    return {"looked_at": {what: len(pairs) for what, pairs, _ in shown}, "unlike": found}


def _renderer(engine: worker_engine.Engine, chats: Sequence[dict[str, Any]]) -> Callable[[str], str]:
    messages = {chat["name"]: chat["messages"] for chat in chats}
    return lambda name: engine.conversation(messages[name])


def _unlike(what: str, given: Any, expected: Any, function: Callable[[Any], Any]) -> dict[str, Any] | None:
    got, error = _attempt(function, given)
    if error == "" and _whole(got) == _whole(expected):
        return None
    if what in {"answer", "stream", "text", "ids"} and error == "" and _read(got) == _read(expected):
        return None  # whether the first word keeps its space, and an accent its letter, is told on the corpus
    shown = "" if error else str(_whole(got))
    return {"what": what, "given": given, "expected": str(_whole(expected)), "got": shown, "error": error}


def _whole(made: Any) -> Any:
    """Return a text in which broken characters in a row count as one: decoders agree that they are, not on how many."""
    return re.sub("\ufffd+", "\ufffd", made) if isinstance(made, str) else made


def _read(made: str) -> str:
    """Return a text as a reader takes it: Unicode calls two texts equal that only put accents together otherwise."""
    return unicodedata.normalize("NFC", str(_whole(made)).lstrip(" "))


def _attempt(function: Callable[[Any], Any], given: Any) -> tuple[Any, str]:
    """Return what a function gives, and "", or None and what it says when it fails."""
    try:
        return function(given), ""
    except Exception as error:  # noqa: BLE001 - whatever a runtime throws belongs into the report
        return None, f"{type(error).__name__}: {error}"[:500]
