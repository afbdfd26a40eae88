"""How far single choices are apart where a runtime shows no logits, but how probable it holds its choice."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from smoke.parity import long_context
from smoke.parity.dumps import Dump, DumpError, Logits


class Chances(Struct, frozen=True, kw_only=True):
    """Half the mean square of the differences of the logarithms: what KL is, to first order, for one token of it."""

    count: int
    kl: float


def measured(dump: Dump, base: Dump, folder: Path, logits: Sequence[Logits]) -> Chances | None:
    """Compare with the golden logits; None where the runtime tells no probabilities. Raise DumpError."""
    squares = [(ours - theirs) ** 2 for ours, theirs in (*_probes(dump, logits), *_contexts(dump, base, folder))]
    return Chances(count=len(squares), kl=sum(squares) / len(squares) / 2) if squares else None


def _probes(dump: Dump, logits: Sequence[Logits]) -> Iterator[tuple[float, float]]:
    for number, prompt in enumerate(dump.prompts):
        for (position, token), chance in zip(prompt.probes, prompt.chances, strict=False):
            if chance is None:
                continue
            if position >= logits[number].rows:
                raise DumpError(f"it probed position {position} of prompt {number + 1}, which nobody asked for")
            yield chance, _log_probability(long_context.one_row(logits[number], position), token)


def _contexts(dump: Dump, base: Dump, folder: Path) -> Iterator[tuple[float, float]]:
    golden = long_context.rows_of(base, folder)
    for (place, token), chance in zip(dump.context.choices, dump.context.chances, strict=False):
        if chance is not None and place in golden:
            yield chance, _log_probability(long_context.one_row(*golden[place]), token)


def _log_probability(row: Sequence[float], token: int) -> float:
    if token >= len(row):
        return -math.inf
    most = max(row)
    return row[token] - most - math.log(math.fsum(math.exp(value - most) for value in row))
