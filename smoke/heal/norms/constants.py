"""Reading constants out of a graph, and looking through casts."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

PREFIX = "stable_norms/"
"""Names of everything that the rewrite adds begin with this; it is how a healed norm is recognised."""

_MOST_ELEMENTS = 16


def scalar(value: ir.Value | None) -> float | None:
    """Return the number that a value always has, or None when it varies or has more than one element."""
    numbers = vector(value)
    return numbers[0] if numbers is not None and len(numbers) == 1 else None


def vector(value: ir.Value | None) -> list[float] | None:
    """Return the few numbers that a constant consists of, or None; never reads a large (external) tensor."""
    if value is None:
        return None
    tensor = ir.convenience.get_const_tensor(value)
    if tensor is None or tensor.size > _MOST_ELEMENTS:
        return None
    return [float(number) for number in tensor.numpy().reshape(-1)]


def integers(node: ir.Node, name: str, index: int) -> list[int] | None:
    """Return an operator's integers that older versions have as attribute `name` and newer ones as input `index`."""
    attribute = node.attributes.get(name)
    if attribute is not None:
        numbers: Sequence[int] = attribute.as_ints()
        return list(numbers)
    numbers_in = vector(node.inputs[index]) if len(node.inputs) > index else None
    return None if numbers_in is None else [int(number) for number in numbers_in]


def integer(node: ir.Node, name: str, default: int) -> int:
    """Return an integer attribute, or its default."""
    attribute = node.attributes.get(name)
    return default if attribute is None else attribute.as_int()


def real(node: ir.Node, name: str, default: float) -> float:
    """Return a floating-point attribute, or its default."""
    attribute = node.attributes.get(name)
    return default if attribute is None else attribute.as_float()


def before_casts(value: ir.Value | None) -> ir.Value | None:
    """Return what a value was before it was cast (the value itself when it was not)."""
    while value is not None:
        node = value.producer()
        if node is None or node.op_type != "Cast":
            return value
        value = node.inputs[0]
    return None


def consumers(value: ir.Value) -> list[ir.Node]:
    """Return the nodes that use a value, looking through casts."""
    found: list[ir.Node] = []
    for node, _ in value.uses():
        found += consumers(node.outputs[0]) if node.op_type == "Cast" else [node]
    return found


def dtype_of(value: ir.Value | None) -> ir.DataType | None:
    """Return the element type that the graph declares for a value, or None where it does not say."""
    if value is None:
        return None
    tensor = value.const_value
    return tensor.dtype if tensor is not None else value.dtype
