"""What a graph consists of: its stages (layers, what lies before and after), and who makes and reads a value."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import onnx

BEFORE = -1
"""The stage of what comes before the layers."""
CHUNK = 16
"""Operators of a stage where no name tells of layers."""
_LAYER = re.compile(r"(?:layers|layer|blocks|block|h)[./](\d+)(?=[./]|$)")


class UnreadableError(Exception):
    """A file is no graph; the message is for people."""


class Graph:
    """A graph without the numbers of its weights. Nodes are known by their number in the graph's own order."""

    def __init__(self, path: Path, model: onnx.ModelProto | None = None) -> None:
        self.path = path
        try:
            self.model = model or onnx.load(path, load_external_data=False)
        except Exception as error:  # protobuf raises many kinds
            raise UnreadableError(f"The graph {path} cannot be read: {error}") from error
        if not self.model.graph.output:
            raise UnreadableError(f"{path} holds no graph.")
        self.nodes = list(self.model.graph.node)
        self.initializers = {tensor.name: tensor for tensor in self.model.graph.initializer}
        self.producers = {name: i for i, node in enumerate(self.nodes) for name in node.output if name}
        self.fixed = {*self.initializers, *(n.output[0] for n in self.nodes if n.op_type == "Constant")}
        self.inputs = {v.name: v for v in self.model.graph.input if v.name not in self.initializers}
        self.outputs = {value.name for value in self.model.graph.output}
        self.described = {v.name: v for v in (*self.model.graph.value_info, *self.model.graph.output)} | self.inputs
        self.stages = self._stages()

    def reads(self, index: int) -> list[str]:
        """Return the names that a node reads, those that graphs inside it take from around them, too."""
        node = self.nodes[index]
        return [*(name for name in node.input if name), *dict.fromkeys(_from_outside(node))]

    def changing(self, index: int) -> list[str]:
        """Return the values that a node reads and that are no constants."""
        return [name for name in dict.fromkeys(self.reads(index)) if name not in self.fixed]

    def readers(self) -> dict[str, list[int]]:
        """Return which nodes read each value."""
        found: dict[str, list[int]] = {}
        for index in range(len(self.nodes)):
            for name in self.reads(index):
                found.setdefault(name, []).append(index)
        return found

    def width(self, name: str) -> int:
        """Return how many numbers a value has for each token, as far as it is declared."""
        value, count = self.described.get(name), 1
        for dim in value.type.tensor_type.shape.dim if value is not None else ():
            count *= max(1, dim.dim_value)
        return count

    def kind(self, name: str) -> str:
        """Return the type of a value as numpy calls it, "" where none is declared."""
        value = self.described.get(name)
        number = value.type.tensor_type.elem_type if value is not None else 0
        return str(onnx.helper.tensor_dtype_to_np_dtype(number)) if number else ""

    def _stages(self) -> list[int]:
        own = [_layer(node) for node in self.nodes]
        if not any(layer is not None for layer in own):
            return [index // CHUNK for index in range(len(self.nodes))]
        stages: list[int] = []
        for index, layer in enumerate(own):
            made = (self.producers.get(name, len(self.nodes)) for name in self.reads(index))
            inherited = max((stages[i] for i in made if i < index), default=BEFORE)
            stages.append(inherited if layer is None else max(layer, inherited))
        return stages


def _layer(node: onnx.NodeProto) -> int | None:
    for name in (node.name, *node.output):
        found = _LAYER.search(name)
        if found:
            return int(found[1])
    return None


def _from_outside(node: onnx.NodeProto) -> Iterator[str]:
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            own = {v.name for v in (*graph.input, *graph.initializer)} | {n for node in graph.node for n in node.output}
            inner = [name for node in graph.node for name in (*node.input, *_from_outside(node))]
            outputs = [value.name for value in graph.output]
            yield from (name for name in (*inner, *outputs) if name and name not in own)
