"""Matrices in a few bits, as an export stores them: unpacking, what they stand for, and how far that is from before."""

from __future__ import annotations

from typing import Any

FAR = 1e9
"""Steps, where a scale is zero or no number."""
ROWS = 4096
"""Rows that are looked at together: a vocabulary's matrix is large, and there are several of its size."""


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

        scales, zeros = self._per_block()
        found = self.values.astype(np.float32, order="C")
        blocks = _blocks(found, self.block)
        if blocks is None:
            found -= _spread(zeros, self.block, found.shape[1])
            found *= _spread(scales, self.block, found.shape[1])
        else:
            blocks -= zeros[:, :, None]
            blocks *= scales[:, :, None]
        return found

    def _per_block(self) -> tuple[Any, Any]:
        import numpy as np

        scales = np.asarray(self.scales, dtype=np.float32)
        return scales, np.broadcast_to(np.asarray(self.zeros, dtype=np.float32), scales.shape)

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
        """Return how far the numbers are from the matrix that they were made of: see MatrixDump.

        Rounding to the nearest step leaves an error of at most half a step: 0.29 in the mean square, and more where the
        original lies on a grid of its own, as one that was quantised before. So errors are told in steps (the block's
        scale): the whole error, and by how much it exceeds that of the nearest number, for the worst block and row.
        """
        import numpy as np

        count, columns = dense.shape
        parts = [self._errors(dense, original, at) for at in range(0, count, ROWS)]
        whole, beyond, squares = (np.concatenate([part[i] for part in parts]) for i in range(3))
        power = sum(float(np.square(original[at : at + ROWS], dtype=np.float64).sum()) for at in range(0, count, ROWS))
        steps, row, block = _worst(whole)
        over, over_row, over_block = _worst(beyond)
        return {
            "bits": self.bits,
            "block_size": self.block,
            "shape": [count, columns],
            "relative": _number(np.sqrt(squares.sum(dtype=np.float64) / power)) if power else 0.0,
            "steps": steps,
            "row": row,
            "block": block,
            "beyond": over,
            "beyond_row": over_row,
            "beyond_block": over_block,
            "bad_scales": int((~np.isfinite(np.asarray(self.scales, dtype=np.float32))).sum()),
        }

    def _errors(self, dense: Any, original: Any, at: int) -> tuple[Any, Any, Any]:
        """Return, of ROWS rows from `at` on and per block: the whole error in steps; how much of it the nearest
        numbers would not have; and its squares, in the numbers' own unit."""
        import numpy as np

        some, columns = self.rows(at, at + ROWS), dense.shape[1]
        error = np.abs(dense[at : at + ROWS] - original[at : at + ROWS], dtype=np.float32)
        scales = np.abs(np.asarray(some.scales, dtype=np.float32))
        with np.errstate(all="ignore"):  # scales of zero and NaN are faults to be told, not to be stopped by
            squares = self._sums(np.square(error))
            avoidable = some.avoidable(error, original[at : at + ROWS])
            lengths = np.full(scales.shape[1], self.block, dtype=np.float32)
            lengths[-1] -= scales.shape[1] * self.block - columns
            steps = np.maximum(scales, np.finfo(np.float32).tiny)
            whole, beyond = (
                np.nan_to_num(np.sqrt(sums / lengths) / steps, nan=FAR, posinf=FAR)  # JSON holds numbers only
                for sums in (squares, avoidable)
            )
        return whole, beyond, squares

    def avoidable(self, error: Any, original: Any) -> Any:
        """Return the sums over blocks of the squares of what the nearest numbers would not err by.

        A number that errs by less than half a step is the nearest one, so only the others are looked at.
        """
        import numpy as np

        scales, zeros = self._per_block()
        half = np.abs(scales) / 2
        blocks = _blocks(error, self.block)
        if blocks is None:
            far = ~(error <= _spread(half, self.block, error.shape[1]))
        else:
            far = ~(blocks <= half[:, :, None]).reshape(error.shape)
        rows, columns = np.nonzero(far)
        places = (rows, columns // self.block)
        least = self.least(original[rows, columns], scales[places], zeros[places])
        excess = np.maximum(error[rows, columns] - np.nan_to_num(least, nan=0.0, posinf=0.0), 0)
        number = np.ravel_multi_index(places, scales.shape)
        return np.bincount(number, np.square(excess), minlength=scales.size).reshape(scales.shape)

    def least(self, original: Any, scales: Any, zeros: Any) -> Any:
        """Return the error of the nearest number that scales and zero points can express, value by value."""
        import numpy as np

        low = -(1 << (self.bits - 1)) if self.values.dtype.kind == "i" else 0
        nearest = np.clip(np.rint(original / scales + zeros), low, low + (1 << self.bits) - 1)
        return np.where(scales == 0, 0, np.abs((nearest - zeros) * scales - original))

    def _sums(self, values: Any) -> Any:
        """Return the sums over blocks of columns, the last of which may be shorter."""
        import numpy as np

        blocks = _blocks(values, self.block)
        if blocks is not None:
            return blocks.sum(axis=2)
        return np.add.reduceat(values, np.arange(0, values.shape[1], self.block), axis=1)


def _worst(in_steps: Any) -> tuple[float, list[Any], list[Any]]:
    """Return the root mean square over everything, of the worst row (its number first), and of the worst block."""
    import numpy as np

    by_row = np.sqrt(np.square(in_steps, dtype=np.float64).mean(axis=1))
    row, block = np.unravel_index(int(in_steps.argmax()), in_steps.shape)
    return (
        float(np.sqrt(np.square(by_row).mean())),
        [int(by_row.argmax()), float(by_row.max())],
        [int(row), int(block), float(in_steps.max())],
    )


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


def _blocks(matrix: Any, block: int) -> Any:
    """Return a view (rows, blocks, columns of a block) of a matrix, or None where its last block is shorter."""
    rows, columns = matrix.shape
    return None if columns % block else matrix.reshape(rows, columns // block, block)
