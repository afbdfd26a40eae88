"""Putting a scale in front of norms: norm(x, ε) becomes norm(x/s, ε/s²), with the rest of the graph as it was."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from .constants import PREFIX, dtype_of
from .find import Norm


@dataclass(frozen=True, kw_only=True)
class Change:
    """What is to be done to one norm: `scale` in front (1: none), with rows of `width` fp16 elements."""

    norm: Norm
    scale: int
    width: int


def rewrite(model: ir.Model, changes: Iterable[Change]) -> None:
    """Apply the changes to a model in memory. Weights are not touched, also where norms share them.

    From the last to the first: what a change puts in the place of a norm's outputs then reaches the rewritten norms
    behind it, whereas going forward these would still refer to the outputs that are gone.
    """
    for change in reversed(list(changes)):
        _Rewriter(model.graph, change).apply()


class _Rewriter:
    """The rewriting of one norm: collects the new nodes, then puts them where the old one was."""

    def __init__(self, graph: ir.Graph, change: Change) -> None:
        self._graph = graph
        self._norm = change.norm
        self._scale = change.scale
        self._width = change.width
        self._nodes: list[ir.Node] = []

    def apply(self) -> None:
        if self._norm.form == "fused":
            self._scale_input()
        elif self._norm.form == "skip":
            self._split()
        else:
            self._fuse()

    def _scale_input(self) -> None:
        """Put the multiplication in front of a norm operator, which stays."""
        node = self._norm.node
        node.replace_input_with(0, self._scaled(self._norm.summands[0]))
        node.attributes["epsilon"] = ir.AttrFloat32("epsilon", self._epsilon)
        self._graph.insert_before(node, self._nodes)
        self._unscale(node, node.outputs, at=node)

    def _split(self) -> None:
        """Make Add, Mul and norm of a Skip norm; the sum goes on unscaled to whatever used it."""
        old, norm = self._norm.node, self._norm
        total = norm.summands[0]
        for index, summand in enumerate(norm.summands[1:]):
            total = self._add("Add", f"Sum{index}", total, summand, like=norm.summands[0])
        operator = "SimplifiedLayerNormalization" if norm.kind == "rms" else "LayerNormalization"
        inputs = [self._scaled(total), norm.weight, *([self._bias_or_zeros()] if norm.kind == "layer" else [])]
        used = [o for o in old.outputs[1:3] if _is_used(o)]
        # RMS norms have no mean: their second output is what Skip norms give as the third.
        count = 1 if not used else 2 if norm.kind == "rms" else 3
        new = ir.node(operator, inputs=inputs, attributes=self._attributes(), num_outputs=count, name=old.name)
        self._nodes.append(new)
        self._graph.insert_before(old, self._nodes)
        _replace(old.outputs[0], new.outputs[0])
        if len(old.outputs) > 3:
            _replace(old.outputs[3], total)
        if used and norm.kind == "rms":
            _replace(old.outputs[2], new.outputs[1])
        elif used:
            _replace(old.outputs[1], new.outputs[1])
            _replace(old.outputs[2], new.outputs[2])
        self._graph.remove(old, safe=True)
        self._unscale(new, new.outputs, at=new)

    def _fuse(self) -> None:
        """Make one operator of a decomposed norm: its squares overflow long before their mean does.

        The operator gets a weight of ones; the exporter's own weight and bias stay behind it as they are.
        """
        old, norm = self._norm.node, self._norm
        ones = self._constant(f"ones_{self._width}", np.ones(self._width, np.float16))
        operator = "SimplifiedLayerNormalization" if norm.kind == "rms" else "LayerNormalization"
        inputs = [self._scaled(norm.summands[0]), ones, *([self._bias_or_zeros()] if norm.kind == "layer" else [])]
        new = ir.node(operator, inputs=inputs, attributes=self._attributes(), name=f"{PREFIX}{norm.name}/Norm")
        self._nodes.append(new)
        _describe(new.outputs[0], norm.summands[0])
        result = new.outputs[0]
        result.name = f"{new.name}/output_0"
        wanted = old.outputs[0]
        if dtype_of(wanted) not in {None, ir.DataType.FLOAT16}:
            result = self._add("Cast", "Cast", result, like=wanted, to=wanted.dtype.value)  # type: ignore[union-attr]
        self._graph.insert_before(old, self._nodes)
        _replace(wanted, result)
        _remove_unused(self._graph, old)

    def _scaled(self, value: ir.Value) -> ir.Value:
        if self._scale == 1:
            return value
        factor = self._constant(f"1_over_{self._scale}", np.array(1 / self._scale, np.float16))
        return self._add("Mul", "", value, factor, like=value)

    def _add(self, kind: str, suffix: str, *inputs: ir.Value, like: ir.Value, **attributes: Any) -> ir.Value:
        name = f"{PREFIX}{self._norm.name}{'/' if suffix else ''}{suffix}"
        node = ir.node(kind, inputs=list(inputs), attributes=attributes, name=name)
        _describe(node.outputs[0], like)
        node.outputs[0].name = f"{name}/output_0"
        self._nodes.append(node)
        return node.outputs[0]

    @property
    def _epsilon(self) -> float:
        return self._norm.epsilon / self._scale**2

    def _attributes(self) -> dict[str, Any]:
        return {"axis": -1, "epsilon": self._epsilon, "stash_type": 1}

    def _bias_or_zeros(self) -> ir.Value:
        """DirectML takes a LayerNormalization only with a bias; without one it would run on the CPU."""
        if self._norm.bias is not None:
            return self._norm.bias
        return self._constant(f"zeros_{self._width}", np.zeros(self._width, np.float16))

    def _constant(self, name: str, content: NDArray[Any]) -> ir.Value:
        """Return the initializer of that name, shared by all norms that need the same numbers."""
        name = f"{PREFIX}{name}"
        if name not in self._graph.initializers:
            tensor = ir.tensor(content, name=name)
            self._graph.register_initializer(
                ir.Value(name=name, const_value=tensor, type=ir.TensorType(tensor.dtype), shape=tensor.shape)  # type: ignore[arg-type]
            )
        return self._graph.initializers[name]

    def _unscale(self, node: ir.Node, outputs: Iterable[ir.Value], *, at: ir.Node) -> None:
        """Give users of the mean and of the inverse deviation what they had before: the row's, not the scaled row's."""
        _, *statistics = outputs
        if self._scale == 1:
            return
        for output in statistics:
            if not _is_used(output):
                continue
            is_mean = self._norm.kind == "layer" and output is node.outputs[1]
            factor = self._scale if is_mean else 1 / self._scale
            value = self._constant(f"times_{factor:g}", np.array(factor, np.float32))
            fixed = ir.node("Mul", inputs=[output, value], name=f"{PREFIX}{output.name}")
            name, output.name = output.name, f"{PREFIX}{output.name}/scaled"
            _describe(fixed.outputs[0], output)
            fixed.outputs[0].name = name
            output.replace_all_uses_with(fixed.outputs[0], replace_graph_outputs=True)
            fixed.replace_input_with(0, output)
            self._graph.insert_after(at, [fixed])


def _is_used(value: ir.Value) -> bool:
    return bool(value.uses()) or value.is_graph_output()


def _describe(value: ir.Value, like: ir.Value) -> None:
    """Declare a new value's type and shape where those of the value it resembles are known."""
    value.type = like.type
    value.shape = like.shape


def _replace(old: ir.Value, new: ir.Value) -> None:
    """Let `new` take the place, the name and the declared type of `old`."""
    name = old.name
    old.name = f"{PREFIX}replaced"
    if name:
        new.name = name
    if old.type is not None:
        _describe(new, old)
    old.replace_all_uses_with(new, replace_graph_outputs=True)


def _remove_unused(graph: ir.Graph, node: ir.Node) -> None:
    """Remove a node whose outputs nothing uses any more, then in turn what only it needed."""
    if any(_is_used(output) for output in node.outputs):
        return
    producers = [value.producer() for value in node.inputs if value is not None]
    graph.remove(node, safe=True)
    for producer in producers:
        if producer is not None and producer.graph is graph:
            _remove_unused(graph, producer)
