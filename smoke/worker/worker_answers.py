"""Whether a runtime's free answer is what its own logits say: each token the best after those before.

Generation and scoring are two ways through a runtime. What goes wrong in the first alone (an end token that is
suppressed, a cache that goes stale later on, a sampler) does not show in logits after given tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import worker_engine

RECHECK_EVERY = 8
"""A runtime that shows no logits is asked again after every so many of its own tokens."""


def common(ours: Sequence[int], theirs: Sequence[int]) -> int:
    """Return how many tokens from the start are equal."""
    shorter = min(len(ours), len(theirs))
    return next((k for k in range(shorter) if ours[k] != theirs[k]), shorter)


def rechecked(
    engine: worker_engine.Engine, ids: Sequence[int], tokens: Sequence[int], given: Sequence[int], rows: Any
) -> dict[str, Any]:
    """Return how many tokens were checked, and those that were not the best: position, the best, by how much it leads.

    `rows` are the logits after the tokens `given`: as far as the answer equals those, nothing is computed again.
    """
    known = min(common(tokens, given) + 1, len(tokens), len(rows))
    beside = [_beside(row, k, token) for k, (row, token) in enumerate(zip(rows[:known], tokens))]  # noqa: B905 - 3.9
    position = -(len(ids) - 1)
    for block in engine.score([*ids, *tokens[:-1]], 0) if known < len(tokens) else ():
        beside += [_beside(block[k - position], k, tokens[k]) for k in _within(position, len(block), known)]
        position += len(block)
    return {"rechecked": len(beside), "unchosen": [entry for entry in beside if entry]}


def rechecked_by_choices(
    engine: worker_engine.Engine, ids: Sequence[int], tokens: Sequence[int], given: Sequence[int], probes: Any
) -> dict[str, Any]:
    """Do the same without logits, for some of the tokens and for the last; `probes` are choices after tokens given."""
    shared = common(tokens, given)
    known = {k: choice for k, choice in probes if k <= shared}
    asked = sorted({*range(0, len(tokens), RECHECK_EVERY), len(tokens) - 1})
    chosen = [(k, known[k] if k in known else engine.next_token([*ids, *tokens[:k]])) for k in asked]
    return {"rechecked": len(asked), "unchosen": [[k, best, None] for k, best in chosen if best != tokens[k]]}


def _within(position: int, rows: int, first: int) -> range:
    """Return which tokens the rows of a block stand before, from `first` on."""
    return range(max(position, first), max(position + rows, first))


def _beside(row: Any, position: int, token: int) -> list[Any] | None:
    import numpy as np

    best = int(np.argmax(row))
    lead = float(row[best]) - float(row[token])
    return [position, best, float(f"{lead:.4g}")] if lead > 0 else None
