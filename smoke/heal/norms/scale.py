"""How large a scale a norm needs: arithmetic on what was measured, nothing else.

A norm does not care about the scale of its input: norm(x, ε) = norm(x/s, ε/s²). DirectML keeps the mean square of a
row in the type of the row, and fp16 ends at 65504: from there on the norm is wrong. A power of two as `s` moves the
mean square back into range and loses nothing, because it only changes exponents.
"""

from __future__ import annotations

import math
from typing import Literal

FP16_MAX = 65504.0
"""The largest finite number in fp16."""
FP16_NORMAL = 2.0**-14
"""The smallest fp16 number with full precision; below it a mean square loses bits, and finally becomes zero."""
HEADROOM = 4.0
"""How much larger a mean square may become than calibration saw: the double of every amplitude."""
LARGEST = 256
"""With this scale no finite row overflows: (65504 / 256)² = 65504 · (65504 / 65536) < 65504."""

Verdict = Literal["overflows", "near", "safe", "wide", "infinite"]
Mode = Literal["auto", "always", "never"]


def verdict(demand: float) -> Verdict:
    """Say what becomes of an fp16 norm whose largest intermediate result was `demand` on the calibration texts.

    "overflows": passes fp16; "near": would with HEADROOM; "safe"; "infinite": the row itself was not finite, which no
    scale cures. ("wide", for norms that do not compute in fp16, is given elsewhere.)
    """
    if not math.isfinite(demand):
        return "infinite"
    if demand > FP16_MAX:
        return "overflows"
    return "near" if demand * HEADROOM > FP16_MAX else "safe"


def smallest_scale(worst: float) -> int:
    """Return the smallest power of two (1 to LARGEST) that brings `worst`, a mean square, below fp16 with HEADROOM."""
    scale = 1
    while worst * HEADROOM > FP16_MAX * scale * scale and scale < LARGEST:
        scale *= 2
    return scale


def roomiest_scale(worst: float, least: float) -> int:
    """Return the largest power of two that `least`, the smallest mean square, bears without loss in fp16.

    Never less than what `worst` needs, at most LARGEST; at least 2, so that every norm gets one.
    """
    scale = max(2, smallest_scale(worst))
    while scale < LARGEST and least / (4 * scale * scale) >= FP16_NORMAL:
        scale *= 2
    return scale


def starved(least: float, scale: int) -> bool:
    """Say whether the smallest rows lose precision under `scale`: their mean square falls below fp16's normal range."""
    return scale > 1 and 0 < least < FP16_NORMAL * scale * scale


def choose(mode: Mode, found: Verdict, *, worst: float, least: float, present: int) -> int:
    """Return the scale to put in front of a norm; 1 leaves it alone.

    `worst` and `least` are the largest and smallest mean square of its rows; `present` is the scale that is already
    in front, which "always" does not add to, and with which LARGEST is not exceeded.
    """
    if mode == "never" or found in {"wide", "infinite"}:
        return 1
    if mode == "always" and present == 1:
        return roomiest_scale(worst, least)
    return min(smallest_scale(worst), max(1, LARGEST // present)) if found != "safe" else 1
