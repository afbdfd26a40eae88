"""Whether quantised weights are the original ones, rounded: the matrix, the row and the block where they are not."""

from __future__ import annotations

from collections.abc import Sequence

from smoke.parity.dumps import MatrixDump
from smoke.parity.thresholds import THRESHOLDS

NAMED = 3
"""Matrices that are named; the others are counted."""


def violations(matrices: Sequence[MatrixDump]) -> list[str]:
    """Return what is wrong with the matrices, in words, the worst first; empty when nothing is."""
    wrong = sorted((m for m in matrices if _wrong(m)), key=lambda m: -m.block[2])
    found = [f"the quantised weights are not the model's: {_wrong(matrix)}" for matrix in wrong[:NAMED]]
    if len(wrong) > NAMED:
        found.append(f"and so are {len(wrong) - NAMED} more of {len(matrices)} matrices")
    return found


def remarks(matrices: Sequence[MatrixDump]) -> list[str]:
    """Return how near the weights are, in words."""
    if not matrices:
        return []
    worst = max(matrices, key=lambda matrix: matrix.steps)
    steps = f"{worst.steps:.3f} steps at most, root mean square, in {worst.name}"
    return [f"{len(matrices)} matrices are the model's, rounded ({steps})"]


def _wrong(matrix: MatrixDump) -> str:
    """Return where a matrix is off: as a whole, in a row, or only in a block; "" where it is not."""
    if matrix.bad_scales:
        return f"{matrix.name} has {matrix.bad_scales} scales that are no finite numbers"
    limits = THRESHOLDS.weights
    whole = _off(matrix.steps, matrix.row, matrix.block, (limits.matrix, limits.row, limits.block))
    if whole:
        return f"{matrix.name} is off{whole}, {matrix.relative:.0%} of the matrix"
    most = (limits.beyond, limits.beyond_row, limits.beyond_block)
    beyond = _off(matrix.beyond, matrix.beyond_row, matrix.beyond_block, most)
    return f"{matrix.name} is off{beyond} more than rounding makes it" if beyond else ""


def _off(
    steps: float, row: tuple[int, float], block: tuple[int, int, float], limits: tuple[float, float, float]
) -> str:
    """Return " in row R, block B by S steps > L", without the places where most of it is not only there; or ""."""
    found = (
        (f" in row {block[0]}, block {block[1]}", block[2], limits[2]),
        (f" in row {row[0]}", row[1], limits[1]),
        ("", steps, limits[0]),
    )
    wrong = [(where, size, limit) for where, size, limit in found if not size <= limit]  # a NaN must fail
    if not wrong:
        return ""
    most = max(size for _, size, _ in wrong)
    where, size, limit = [one for one in wrong if not one[1] < most / 2][-1]
    return f"{where} by {size:.2g} steps > {limit:g}"
