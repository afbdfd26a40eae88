"""Which norms a graph has, in the forms that the GenAI builder, optimum and PyTorch write."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import onnx_ir as ir

from .constants import PREFIX, integer, real, scalar
from .decomposed import match

Kind = Literal["rms", "layer"]
Form = Literal["fused", "skip", "decomposed"]

_FUSED: dict[tuple[str, str], Kind] = {
    ("", "SimplifiedLayerNormalization"): "rms",
    ("", "RMSNormalization"): "rms",
    ("", "LayerNormalization"): "layer",
}
_SKIP: dict[tuple[str, str], Kind] = {
    ("com.microsoft", "SkipSimplifiedLayerNormalization"): "rms",
    ("com.microsoft", "SkipLayerNormalization"): "layer",
}
_LAYER = re.compile(r"(?:layers|layer|blocks|block|h)[./](\d+)(?=[./]|$)")


@dataclass(frozen=True, kw_only=True, eq=False)
class Norm:
    """One norm: its input is the sum of `summands` (one, but for Skip forms), normalised from `axis` to the end.

    `node` computes it (for a decomposed norm: its last node, before the weight). `present` is the scale that an
    earlier healing put in front (1: none). `weight` is absent from decomposed norms, which keep theirs as it is; only
    they have a `row`, the value that is squared.
    """

    name: str
    kind: Kind
    form: Form
    node: ir.Node
    summands: tuple[ir.Value, ...]
    weight: ir.Value | None
    bias: ir.Value | None
    epsilon: float
    axis: int
    present: int
    row: ir.Value | None = None

    @property
    def layer(self) -> int | None:
        """The number of the layer, as far as names tell."""
        for name in (self.name, self.weight.name if self.weight is not None else None):
            found = _LAYER.search(name or "")
            if found:
                return int(found[1])
        return None

    @property
    def computed(self) -> tuple[ir.Value, ...]:
        """The values whose widest type is the one that DirectML squares and averages in."""
        if self.row is not None:
            return (self.row,)
        return (self.summands[0],) if self.weight is None else (self.summands[0], self.weight)


def find(model: ir.Model) -> list[Norm]:
    """Return the norms of a model's main graph, in the graph's order."""
    return list(_norms(model.graph))


def count_unexamined(model: ir.Model) -> int:
    """Count the norms in branches, loops and functions, which `find` does not look into."""
    main = {id(node) for node in model.graph}
    nested = [node for node in ir.traversal.RecursiveGraphIterator(model.graph) if id(node) not in main]
    inside = [*nested, *(node for function in model.functions.values() for node in function)]
    return sum(1 for node in inside if _key(node) in _FUSED or _key(node) in _SKIP or match(node) is not None)


def _key(node: ir.Node) -> tuple[str, str]:
    return ("" if node.domain == "ai.onnx" else node.domain, node.op_type)


def _norms(graph: ir.Graph) -> Iterator[Norm]:
    for node in graph:
        key = _key(node)
        if key in _FUSED:
            yield _fused(node, _FUSED[key])
        elif key in _SKIP:
            yield _skip(node, _SKIP[key])
        elif node.op_type == "ReduceMean":
            norm = _decomposed(node)
            if norm is not None:
                yield norm


def _fused(node: ir.Node, kind: Kind) -> Norm:
    source = _required(node, 0)
    return Norm(
        name=_name(node),
        kind=kind,
        form="fused",
        node=node,
        summands=(source,),
        weight=_input(node, 1),
        bias=_input(node, 2) if kind == "layer" else None,
        epsilon=real(node, "epsilon", 1e-5),
        axis=integer(node, "axis", -1),
        present=_present(source),
    )


def _skip(node: ir.Node, kind: Kind) -> Norm:
    added = _input(node, 3 if kind == "rms" else 4)
    return Norm(
        name=_name(node),
        kind=kind,
        form="skip",
        node=node,
        summands=(_required(node, 0), _required(node, 1), *([] if added is None else [added])),
        weight=_input(node, 2),
        bias=_input(node, 3) if kind == "layer" else None,
        epsilon=real(node, "epsilon", 1e-12),
        axis=-1,
        present=1,
    )


def _decomposed(mean: ir.Node) -> Norm | None:
    found = match(mean)
    last = found.normalized.producer() if found is not None else None
    if found is None or last is None:
        return None
    return Norm(
        name=_name(mean),
        kind="layer" if found.centred else "rms",
        form="decomposed",
        node=last,
        summands=(found.source,),
        weight=None,
        bias=None,
        epsilon=found.epsilon,
        axis=-1,
        present=_present(found.source),
        row=found.row,
    )


def _name(node: ir.Node) -> str:
    return node.name or (node.outputs[0].name if node.outputs else "") or node.op_type


def _input(node: ir.Node, index: int) -> ir.Value | None:
    return node.inputs[index] if index < len(node.inputs) else None


def _required(node: ir.Node, index: int) -> ir.Value:
    value = _input(node, index)
    if value is None:
        raise ValueError(f"{node.op_type} '{node.name}' has no input {index}")
    return value


def _present(source: ir.Value) -> int:
    """Return the scale in front of a norm that an earlier healing put there."""
    node = source.producer()
    if node is None or node.op_type != "Mul" or not (node.name or "").startswith(PREFIX):
        return 1
    factor = scalar(node.inputs[1])
    return round(1 / factor) if factor else 1
