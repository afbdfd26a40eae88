"""Measuring what enters each norm: mean squares in fp32, taken inside the running graph, never whole activations."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from onnx_ir.passes.common import RemoveUnusedNodesPass

from .constants import dtype_of
from .find import Norm, find
from .scale import FP16_NORMAL
from .sessions import Decoder, feeds, open_session, run, serialize

_TYPES = {
    "tensor(float16)": ir.DataType.FLOAT16,
    "tensor(float)": ir.DataType.FLOAT,
    "tensor(double)": ir.DataType.DOUBLE,
    "tensor(bfloat16)": ir.DataType.BFLOAT16,
}
_AXES_ARE_INPUTS = 18
"""From this opset on ReduceMean has its axes as an input."""


@dataclass(frozen=True, kw_only=True)
class Range:
    """Over all rows that entered a norm: largest and smallest mean square, where the largest was, how wide a row is.

    A LayerNorm's rows are taken less their mean: what it squares is the deviation, and a large mean does no harm.
    `worst_token` is the position in its text, where each token is one row; `width` is in elements.
    """

    worst: float
    least: float
    worst_token: int | None
    width: int


def types(graph: Path, *, threads: int) -> list[ir.DataType | None]:
    """Return the type that each norm computes in: from the graph's declarations, else from ONNX Runtime's inference."""
    model = ir.load(graph)
    norms = find(model)
    unknown = {id(v): v for norm in norms for v in norm.computed if dtype_of(v) is None}
    if unknown:
        probes = [ir.node("Identity", inputs=[value]) for value in unknown.values()]
        model.graph.extend(probes)
        _set_outputs(model, [_named(p.outputs[0], f"measured/type/{i}") for i, p in enumerate(probes)])
        session = open_session(serialize(model), graph.parent, threads=threads, optimize=False)
        for value, output in zip(unknown.values(), session.get_outputs(), strict=True):
            if output.type in _TYPES:
                value.dtype = _TYPES[output.type]
    return [_widest([dtype_of(value) for value in norm.computed]) for norm in norms]


def measure(
    graph: Path,
    decoder: Decoder,
    texts: Sequence[NDArray[np.int64]],
    *,
    wanted: Sequence[bool],
    threads: int,
    progress: Callable[[int, int], None],
) -> list[Range | None]:
    """Run `texts`, each of shape (batch, tokens), and return what entered each norm (None where not `wanted`).

    The graph is cut down to what the norms need: no logits are computed, no past is kept. `progress` is told how many
    texts of how many are done.
    """
    model = ir.load(graph)
    norms = [norm for norm, is_wanted in zip(find(model), wanted, strict=True) if is_wanted]
    outputs = [_named(_watch(model, norm), f"measured/{i}") for i, norm in enumerate(norms)]
    _set_outputs(model, outputs)
    for output in outputs:
        output.dtype = ir.DataType.FLOAT
    RemoveUnusedNodesPass()(model)
    session = open_session(serialize(model), graph.parent, threads=threads)
    names = [output.name for output in session.get_outputs()]
    found: list[Range | None] = [None] * len(norms)
    for done, ids in enumerate(texts):
        progress(done, len(texts))
        rows = run(session, names, feeds(session, decoder, ids))
        found = [_merged(old, _range(new, ids)) for old, new in zip(found, rows, strict=True)]
    progress(len(texts), len(texts))
    measured = iter(found)
    return [next(measured) if is_wanted else None for is_wanted in wanted]


def _named(value: ir.Value, name: str) -> ir.Value:
    value.name = name
    return value


def _set_outputs(model: ir.Model, outputs: Sequence[ir.Value]) -> None:
    model.graph.outputs.clear()
    model.graph.outputs.extend(outputs)


def _widest(kinds: Sequence[ir.DataType | None]) -> ir.DataType | None:
    wide = {ir.DataType.FLOAT, ir.DataType.DOUBLE}.intersection(kind for kind in kinds if kind is not None)
    return ir.DataType.FLOAT if wide else kinds[0]


def _watch(model: ir.Model, norm: Norm) -> ir.Value:
    """Add the nodes that compute [mean square, width] of each row of a norm's input, of shape (rows, 2)."""
    nodes: list[ir.Node] = []

    def add(kind: str, *inputs: ir.Value, **attributes: Any) -> ir.Value:
        nodes.append(ir.node(kind, inputs=list(inputs), attributes=attributes))
        return nodes[-1].outputs[0]

    wide = [add("Cast", summand, to=ir.DataType.FLOAT.value) for summand in norm.summands]
    row = wide[0]
    for summand in wide[1:]:
        row = add("Add", row, summand)

    def average(value: ir.Value) -> ir.Value:
        if model.graph.opset_imports.get("", _AXES_ARE_INPUTS) >= _AXES_ARE_INPUTS:
            return add("ReduceMean", value, add("Constant", value_ints=[1]), keepdims=1)
        return add("ReduceMean", value, axes=[1], keepdims=1)

    flat = add("Flatten", row, axis=norm.axis)
    if norm.kind == "layer":
        flat = add("Sub", flat, average(flat))
    mean = average(add("Mul", flat, flat))
    shape = add("Shape", flat)
    width = add("Cast", add("Gather", shape, add("Constant", value_int=1)), to=ir.DataType.FLOAT.value)
    pair = add("Concat", mean, add("Expand", width, add("Shape", mean)), axis=1)
    model.graph.insert_before(norm.node, nodes)
    return pair


def _range(rows: NDArray[np.float32], ids: NDArray[np.int64]) -> Range:
    """Summarise (rows, 2): mean squares, and the width. Rows of zeros say nothing about the smallest."""
    squares = rows[:, 0]
    worst = float(squares.max()) if np.isfinite(squares).all() else math.inf
    some = squares[squares > 0]
    each_token_is_a_row = len(squares) == ids.size
    return Range(
        worst=worst,
        least=float(some.min()) if len(some) else FP16_NORMAL,
        worst_token=int(squares.argmax()) % ids.shape[1] if each_token_is_a_row else None,
        width=int(rows[0, 1]),
    )


def _merged(old: Range | None, new: Range) -> Range:
    if old is None:
        return new
    worst = old if old.worst >= new.worst else new
    return Range(worst=worst.worst, least=min(old.least, new.least), worst_token=worst.worst_token, width=old.width)
