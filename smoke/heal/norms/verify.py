"""Before a healed graph is handed over: does it load, and does the CPU get the same answer from it as before?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .sessions import Decoder, UnusableModelError, feeds, open_session, run

TOLERANCE = 0.02
"""Largest difference of a logit relative to the largest logit. Splitting a Skip norm rounds its sum to fp16 (2^-11)
where the fused operator keeps fp32, once per rewritten norm; a wrong rewrite is off by the order of 1."""


def difference(
    before: Path, after: Path, decoder: Decoder, texts: Sequence[NDArray[np.int64]], *, threads: int
) -> float:
    """Return the largest difference between the two graphs' logits, relative to the largest logit.

    Raise UnusableModelError when a graph does not load or run. Both graphs lie in the folder of their data.
    """
    logits = [_logits(graph, decoder, texts, threads) for graph in (before, after)]
    pairs = list(zip(*logits, strict=True))
    largest = max(float(np.abs(old).max()) for old, _ in pairs)
    return max(float(np.abs(old - new).max()) for old, new in pairs) / max(largest, 1e-6)


def _logits(
    graph: Path, decoder: Decoder, texts: Sequence[NDArray[np.int64]], threads: int
) -> list[NDArray[np.float32]]:
    session = open_session(graph.read_bytes(), graph.parent, threads=threads)
    first = session.get_outputs()[0].name
    results = [run(session, [first], feeds(session, decoder, ids))[0].astype(np.float32) for ids in texts]
    if not all(np.isfinite(result).all() for result in results):
        raise UnusableModelError(f"on the CPU provider its output '{first}' is not finite")
    return results
