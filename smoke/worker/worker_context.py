"""Logits in a long context: at once and one by one, around the places where runtimes change what they do.

Positions at powers of two (blocks of a kernel, sizes of a cache), at the original window of scaled positions, at the
edge of a sliding window. Then a shorter prompt in the same session: nothing of the longer one may be left in its cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import worker_dump
import worker_engine

AROUND = 4
"""Tokens before and after an edge that go through the cache one by one."""
LONG = 1000
"""A context of so many tokens has rows enough to be judged by; a shorter one gets more of them from what follows."""
AGAIN, MORE = 200, 600
"""Tokens of the shorter prompt that follows a long one; of what follows another."""
SPACING = 32
"""Of a piece that goes through at once, one row in so many is kept, and the first and the last."""
AT_ONCE, ONE_BY_ONE = "logits-9000.safetensors", "logits-9001.safetensors"


def passes(tokens: int, edges: Sequence[int], most: int) -> list[list[int]]:
    """Return the sizes of the pieces of each pass; `most` tokens go through at once. A piece of one is a step."""
    pieces: list[int] = []
    done = 0
    for edge in sorted(set(edges)):
        start = max(done, edge - AROUND)
        if edge > AROUND and edge + AROUND <= tokens:
            pieces += [*_cut(start - done, most), *[1] * (edge + AROUND - start)]
            done = edge + AROUND
    found = [[*pieces, *_with_steps(tokens - done, most)]]
    again = AGAIN if tokens >= LONG else MORE
    return [*found, _with_steps(again, most)] if tokens >= again else found


def kept(sizes: Sequence[int]) -> tuple[list[int], list[int]]:
    """Return the positions whose logits are kept: of what goes through at once, and of single steps."""
    at_once, steps, position = [], [], 0
    for size in sizes:
        piece = range(position, position + size)
        if size == 1:
            steps.append(position)
        else:
            at_once += [p for p in piece if p in {piece[0], piece[-1]} or p % SPACING == SPACING - 1]
        position += size
    return at_once, steps


def measured(engine: worker_engine.Engine, job: dict[str, Any]) -> dict[str, Any]:
    """Return what was looked at, and leave the logits in the job's folder; `error` where the runtime refused."""
    asked = job["context"]
    ids = [int(i) for i in asked.get("ids") or engine.encode(asked["text"])][: asked["tokens"]]
    if not engine.long_context:
        return {}
    found: dict[str, Any] = {"tokens": len(ids), "ids": [] if asked.get("ids") else ids}
    try:
        if engine.scores:
            return {**found, **_scored(engine, ids, asked, Path(job["output"]))}
        places = [edge for edge in sorted({*asked["edges"], len(ids)}) if edge <= len(ids)]
        chosen = [(place - 1, *engine.next_choice(ids[:place])) for place in places]
        choices = [[place, token] for place, token, _ in chosen]
        return {**found, "choices": choices, "chances": [chance for _, _, chance in chosen]}
    except Exception as error:  # noqa: BLE001 - whatever a runtime throws belongs into the report
        return {**found, "error": f"{type(error).__name__}: {error}"[:500]}


def _scored(engine: worker_engine.Engine, ids: list[int], asked: dict[str, Any], folder: Path) -> dict[str, Any]:
    import numpy as np

    rows: tuple[list[Any], list[Any]] = ([], [])
    places: tuple[list[int], list[int]] = ([], [])
    for sizes in passes(len(ids), asked["edges"], asked["most"]):
        position = 0
        wanted = kept(sizes)
        for block in engine.pieces(ids[: sum(sizes)], sizes):
            for one_by_one, positions in enumerate(wanted):
                here = [p for p in positions if position <= p < position + len(block)]
                places[one_by_one].extend(here)
                rows[one_by_one].extend(np.array(block[p - position], dtype=np.float32) for p in here)
            position += len(block)
    for name, found in zip((AT_ONCE, ONE_BY_ONE), rows):  # noqa: B905 - Python 3.9
        if found:
            worker_dump.write_rows(folder / name, np.stack(found))
    return {"at_once": places[0], "one_by_one": places[1]}


def _with_steps(tokens: int, most: int) -> list[int]:
    """Return pieces that end in single steps, where there are enough tokens."""
    steps = 2 * AROUND if tokens > 4 * AROUND else 0
    return [*_cut(tokens - steps, most), *[1] * steps]


def _cut(tokens: int, most: int) -> list[int]:
    return [min(most, tokens - start) for start in range(0, tokens, most)]
