"""The weights themselves, read once: numbers that are none, and an output layer that contradicts the embedding."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smoke.models.check.weights import Stored, Weights
from wheelhouse.errors import InputError

_CHUNK = 8 << 20
"""Bytes that are looked at together, whatever the size of a tensor."""
_EXPONENTS: dict[str, tuple[Any, int]] = {
    "F64": (np.uint64, 0x7FF0_0000_0000_0000),
    "F32": (np.uint32, 0x7F80_0000),
    "F16": (np.uint16, 0x7C00),
    "BF16": (np.uint16, 0x7F80),
}
"""How to read the numbers of a type as bits, and the bits that are all ones in infinity and NaN only."""
HEAD, EMBEDDING = "lm_head.weight", "model.embed_tokens.weight"


def require_sound(weights: Weights, *, tied: bool) -> None:
    """Raise InputError naming the first tensor that holds NaN or infinity, or a stored output layer that is not tied.

    Reads every byte of the weights, in pieces.
    """
    for name, stored in weights.tensors.items():
        if stored.tensor.dtype in _EXPONENTS:
            _require_finite(weights, name, stored)
    if tied and HEAD in weights.tensors and EMBEDDING in weights.tensors:
        _require_equal(weights)


def _require_finite(weights: Weights, name: str, stored: Stored) -> None:
    kind, mask = _EXPONENTS[stored.tensor.dtype]
    position = 0
    for block in _blocks(weights, stored, kind):
        bad = np.bitwise_and(block, kind(mask)) == mask
        if bad.any():
            first = int(np.argmax(bad))
            at = np.unravel_index(position + first, stored.tensor.shape) if stored.tensor.shape else ()
            where = ", ".join(str(int(i)) for i in at)
            raise InputError(
                f"{weights.folder / stored.file}: the tensor '{name}' holds NaN or infinity (first at [{where}]).",
                remedy="The training or a conversion has spoilt the model: take it from where it is whole.",
            )
        position += len(block)


def _require_equal(weights: Weights) -> None:
    head, embedding = weights.tensors[HEAD], weights.tensors[EMBEDDING]
    kinds = [_EXPONENTS[stored.tensor.dtype][0] for stored in (head, embedding)]
    same = head.tensor.dtype == embedding.tensor.dtype and all(
        np.array_equal(a, b)
        for a, b in zip(_blocks(weights, head, kinds[0]), _blocks(weights, embedding, kinds[1]), strict=True)
    )
    if not same:
        raise InputError(
            f"{weights.folder}: tie_word_embeddings is true, but the stored '{HEAD}' is another than '{EMBEDDING}'.",
            remedy="If the output layer is one of its own, say tie_word_embeddings: false; else remove that tensor.",
        )


def _blocks(weights: Weights, stored: Stored, kind: Any) -> Iterator[NDArray[Any]]:
    begin, end = stored.tensor.span
    with (weights.folder / stored.file).open("rb") as stream:
        stream.seek(begin)
        while begin < end:
            content = stream.read(min(_CHUNK, end - begin))
            if not content:
                raise InputError(f"{weights.folder / stored.file} was cut off while it was being read.")
            begin += len(content)
            yield np.frombuffer(content, dtype=np.dtype(kind).newbyteorder("<"))
