"""Distances between two matrices of logits, block by block: neither ever lies in memory as a whole."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from smoke.parity.dumps import DumpError, Logits

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOP = 10
_PIECE = 512


class ForeignModelError(Exception):
    """The dump is of another model: its logits or tokens cannot even be laid beside the golden ones."""


class NotFiniteError(Exception):
    """There are NaN or infinite logits."""


class PromptDrift(Struct, frozen=True, kw_only=True):
    """Of one prompt, position by position: the KL divergence; and at which positions another token is best."""

    kl: tuple[float, ...]
    parted: tuple[int, ...] = ()


class LogitMetrics(Struct, frozen=True, kw_only=True):
    """Distances over all positions of all prompts; what each means is in docs/smoke.md."""

    positions: int
    spread: float
    max_abs: float
    mean_abs: float
    nmse: float
    kl: float
    kl_max: float
    top1: float
    top1_margin: float
    """Largest golden margin, in spreads, where the best token is another one; 0 when it is the same everywhere."""
    top10: float
    drift: tuple[PromptDrift, ...] = ()


def leaders(file: Logits) -> tuple[tuple[int, ...], tuple[int, ...], tuple[float, ...], float]:
    """Return per row the best token, the second best, and the gap; then the sum of squares around each row's mean."""
    import numpy as np

    best: list[int] = []
    second: list[int] = []
    margin: list[float] = []
    squares = 0.0
    for block in file.blocks():
        require_finite(block)
        squares += _sum_of_squares(_centred(block))
        rows = np.arange(len(block))
        first = block.argmax(axis=1)
        top = block[rows, first]
        masked = block.copy()
        masked[rows, first] = -np.inf
        next_best = masked.argmax(axis=1)
        best += first.tolist()
        second += next_best.tolist()
        margin += (top - masked[rows, next_best]).tolist()
    return tuple(best), tuple(second), tuple(margin), squares


class _Sums:
    """Running totals over blocks of logits."""

    def __init__(self) -> None:
        self.rows = self.values = self.same_top = self.shared_top = 0
        self.lost_margin = 0.0
        self.divergences: list[float] = []
        self.parted: list[int] = []
        self.max_abs = self.abs = self.error = self.power = self.kl = self.kl_max = 0.0

    def add(self, ours: NDArray[Any], theirs: NDArray[Any]) -> None:
        """Add a block (rows, vocabulary) of the candidate's and of the golden logits."""
        import numpy as np

        require_finite(ours)
        apart = np.abs(ours - theirs)
        self.max_abs = max(self.max_abs, float(apart.max()))
        self.abs += float(apart.sum(dtype=np.float64))
        # Softmax does not see a shift of all logits of a position, so neither do the measures below.
        wide = _centred(theirs)
        error = _centred(ours) - wide
        self.error += _sum_of_squares(error)
        self.power += _sum_of_squares(wide)
        divergence = _divergence(wide, error)
        self.kl += float(divergence.sum())
        self.kl_max = max(self.kl_max, float(divergence.max()))
        self.divergences += [float(f"{value:.3g}") for value in divergence]  # for a picture: three digits
        self._add_choices(ours, theirs)
        self.shared_top += _shared_top(ours, theirs)
        self.rows += len(ours)
        self.values += ours.size

    def _add_choices(self, ours: NDArray[Any], theirs: NDArray[Any]) -> None:
        mine, golden = ours.argmax(axis=1), theirs.argmax(axis=1)
        differing = (mine != golden).nonzero()[0]
        self.same_top += len(ours) - len(differing)
        self.parted += [self.rows + int(row) for row in differing]
        if len(differing):
            leading = theirs[differing, golden[differing]] - theirs[differing, mine[differing]]
            self.lost_margin = max(self.lost_margin, float(leading.max()))


