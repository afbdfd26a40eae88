"""How a GGUF file scales positions: in keys, or in tensors with a factor for each frequency."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from .fields import Fields, RefusedError, shortest

FACTORS = ("rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight")
"""Tensors that become settings."""


def scaling(fields: Fields, factors: Mapping[str, Sequence[float]]) -> dict[str, Any] | None:
    """Return rope_scaling: from the keys, or from the tensors in which llama.cpp keeps a factor per frequency."""
    if "rope_freqs.weight" in factors:
        return _llama3(fields, factors["rope_freqs.weight"])
    if factors:
        return _longrope(fields, factors)
    named = fields(fields.own("rope.scaling.type"))
    key = next((k for k in ("rope.scaling.factor", "rope.scale_linear") if fields.own(k) in fields), "")
    kind = named if named is not None else "linear" if key else "none"  # llama.cpp: a factor alone is linear
    if kind == "none" or (kind == "linear" and key and fields.number(key) == 1):
        return None
    if kind == "linear":
        return {"type": kind, "rope_type": kind, "factor": fields.number(key or "rope.scaling.factor")}
    if kind == "yarn":
        made = {"type": kind, "rope_type": kind, "factor": fields.number("rope.scaling.factor")}
        original = fields.whole("rope.scaling.original_context_length", fields.whole("context_length"))
        return {**made, "original_max_position_embeddings": original}
    raise RefusedError(f"{fields.own('rope.scaling.type')} is {kind!r:.40}; linear and yarn are known here")


LLAMA3: Mapping[str, Any] = {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
"""What Llama 3.1 and its successors say. A GGUF file holds the factors that come of it, not these numbers."""


def _llama3(fields: Fields, found: Sequence[float]) -> dict[str, Any] | None:
    """Return the settings that give the stored factors. Raise RefusedError when Llama 3's way does not."""
    if all(value == 1 for value in found):
        return None
    theta = fields.number("rope.freq_base", 10000.0)
    smooth = _smooth(theta, 2 * len(found), len(found) - 1)
    rest = 1 / found[-1] - smooth
    factor = (1 - smooth) / rest if rest > 0 and smooth < 1 else 0.0
    expected = llama3_factors(factor, theta, 2 * len(found)) if factor >= 1 else []
    if not expected or not all(math.isclose(a, b, rel_tol=1e-3) for a, b in zip(found, expected, strict=True)):
        raise RefusedError(
            "The tensor 'rope_freqs.weight' scales positions in another way than Llama 3, which cannot be carried"
        )
    return {"type": "llama3", "rope_type": "llama3", "factor": float(f"{factor:.6g}"), **LLAMA3}


def llama3_factors(factor: float, theta: float, head: int) -> list[float]:
    """Return what Llama 3 divides each rotary frequency by."""
    shares = [_smooth(theta, head, pair) for pair in range(head // 2)]
    return [1 / ((1 - smooth) / factor + smooth) for smooth in shares]


def _smooth(theta: float, head: int, pair: int) -> float:
    """Return how much of a frequency stays as it was, from 0 (long waves) to 1 (short ones)."""
    low, high = LLAMA3["low_freq_factor"], LLAMA3["high_freq_factor"]
    waves = LLAMA3["original_max_position_embeddings"] / (2 * math.pi * theta ** (2 * pair / head))
    return float(min(1.0, max(0.0, (waves - low) / (high - low))))


def _longrope(fields: Fields, factors: Mapping[str, Sequence[float]]) -> dict[str, Any] | None:
    short, long = (factors.get(f"rope_factors_{which}.weight", ()) for which in ("short", "long"))
    if len(short) != len(long):
        raise RefusedError(
            "Its tensors 'rope_factors_long.weight' and 'rope_factors_short.weight' are not of one length"
        )
    fields.seen.add(fields.own("rope.scaling.type"))
    original, positions = fields.whole("rope.scaling.original_context_length"), fields.whole("context_length")
    if original < 2:
        raise RefusedError(f"{fields.own('rope.scaling.original_context_length')} is {original}")
    expected = math.sqrt(1 + math.log(positions / original) / math.log(original)) if positions > original else 1.0
    given = fields.number("rope.scaling.attn_factor", expected)
    if not math.isclose(given, expected, rel_tol=1e-3):
        raise RefusedError(f"{fields.own('rope.scaling.attn_factor')} is {given}; {expected:.6g} is what longrope has")
    if all(value == 1 for value in (*short, *long)):
        return None
    shown = [[shortest(value) for value in values] for values in (short, long)]
    return {"type": "longrope", "rope_type": "longrope", "short_factor": shown[0], "long_factor": shown[1]}
