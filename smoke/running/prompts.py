"""What every backend is asked: the prompts, and the fixed text whose perplexity is measured."""

from __future__ import annotations

import unicodedata
from pathlib import Path

from wheelhouse.errors import InputError

DEFAULT = (
    # Ends after a few words: the end token has to come at the right place.
    "What is the capital of France?",
    "Explain in a short paragraph why the sky is blue.",
    "Write a Python function that returns the n-th Fibonacci number.",
    "Tell me a story about a lighthouse keeper who finds a message in a bottle.",
)

FIXED_TEXT = (
    "The harbour town wakes before the sun does. Fishing boats leave the quay at four, their lamps moving slowly "
    "across the black water, and by the time the bakery opens its doors the first of them are already coming back. "
    "In the market hall the day's catch is laid out on crushed ice: mackerel, cod, a few lobsters, claws tied. "
    "Prices are written in chalk and change every hour. A scientist who studied these waters for thirty years once "
    "explained that the temperature of the sea had risen by about one degree since she began, which sounds like very "
    "little, but was enough to send the herring north and bring sea bream that nobody here had seen before. Children "
    "learn the names of the new fish at school, and the old people learn them from the children."
)

MOST = 100
"""Prompts in one file: each costs every backend seconds, and its logits disk space."""
LONGEST = 1_000_000
"""Characters of one prompt: more than any model takes. How many tokens this one takes, its reference says."""


def load(path: Path | None) -> tuple[str, ...]:
    """Return the prompts of a file (one a line; empty lines and lines that begin with # are skipped), or our own.

    Raise InputError when the file cannot be read, is not UTF-8, or holds no prompt or one that cannot be asked.
    """
    if path is None:
        return DEFAULT
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"The prompts file {path} is not UTF-8 (byte {error.start}).", remedy="Save it as UTF-8."
        ) from error
    except OSError as error:
        raise InputError(
            f"The prompts file {path} cannot be read: {error.strerror}.", remedy="Give a text file, one prompt a line."
        ) from error
    return parse(text, str(path))


def parse(text: str, source: str) -> tuple[str, ...]:
    """Return the prompts in `text`; `source` names it in errors (InputError)."""
    numbered = [(number, line.strip()) for number, line in enumerate(text.split("\n"), 1)]
    prompts = [(number, line) for number, line in numbered if line and not line.startswith("#")]
    if not prompts:
        raise InputError(f"The prompts file {source} holds no prompt.", remedy="Write one prompt a line.")
    if len(prompts) > MOST:
        raise InputError(f"The prompts file {source} holds {len(prompts)} prompts; {MOST} are the most.")
    for number, line in prompts:
        if len(line) > LONGEST:
            raise InputError(f"{source}, line {number}: the prompt has {len(line)} characters; {LONGEST} are the most.")
        bad = next((c for c in line if unicodedata.category(c) in {"Cc", "Cs"} and c != "\t"), None)
        if bad is not None:
            raise InputError(f"{source}, line {number}: the prompt holds the control character U+{ord(bad):04X}.")
    return tuple(line for _, line in prompts)
