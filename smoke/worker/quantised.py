"""Matrices in a few bits, as an export stores them: unpacking, what they stand for, and how far that is from before."""

from __future__ import annotations

from typing import Any

FAR = 1e9
"""Steps, where a scale is zero or no number."""


class Quantised:
    """A matrix (rows, columns): whole numbers, and per block of columns a scale and a zero point, as they are stored.

    `scales` are (rows, blocks); `zeros` likewise, or of any shape that broadcasts to it.
    """

    def __init__(self, *, name: str, values: Any, scales: Any, zeros: Any, block: int, bits: int) -> None:
        self.name, self.values, self.scales, self.zeros = name, values, scales, zeros
        self.block, self.bits = block, bits

    def dense(self) -> Any:
        """Return the float32 matrix that the numbers stand for."""
        import numpy as np

        scales = np.asarray(self.scales, dtype=np.float32)
        zeros = np.broadcast_to(np.asarray(self.zeros, dtype=np.float32), scales.shape)
        wide = _spread(scales, self.block, self.values.shape[1])
        return (self.values.astype(np.float32) - _spread(zeros, self.block, self.values.shape[1])) * wide

    def rows(self, start: int, end: int) -> Quantised:
        """Return some of the rows, as a matrix of their own."""
        zeros = self.zeros[start:end] if len(self.zeros) == len(self.values) else self.zeros
        return Quantised(
            name=self.name,
            values=self.values[start:end],
            scales=self.scales[start:end],
            zeros=zeros,
            block=self.block,
            bits=self.bits,
        )

    def measured(self, dense: Any, original: Any) -> dict[str, Any]:
        """Return how far the numbers are from the matrix that they were made of.

        Rounding to the nearest step leaves an error of at most half a step, 0.29 in the mean square, whatever the
        weights: so errors are told in steps (the block's scale), for the worst block and the worst row, and as a
        share of the original for the whole.
        """
        import numpy as np

        count, columns = dense.shape
        blocks = self.scales.shape[1]
        error = np.zeros((count, blocks * self.block), dtype=np.float32)
        np.subtract(dense, original, out=error[:, :columns])
        squares = np.square(error.reshape(count, blocks, self.block)).sum(axis=2)
        steps = np.abs(np.asarray(self.scales, dtype=np.float32))
        lengths = np.full(blocks, self.block, dtype=np.float32)
        lengths[-1] -= blocks * self.block - columns
        in_steps = np.sqrt(squares / lengths) / np.maximum(steps, np.finfo(np.float32).tiny)
        in_steps = np.nan_to_num(in_steps, nan=FAR, posinf=FAR)  # JSON holds numbers only
        by_row = np.sqrt(np.square(in_steps).mean(axis=1))
        power = float(np.square(original, dtype=np.float64).sum())
        row, block = np.unravel_index(int(in_steps.argmax()), in_steps.shape)
        return {
            "bits": self.bits,
            "block_size": self.block,
            "shape": [count, columns],
            "relative": _number(np.sqrt(squares.sum(dtype=np.float64) / power)) if power else 0.0,
            "steps": float(np.sqrt(np.square(in_steps, dtype=np.float64).mean())),
            "row": [int(by_row.argmax()), float(by_row.max())],
            "block": [int(row), int(block), float(in_steps.max())],
            "bad_scales": int((~np.isfinite(steps)).sum()),
        }


def _number(value: Any) -> float:
    import numpy as np

    return float(np.nan_to_num(value, nan=FAR, posinf=FAR))


def unpack(packed: Any, bits: int) -> Any:
    """Return numbers of `bits` bits out of bytes (rows, bytes), the lowest bits first."""
    import numpy as np

    if bits == 8:
        return packed
    per_byte = 8 // bits
    if 8 % bits:
        raise ValueError(f"numbers of {bits} bits are not known here")
    shifts = np.arange(per_byte, dtype=np.uint8) * bits
    return ((packed[:, :, None] >> shifts) & ((1 << bits) - 1)).reshape(len(packed), -1)


def _spread(per_block: Any, block: int, columns: int) -> Any:
    import numpy as np

    return np.repeat(per_block, block, axis=1)[:, :columns]
