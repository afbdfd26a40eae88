"""Engine: the reference with the weights of a quantised export, as the numbers that those stand for.

What an int4 backend computes should be this, but for the arithmetic of its own kernels; and how far this is from the
reference is what quantisation costs. So a wrong kernel cannot hide behind the loss that four bits bring. The graph is
transformers', not the export's: what is wrong with the export's own graph shows as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import engine_transformers
import quantised_onnx
import quantised_openvino
import twin_names
import worker_dump
import worker_engine
from quantised import Quantised

VERSIONS = (*engine_transformers.VERSIONS, "onnx-ir", "openvino")
LIBRARIES = engine_transformers.LIBRARIES

SAMPLE, ALIKE = 16, 0.5
"""Rows by which a matrix without a known name is recognised, and how far they may be apart, as a share."""

TOGETHER = 512
"""Tokens that go through the model together: their logits take 400 MB where the vocabulary has 200,000."""


class TwinEngine(engine_transformers.TransformersEngine):
    """The reference's class; `weights` says how far each matrix is from the original."""

    def __init__(self, model: Any, tokenizer: Any, weights: list[dict[str, Any]]) -> None:
        super().__init__(model, tokenizer)
        self._weights = weights

    def matrices(self) -> list[dict[str, Any]]:
        """See Engine."""
        return self._weights

    def pieces(self, ids: Sequence[int], sizes: Sequence[int]) -> Iterator[Any]:
        """See Engine. Steps are taken together: in exact arithmetic nothing depends on it but the time."""
        groups = together(sizes)
        for group, block in zip(groups, super().pieces(ids, [sum(group) for group in groups])):  # noqa: B905 - 3.9
            for start, end in worker_engine.bounds(group):
                yield block[start:end]


def together(sizes: Sequence[int]) -> list[list[int]]:
    """Return the pieces of these sizes in groups of at most TOGETHER tokens, where a piece alone is not larger."""
    groups: list[list[int]] = []
    for size in sizes:
        if groups and sum(groups[-1]) + size <= TOGETHER:
            groups[-1].append(size)
        else:
            groups.append([size])
    return groups


def load(job: Mapping[str, Any]) -> worker_engine.Engine:
    """Load the Hugging Face folder `job["source"]` in float32 with the weights of the export `job["model"]`."""
    base: Any = engine_transformers.load({**job, "model": job["source"]})
    worker_engine.require_file(job["model"], worker_dump.RECORD)
    reader = quantised_onnx if Path(job["model"], "genai_config.json").is_file() else quantised_openvino
    return TwinEngine(base.model, base.tokenizer, _exchange(base.model, reader.matrices(job["model"])))


def _exchange(model: Any, matrices: Any) -> list[dict[str, Any]]:
    """Put the exported matrices in the place of the model's; return how far each is from what was there."""
    _untie(model)
    parameters = {name: value for name, value in model.named_parameters() if value.dim() == 2}
    shapes = {name: tuple(value.shape) for name, value in parameters.items()}
    told: list[dict[str, Any]] = []
    for matrix in matrices:
        found = twin_names.pieces(matrix.name, matrix.values.shape, shapes) or _by_value(matrix, parameters)
        if not found:
            raise worker_engine.UnavailableError(
                f"The matrix {matrix.name} {matrix.values.shape} of the export is none of the model's that is known "
                "here, so its weights cannot be put into transformers' model."
            )
        told += [_place(matrix, piece, parameters[piece.parameter]) for piece in found]
    if not told:
        raise worker_engine.UnavailableError("The export holds no quantised matrix that is known here.")
    return told


def _by_value(matrix: Quantised, parameters: Mapping[str, Any]) -> list[twin_names.Piece]:
    """Return the parameter that a matrix was made of by its numbers, where its name tells nothing."""
    import numpy as np

    sample = matrix.rows(0, SAMPLE).dense()
    best, least = "", ALIKE
    for name, parameter in parameters.items():
        if tuple(parameter.shape) == tuple(matrix.values.shape):
            original = parameter.detach().numpy()[:SAMPLE]
            apart = float(np.linalg.norm(sample - original) / (np.linalg.norm(original) or 1.0))
            best, least = (name, apart) if apart < least else (best, least)
    return [twin_names.Piece(best, 0, len(matrix.values), 0)] if best else []


def _place(matrix: Quantised, piece: twin_names.Piece, parameter: Any) -> dict[str, Any]:
    import torch

    rows = matrix.rows(piece.start, piece.end)
    dense = rows.dense()
    target = parameter.data[piece.at : piece.at + len(dense)]
    told = {"name": piece.parameter, **rows.measured(dense, target.numpy())}
    target.copy_(torch.from_numpy(dense))
    return told


def _untie(model: Any) -> None:
    """Give the head a matrix of its own where it shares the embedding's: an export may quantise one of them only."""
    import torch

    head, table = model.get_output_embeddings(), model.get_input_embeddings()
    if head is not None and head.weight is table.weight:
        head.weight = torch.nn.Parameter(table.weight.detach().clone(), requires_grad=False)
        model.config.tie_word_embeddings = False
