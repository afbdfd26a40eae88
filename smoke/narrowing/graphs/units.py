"""The units of a graph: the least parts that run on values that another graph has, too. Most are one operator."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import onnx

from .structure import Graph

GIVEN = ("input_ids", "attention_mask", "position_ids")
"""Values that are known whether or not the other graph reads them."""


@dataclass(frozen=True, kw_only=True)
class Unit:
    """Nodes that make `outputs` (which both graphs have) of `inputs`; the last of them gives it its name."""

    graph: Graph
    nodes: tuple[int, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @property
    def last(self) -> onnx.NodeProto:
        """The operator that makes the outputs."""
        last: onnx.NodeProto = self.graph.nodes[self.nodes[-1]]
        return last

    @property
    def name(self) -> str:
        """Its operator's name."""
        return self.last.name or self.outputs[0]


def units(graph: Graph, other: Graph) -> list[Unit]:
    """Return the units of `graph` in its order, over the values that `other` has under the same name."""
    readers = graph.readers()
    known = {name for name in graph.producers if name in other.producers and name not in other.fixed} - graph.fixed
    ends = known | set(graph.inputs) | set(GIVEN)
    found = []
    for index, node in enumerate(graph.nodes):
        outputs = tuple(n for n in node.output if n in known and (n in readers or n in graph.outputs))
        if node.op_type != "Constant" and outputs:
            nodes, inputs = _behind(graph, index, ends)
            found.append(Unit(graph=graph, nodes=nodes, inputs=inputs, outputs=outputs))
    return found


def _behind(graph: Graph, index: int, ends: set[str]) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Return the nodes that a node needs beginning at values in `ends`, and which of those they are."""
    nodes, waiting = {index}, [index]
    inputs: dict[str, None] = {}
    while waiting:
        for name in graph.changing(waiting.pop(0)):
            if name in ends or name not in graph.producers:
                inputs[name] = None
            elif graph.producers[name] not in nodes:
                nodes.add(graph.producers[name])
                waiting.append(graph.producers[name])
    return tuple(sorted(nodes)), tuple(inputs)


def partner(unit: Unit, others: Iterable[Unit]) -> Unit | None:
    """Return the unit of the other graph that makes the same values."""
    return next((other for other in others if set(other.outputs) & set(unit.outputs)), None)


def differences(unit: Unit, other: Unit | None) -> list[str]:
    """Return in words what a unit is made of differently than in the other graph."""
    if other is None:
        return []
    ours, theirs = unit.last, other.last
    names = {node.name for node in other.graph.nodes}
    told = [
        f"{node.op_type} {node.name} is in the right graph only"
        for node in (unit.graph.nodes[i] for i in unit.nodes)
        if node.name not in names and node.op_type != "Constant" and (len(unit.nodes) > 1 or ours is not node)
    ]
    missing = {unit.graph.nodes[i].name for i in unit.nodes}
    told += [
        f"{node.op_type} {node.name} is in the left graph only"
        for node in (other.graph.nodes[i] for i in other.nodes[:-1])
        if node.name not in missing and node.op_type != "Constant"
    ]
    if ours.op_type != theirs.op_type:
        return [*told, f"{ours.op_type} instead of {theirs.op_type}"]
    told += _attributes(ours, theirs)
    for number, (mine, yours) in enumerate(zip(ours.input, theirs.input, strict=False)):
        weights = mine in unit.graph.fixed and yours in other.graph.fixed
        if mine != yours and not weights and len(unit.nodes) == 1:
            told.append(f"its input {number} is {mine or 'absent'} instead of {yours or 'absent'}")
    return told


def _attributes(ours: onnx.NodeProto, theirs: onnx.NodeProto) -> list[str]:
    mine, yours = ({a.name: _value(a) for a in node.attribute} for node in (ours, theirs))
    return [
        f"{name} {mine.get(name, 'absent')} instead of {yours.get(name, 'absent')}"
        for name in sorted({*mine, *yours})
        if mine.get(name) != yours.get(name)
    ]


def _value(attribute: onnx.AttributeProto) -> Any:
    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, float):
        return float(f"{value:.7g}")
    return value if isinstance(value, int | float | str | bytes | list) else f"a {type(value).__name__}"
