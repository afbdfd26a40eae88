"""Measuring speed: answers repeated, prompts of several lengths. Meanwhile the parent does nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import worker_engine

LENGTH_ANSWER = 16
"""Tokens that are generated after a prompt of a given length."""


def repeat(
    engine: worker_engine.Engine,
    prompts: Sequence[dict[str, Any]],
    dumped: Sequence[dict[str, Any]],
    job: dict[str, Any],
) -> list[str]:
    """Generate every answer again, as often as the job asks; add the times to `dumped`, return what was unlike.

    One round over all prompts after the other, so that a machine that slows down meanwhile slows all prompts alike.
    """
    notes: list[str] = []
    for number in range(1, int(job.get("repeat", 1))):
        for index, (prompt, entry) in enumerate(zip(prompts, dumped)):  # noqa: B905 - Python 3.9
            done = engine.generate(prompt["ids"], job["max_new_tokens"])
            entry.setdefault("repeats", []).append([done.first_seconds, done.seconds, len(done.tokens)])
            if done.tokens != entry["tokens"]:
                notes.append(f"repetition {number + 1} of prompt {index + 1} gave another answer than the first")
    return notes


def lengths(
    engine: worker_engine.Engine, text_ids: Sequence[int], job: dict[str, Any], enter: Callable[[str, str], None]
) -> list[dict[str, Any]]:
    """Measure prompts of the lengths that the job names: the fixed text, repeated and cut.

    A length that the runtime refuses (a static shape, the model's context) is recorded with what it said.
    """
    found: list[dict[str, Any]] = []
    for length in job.get("lengths", []):
        enter("speed", f"{length} tokens of prompt")
        ids = (list(text_ids) * (length // len(text_ids) + 1))[:length]
        entry: dict[str, Any] = {"tokens": length, "times": []}
        found.append(entry)
        try:
            engine.generate(ids, 1)  # kernels for this length are compiled or chosen now
            for _ in range(max(3, int(job.get("repeat", 1)))):
                done = engine.generate(ids, LENGTH_ANSWER)
                entry["times"].append([done.first_seconds, done.seconds, len(done.tokens)])
        except Exception as error:  # noqa: BLE001 - whatever a runtime throws belongs into the report
            entry["error"] = f"{type(error).__name__}: {error}"[:300]
    return found