def compare_logits(ours: Sequence[Logits], golden: Sequence[Logits]) -> LogitMetrics:
    """Measure the logits of all prompts.

    Raise DumpError (other shapes, unreadable), ForeignModelError (another vocabulary) or NotFiniteError.
    """
    sums, drift = _Sums(), []
    for mine, theirs in zip(ours, golden, strict=True):
        if mine.vocabulary != theirs.vocabulary:
            raise ForeignModelError(f"its vocabulary has {mine.vocabulary} tokens, the golden one {theirs.vocabulary}")
        if mine.rows != theirs.rows:
            raise DumpError(f"{mine.path.name} has {mine.rows} rows instead of {theirs.rows}")
        for block, other in zip(mine.blocks(), theirs.blocks(), strict=True):
            sums.add(block, other)
        first = sums.rows - mine.rows
        drift.append(PromptDrift(kl=tuple(sums.divergences), parted=tuple(row - first for row in sums.parted)))
        sums.divergences, sums.parted = [], []
    top = min(TOP, golden[0].vocabulary)
    spread = math.sqrt(sums.power / sums.values)
    return LogitMetrics(
        positions=sums.rows,
        spread=spread,
        max_abs=sums.max_abs,
        mean_abs=sums.abs / sums.values,
        nmse=sums.error / sums.power if sums.power else (0.0 if sums.error == 0 else math.inf),
        kl=sums.kl / sums.rows,
        kl_max=sums.kl_max,
        top1=sums.same_top / sums.rows,
        top1_margin=sums.lost_margin / spread if spread else 0.0,
        top10=sums.shared_top / (sums.rows * top),
        drift=tuple(drift),
    )


def require_finite(block: NDArray[Any]) -> None:
    """Raise NotFiniteError unless all logits of a block are finite numbers."""
    import numpy as np

    if not np.isfinite(block).all():
        bad = int((~np.isfinite(block)).sum())
        raise NotFiniteError(f"{bad} of {block.size} logits of a block are NaN or infinite")


def _centred(block: NDArray[Any]) -> NDArray[Any]:
    centred: NDArray[Any] = block - block.mean(axis=1, keepdims=True)
    return centred


def _sum_of_squares(block: NDArray[Any]) -> float:
    import numpy as np

    return float(np.einsum("ij,ij->i", block, block).sum(dtype=np.float64))


def _divergence(golden_logits: NDArray[Any], error: NDArray[Any]) -> NDArray[Any]:
    """Return KL(golden || candidate) in nats per row.

    With p = softmax(golden) and candidate = golden + error, it is ln E_p[exp(error - E_p[error])]: a form without
    the difference of two large numbers, so that float32 resolves values far below its own rounding of logits.
    """
    import numpy as np

    p = golden_logits - golden_logits.max(axis=1, keepdims=True)
    np.exp(p, out=p)
    whole = p.sum(axis=1, dtype=np.float64)
    shifted = error - (np.einsum("ij,ij->i", p, error) / whole).astype(error.dtype)[:, None]
    # Only where p is not negligible does the exponential matter, but a large error of a rare token counts too:
    # subtracting the largest exponent keeps everything finite.
    top = np.maximum(shifted.max(axis=1), 0)
    large = (top >= 1).nonzero()[0]
    beyond = np.exp(shifted[large] - top[large, None])
    shifted[large] = 0
    result: NDArray[Any] = np.einsum("ij,ij->i", p, np.expm1(shifted, out=shifted), dtype=np.float64) / whole
    result = np.log1p(np.maximum(result, 0))
    scaled = np.einsum("ij,ij->i", p[large], beyond, dtype=np.float64) / whole[large]
    result[large] = np.maximum(np.log(scaled) + top[large], 0)
    return result


def _shared_top(ours: NDArray[Any], theirs: NDArray[Any]) -> int:
    top = min(TOP, ours.shape[1])
    if top == ours.shape[1]:
        return int(top * len(ours))
    mine, golden = _top(ours, top), _top(theirs, top)
    return int((mine[:, :, None] == golden[:, None, :]).sum())


def _top(block: NDArray[Any], count: int) -> NDArray[Any]:
    """Return the `count` best tokens of each row; of equal ones, the first.

    The largest values of so many pieces of a row are all in it, so the smallest of them is a bound that few others
    reach: ten times as fast as partitioning whole rows.
    """
    import numpy as np

    rows, width = block.shape
    size = max(1, min(_PIECE, width // count))
    pieces = width // size
    largest = block[:, : pieces * size].reshape(rows, pieces, size).max(axis=2)
    bound = np.sort(largest, axis=1)[:, -count]
    row, token = (block >= bound[:, None]).nonzero()
    order = np.lexsort((token, -block[row, token], row))
    first = np.searchsorted(row, np.arange(rows))
    best: NDArray[Any] = token[order[first[:, None] + np.arange(count)]]
    return best
