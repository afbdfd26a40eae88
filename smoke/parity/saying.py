"""What is to be said about a dump that passed: its quality, how far it was looked at, what is odd but no fault."""

from __future__ import annotations

from collections.abc import Sequence

from smoke.parity import accounted, gates, matrices, textual
from smoke.parity.dumps import Dump
from smoke.parity.gates import Gate
from smoke.parity.parity import Golden, Metrics


def remarks(dump: Dump, gate: Gate, metrics: Metrics, base: Golden) -> str:
    """Return the remarks on a dump that was compared with `base`, as sentences."""
    tied = [f"tie: {gates.describe(difference)}" for difference in gates.ties(gate, metrics)]
    looping = accounted.loops(dump)
    quality = [gates.quality_in_words(metrics.quality)] if metrics.quality else []
    flawed = [f"what it was compared with is no good itself: {base.flaw}"] if base.flaw else []
    reach = (
        [f"compared up to {metrics.parts.tokens} tokens of context"] if metrics.parts and metrics.parts.tokens else []
    )
    return sentence(
        [
            *flawed,
            *([base.remark] if base.remark else []),
            *quality,
            *matrices.remarks(dump.weights),
            *reach,
            *tied,
            *looping,
            *textual.remarks(dump.texts),
            *dump.notes,
        ]
    )


def sentence(parts: Sequence[str]) -> str:
    """Return parts as one sentence; "" for none."""
    text = "; ".join(parts)
    return text[:1].upper() + text[1:] + "." if text else ""
