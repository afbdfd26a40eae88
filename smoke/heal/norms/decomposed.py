"""Norms that an exporter wrote out as Pow, ReduceMean, Add, Sqrt and Div, in the variants that are about."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from .constants import before_casts, consumers, integer, integers, scalar


@dataclass(frozen=True, kw_only=True)
class Decomposed:
    """One recognised norm: `row` is what is squared and averaged, `source` what was normalised.

    The two differ by a subtraction of the mean for a LayerNorm (`centred`). `normalized` is the row divided by its
    root mean square, before weight and bias.
    """

    row: ir.Value
    source: ir.Value
    centred: bool
    epsilon: float
    normalized: ir.Value


def match(mean: ir.Node) -> Decomposed | None:
    """Recognise the norm around a ReduceMean over squares of the last axis; None when it is something else."""
    if mean.op_type != "ReduceMean" or not over_last_axis(mean):
        return None
    row = _squared(before_casts(mean.inputs[0]))
    found = _epsilon_added(mean.outputs[0])
    if row is None or found is None:
        return None
    shifted, epsilon = found
    normalized = _divided(row, shifted)
    if normalized is None:
        return None
    source = _centred_source(row)
    return Decomposed(row=row, source=source or row, centred=source is not None, epsilon=epsilon, normalized=normalized)


def over_last_axis(mean: ir.Node) -> bool:
    """Say whether a ReduceMean reduces exactly the last axis and keeps it as an axis of length 1."""
    axes = integers(mean, "axes", 1)
    shape = mean.inputs[0].shape if mean.inputs[0] is not None else None
    last = -1 if shape is None else len(shape) - 1
    return integer(mean, "keepdims", 1) == 1 and axes is not None and len(axes) == 1 and axes[0] in {-1, last}


def _squared(value: ir.Value | None) -> ir.Value | None:
    """Return x where `value` is x·x or x²."""
    node = value.producer() if value is not None else None
    if node is None or len(node.inputs) != 2:
        return None
    if node.op_type == "Mul" and node.inputs[0] is node.inputs[1]:
        return node.inputs[0]
    if node.op_type == "Pow" and scalar(node.inputs[1]) == 2:
        return node.inputs[0]
    return None


def _epsilon_added(mean: ir.Value) -> tuple[ir.Value, float] | None:
    """Return the sum of the mean square and ε, and ε."""
    for node in consumers(mean):
        if node.op_type == "Add":
            for epsilon in map(scalar, node.inputs):
                if epsilon is not None and 0 <= epsilon < 1:
                    return node.outputs[0], epsilon
    return None


def _divided(row: ir.Value, shifted: ir.Value) -> ir.Value | None:
    """Return the row divided by the root of the shifted mean square, however the exporter wrote the division."""
    for node in consumers(shifted):
        if node.op_type == "Sqrt":
            return _divided_by(row, node.outputs[0])
        if node.op_type == "Pow" and scalar(node.inputs[1]) == -0.5:
            return _times(row, node.outputs[0])
    return None


def _divided_by(row: ir.Value, root: ir.Value) -> ir.Value | None:
    for node in consumers(root):
        if node.op_type == "Div" and _same(node.inputs[0], row):
            return node.outputs[0]
        if node.op_type == "Reciprocal" or (node.op_type == "Div" and scalar(node.inputs[0]) == 1):
            return _times(row, node.outputs[0])
    return None


def _times(row: ir.Value, inverse: ir.Value) -> ir.Value | None:
    for node in consumers(inverse):
        if node.op_type == "Mul" and any(_same(factor, row) for factor in node.inputs):
            return node.outputs[0]
    return None


def _same(one: ir.Value | None, other: ir.Value) -> bool:
    return one is not None and before_casts(one) is before_casts(other)


def _centred_source(row: ir.Value) -> ir.Value | None:
    """Return x where `row` is x minus its mean over the last axis."""
    centre = before_casts(row)
    node = centre.producer() if centre is not None else None
    if node is None or node.op_type != "Sub" or node.inputs[0] is None or node.inputs[1] is None:
        return None
    mean = (before_casts(node.inputs[1]) or node.inputs[1]).producer()
    if mean is None or mean.op_type != "ReduceMean" or not over_last_axis(mean):
        return None
    return node.inputs[0] if _same(mean.inputs[0], node.inputs[0]) else None
