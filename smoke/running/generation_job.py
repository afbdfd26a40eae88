"""What `invoke generate` asks of a worker, checked against what the model is, before anything is exported."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smoke.environments import pinned
from smoke.exports import own_code
from smoke.models.model import Model
from smoke.running import token_room
from wheelhouse.console import say
from wheelhouse.errors import UnsupportedError

_EVERYWHERE = ("do_sample", "temperature", "top_k", "top_p", "repetition_penalty")
"""Settings that transformers, ONNX Runtime GenAI and OpenVINO all have, by the same names."""
CONTEXT = 1024
"""Tokens that a backend with static shapes reserves for the conversation, at least."""


def wishes(asks: Mapping[str, str]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return what a model asks for that every runtime can do, and the names of the rest.

    Without sampling, the numbers that shape it change nothing.
    """
    known = {name: json.loads(value) for name, value in asks.items() if name in _EVERYWHERE}
    if not known.get("do_sample"):
        known = {name: value for name, value in known.items() if name == "repetition_penalty"}
    return known, tuple(name for name in asks if name not in _EVERYWHERE)


def asked(model: Model, prompt: str, max_new_tokens: int, *, chat: bool) -> dict[str, Any]:
    """Return the part of the job that is the same for all backends.

    Raise UnsupportedError for a chat without a template, InputError for a prompt that the model does not take.
    """
    if chat and not model.facts.template:
        raise UnsupportedError(
            f"{model.name} has no chat template, so that nothing says how the turns of a chat are written.",
            remedy="Without --chat its prompt is continued as plain text. Take the model that was trained to chat, or "
            "put its chat_template.jinja beside tokenizer.json.",
        )
    if not model.facts.template:
        say(f"{model.name} has no chat template: the prompt is continued as plain text", style="dim")
    most = token_room.require(model, [prompt], max_new_tokens, lambda: pinned.prepare(pinned.MAIN))
    limit = token_room.of(model.facts)
    asks, left = wishes(model.facts.asks)
    if asks:
        listed = ", ".join(f"{name} {value}" for name, value in asks.items())
        say(f"as the model's generation_config.json asks: {listed}", style="dim")
    if left:
        say(f"not done, although its generation_config.json asks for it: {', '.join(left)}", style="dim")
    own = model.facts.own_code  # only then is there a question to ask
    return {
        "asks": asks,
        "trust": bool(own) and own_code.runs(model, Path(pinned.prepare(pinned.MAIN).python[0])),
        "name": model.name,
        "turns": [prompt],
        "chat": chat,
        "begin": None if model.facts.template else model.facts.begin,
        "max_new_tokens": max_new_tokens,
        "most": None if limit is None else limit.tokens,
        # How much a static shape has to hold.
        "prompts": [{"ids": [0] * (max(CONTEXT, most)), "continuation": []}],
    }
