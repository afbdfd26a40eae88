"""Where a provider's norms break: for which size of a single outlier, at which width."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import operator_session
from operator_cases import Case
from operator_graph import Built
from operator_session import Provider

WIDTHS = (64, 576, 3072)
NORMS = ("SimplifiedLayerNormalization", "SkipSimplifiedLayerNormalization", "LayerNormalization")
LARGEST = 65504.0
BISECTIONS = 8
TOLERANCE = 1e-2


def norm_limits(provider: Provider) -> list[dict[str, Any]]:
    """Return for each norm and width the largest outlier that is right in fp16, and the one that is not.

    The rest of the row is zero, so the mean square is outlier^2 / width; `predicted` is where that passes 65504,
    fp16's largest number.
    """
    found = []
    for norm in NORMS:
        for width in WIDTHS:
            built = Case(norm, "limit", {"rows": 1, "width": width}, "fp16").build()

            def is_right(outlier: float, built: Built = built) -> bool:
                x = np.zeros_like(built.feeds["x"])
                x[0, 0, 0] = outlier
                zeros = {name: np.zeros_like(array) for name, array in built.feeds.items()}
                changed = built._replace(feeds=zeros | {"x": x})
                ours, right = (operator_session.run_once(changed, on) for on in (provider, operator_session.CPU))
                return operator_session.error_of(ours, right)[0] <= TOLERANCE

            found.append({"norm": norm, "width": width, "predicted": (LARGEST * width) ** 0.5, **_bisect(is_right)})
    return found


def _bisect(is_right: Callable[[float], bool]) -> dict[str, float | None]:
    right, wrong = 16.0, LARGEST / 1.01
    try:
        if not is_right(right):
            return {"right": None, "wrong": right}
        if is_right(wrong):
            return {"right": wrong, "wrong": None}
        for _ in range(BISECTIONS):
            middle = (right * wrong) ** 0.5
            right, wrong = (middle, wrong) if is_right(middle) else (right, middle)
    except Exception:  # noqa: BLE001 - an operator that does not run has no limit; its case says why
        return {"right": None, "wrong": None}
    return {"right": right, "wrong": wrong}
