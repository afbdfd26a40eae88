"""Finds the smallest size at which an operator still fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping

TRIES = 16
"""How many sizes are measured at most; each is a session of its own, about a second in Wine."""


def smallest(
    dims: Mapping[str, int], fails: Callable[[dict[str, int]], bool | None], *, tries: int = TRIES
) -> dict[str, int]:
    """Return the smallest `dims` found at which `fails` still holds, one dimension after the other.

    From 1 upwards by doubling: a fault that does not depend on a dimension shows at once. `fails` returns None for a
    size at which the operator is not defined, which does not count as a try.
    """
    best = dict(dims)
    changed = True
    while changed:
        changed = False
        for name, whole in list(best.items()):
            for size in _below(whole):
                if tries <= 0:
                    return best
                found = fails({**best, name: size})
                tries -= found is not None
                if found:
                    best[name], changed = size, True
                    break
    return best


def _below(size: int) -> list[int]:
    """Return size // 2^n down to 1, smallest first, without `size` itself."""
    found = []
    while size > 1:
        size //= 2
        found.append(size)
    return found[::-1]
