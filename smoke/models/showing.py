"""What `invoke model` says about a model: its facts, as lines for people or as JSON."""

from __future__ import annotations

from smoke.models.check.folder_facts import Facts, Rope
from smoke.models.model import Model
from wheelhouse import console
from wheelhouse.files import human_size


def as_json(model: Model) -> str:
    """Return the model and its facts as JSON."""
    known = {"name": model.name, "key": model.key, "folder": str(model.folder), "label": model.label}
    return console.as_json({**known, "facts": model.facts})


def lines(model: Model) -> list[tuple[str, str]]:
    """Return what is known about a model, as pairs of a word and what it comes to."""
    facts, sizes = model.facts, model.facts.sizes
    groups = "" if sizes.key_heads == sizes.heads else f", {sizes.key_heads} of keys and values"
    tied = ", tied to the embedding" if sizes.tied else ""
    found = [
        ("model", f"{model.name}: {model.label}"),
        ("architecture", f"{facts.architecture} ({facts.family})"),
        ("parameters", f"{facts.parameters:,} in {', '.join(facts.dtypes)}; {_files(facts)}"),
        ("layers", f"{sizes.layers} of width {sizes.hidden}, MLP {sizes.inner}"),
        ("attention", f"{sizes.heads} heads of {sizes.head_width}{groups}{_window(facts)}"),
        ("output", f"{sizes.vocabulary} tokens{tied}"),
        ("context", f"{facts.context} positions" if facts.context else "not said"),
        ("positions", _positions(facts.rope)),
        ("tokenizer", f"{facts.tokens} tokens{f', puts {facts.begin!r} in front' if facts.begin else ''}"),
        ("ends of an answer", ", ".join(map(str, facts.ends)) or "none"),
        ("chat template", "yes" if facts.template else "none"),
        ("own code", "; ".join(f"{what}: {where}" for what, where in facts.own_code.items()) or "none"),
        ("asks for", "; ".join(f"{what} {value}" for what, value in facts.asks.items()) or "nothing beyond greedy"),
    ]
    return [*found, *(("note", note) for note in facts.notes), ("folder", str(model.folder)), ("key", model.key)]


def _files(facts: Facts) -> str:
    many = f"{len(facts.files)} files" if len(facts.files) > 1 else facts.files[0]
    return f"{many}, {human_size(facts.bytes)}"


def _window(facts: Facts) -> str:
    return f", sliding window {facts.sliding_window}" if facts.sliding_window else ""


def _positions(rope: Rope) -> str:
    base = f"rotary, base {rope.theta:g}" if rope.theta else "as the architecture has it"
    if rope.kind == "default":
        return base
    scaled = f"{rope.kind}, {rope.factor:g} times" if rope.factor else rope.kind
    return f"{base}; {scaled}{f', made for {rope.original}' if rope.original else ''}"
