"""Graphs made of a graph: the whole with more outputs, or one unit alone, with references to the same weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
from onnx import helper, numpy_helper

from .structure import Graph
from .units import Unit


def tapped(graph: Graph, names: Iterable[str], target: Path) -> None:
    """Write the whole graph with the values `names` as further outputs."""
    model = onnx.ModelProto()
    model.CopyFrom(graph.model)
    present = {value.name for value in model.graph.output}
    for name in dict.fromkeys(names):
        if name in graph.producers and name not in present:
            model.graph.output.append(_described(graph, name))
    target.write_bytes(model.SerializeToString())


def alone(unit: Unit, kinds: Mapping[str, str], target: Path, *, whole: bool = False) -> None:
    """Write a unit as a model of its own. `kinds`: numpy types of inputs that the graph declares none for.

    With `whole` its weights are in it, so that it can be taken elsewhere.
    """
    model = alone_model(unit, kinds)
    if whole:
        for tensor in model.graph.initializer:
            _take_in(tensor, unit.graph.path.parent)
    target.write_bytes(model.SerializeToString())


def _take_in(tensor: onnx.TensorProto, folder: Path) -> None:
    """Put a tensor's numbers into it. Not by onnx itself, which refuses files with several links, as exports share."""
    if tensor.data_location != onnx.TensorProto.EXTERNAL:
        return
    told = {entry.key: entry.value for entry in tensor.external_data}
    with (folder / told["location"]).open("rb") as stream:
        stream.seek(int(told.get("offset", 0)))
        tensor.raw_data = stream.read(int(told["length"]) if "length" in told else -1)
    tensor.ClearField("external_data")
    tensor.data_location = onnx.TensorProto.DEFAULT


def numbers(tensor: onnx.TensorProto, folder: Path) -> Any:
    """Return a tensor's numbers; `folder` holds the file that they may be in."""
    whole = onnx.TensorProto()
    whole.CopyFrom(tensor)
    _take_in(whole, folder)
    return numpy_helper.to_array(whole)


def alone_model(unit: Unit, kinds: Mapping[str, str]) -> onnx.ModelProto:
    """Return a unit as a model of its own."""
    graph = unit.graph
    read = [name for index in unit.nodes for name in graph.reads(index) if name in graph.fixed]
    constants = [graph.nodes[graph.producers[name]] for name in dict.fromkeys(read) if name in graph.producers]
    made = helper.make_graph(
        [*constants, *(graph.nodes[index] for index in unit.nodes)],
        "unit",
        [_described(graph, name, kinds.get(name, "")) for name in unit.inputs],
        [_described(graph, name) for name in unit.outputs],
        [graph.initializers[name] for name in dict.fromkeys(read) if name in graph.initializers],
    )
    model = helper.make_model(made, opset_imports=graph.model.opset_import, functions=graph.model.functions)
    model.ir_version = graph.model.ir_version
    return model


def _described(graph: Graph, name: str, kind: str = "") -> onnx.ValueInfoProto:
    """Return what is declared of a value; where nothing is, its type, or for an output its name alone."""
    known: onnx.ValueInfoProto | None = graph.described.get(name)
    if known is not None and known.type.tensor_type.elem_type:
        return known
    if kind:
        return helper.make_tensor_value_info(name, getattr(onnx.TensorProto, _ONNX.get(kind, kind.upper())), None)
    return onnx.ValueInfoProto(name=name)


_ONNX = {"float32": "FLOAT", "float64": "DOUBLE"}


def weights_apart(unit: Unit, other: Unit) -> list[str]:
    """Return in words which weights of two units differ, where they are of one shape and type."""
    told = []
    for mine, yours in _pairs(unit, other):
        a, b = (numbers(t, u.graph.path.parent) for t, u in ((mine, unit), (yours, other)))
        if a.shape == b.shape and a.dtype == b.dtype:
            apart = (a != b) & ~((a != a) & (b != b))  # NaN beside NaN is no difference
            if apart.any():
                told.append(f"{mine.name} differs in {int(apart.sum())} of {a.size} numbers")
        elif a.shape != b.shape:
            told.append(f"{mine.name} has the shape {list(a.shape)} instead of {list(b.shape)}")
    return told


def _pairs(unit: Unit, other: Unit) -> Sequence[tuple[Any, Any]]:
    ours, theirs = ([u.graph.initializers[n] for n in u.last.input if n in u.graph.initializers] for u in (unit, other))
    return list(zip(ours, theirs, strict=False)) if unit.last.op_type == other.last.op_type else []
