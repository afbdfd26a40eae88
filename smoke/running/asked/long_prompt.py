"""The long context that every backend is asked about: its text, how long it is, at which tokens it is looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from smoke.models.check.folder_facts import Facts
from smoke.running import prompts
from smoke.running.asked import corpus

LONGEST = 1700
"""Tokens: a prompt with a document in it. Beyond, every backend would take minutes."""
SLOW = 68
"""Tokens for a device that takes seconds for one."""
EDGES = (64, 128, 256, 512, 1024)
LOGITS_AT_ONCE = 1 << 26
"""Numbers that a runtime may return at once: a quarter of a gigabyte."""


def text() -> str:
    """Return the text. Its end repeats its beginning, which only a model that still sees the beginning expects."""
    calibration = Path(__file__).parents[2] / "heal" / "norms" / "calibration.txt"
    between = calibration.read_text(encoding="utf-8").replace("\n%%\n", "\n")
    return "\n\n".join([prompts.FIXED_TEXT, between, "\n".join(corpus.TEXTS), prompts.FIXED_TEXT])


def question(facts: Facts, most: int | None, *, slow: bool = False) -> dict[str, Any]:
    """Return the job's part about the long context of a model; `most` tokens are computed alike by all runtimes."""
    room = (most or LONGEST + 1) - 1
    special = [edge for edge in (facts.rope.original, facts.sliding_window) if edge]
    return {
        "text": text(),
        "tokens": min(SLOW if slow else LONGEST, room),
        "edges": sorted({*EDGES, *special}),
        "most": max(64, LOGITS_AT_ONCE // facts.sizes.vocabulary),
    }
