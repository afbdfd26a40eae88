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
    limits = THRESHOLDS.weights
    row, row_steps = matrix.row
    if matrix.bad_scales:
        return f"{matrix.name} has {matrix.bad_scales} scales that are no finite numbers"
    # "not (a <= b)": a NaN must fail.
    if not matrix.steps <= limits.matrix:
        return f"{matrix.name} is off by {matrix.steps:.2g} steps > {limits.matrix:g}, {matrix.relative:.0%} of it"
    if not row_steps <= limits.row:
        return f"{matrix.name} is off in row {row} by {row_steps:.2g} steps > {limits.row:g}"
    if not matrix.block[2] <= limits.block:
        place = f"row {matrix.block[0]}, block {matrix.block[1]}"
        return f"{matrix.name} is off in {place} by {matrix.block[2]:.2g} steps > {limits.block:g}"
    return ""
