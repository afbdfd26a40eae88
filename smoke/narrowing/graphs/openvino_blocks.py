"""A model of OpenVINO as a graph of the values that an ONNX graph has, too: a node is the block between such values.

OpenVINO's names tell the module that a value belongs to (`__module.model.layers.3.self_attn.o_proj/…`), those of ONNX
Runtime GenAI's builder as well: so they are matched where both are built in that way, and where they are not, blocks
are larger. What a file with a graph is for ONNX is a JSON file for OpenVINO: which model, what is put in and taken.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

from . import cutting
from .structure import Graph, UnreadableError
from .units import GIVEN

Place = tuple[tuple[str, int], ...]
"""Where a value is: names of operators and numbers of their outputs; several are side by side along the last axis."""
FEW_BITS = ("i4", "u4", "i8", "u8", "nf4")
_NOTHING = ("Constant", "Convert", "Parameter", "ReadValue", "ShapeOf")
"""Operators that compute nothing."""
_ROOT = "__module."
_LINEAR = re.compile(r"/model/layers\.(\d+)/(attn|mlp)/(\w+_proj)/")
_IN_LAYER = re.compile(r"/model/layers\.(\d+)/(input_layernorm|post_attention_layernorm|attn|mlp)/(.*)$")


class Blocks(Graph):
    """The graph of blocks; `places` says where each value is."""

    def __init__(self, path: Path, left: Graph) -> None:
        import openvino

        try:
            self.model_of = openvino.Core().read_model(path)
        except RuntimeError as error:
            raise UnreadableError(f"The model {path} cannot be read: {error}") from error
        self.operators = {op.get_friendly_name(): op for op in self.model_of.get_ordered_ops()}
        self.left = left
        self.layers = 1 + max((int(m[1]) for n in left.producers if (m := _IN_LAYER.match(n))), default=0)
        self.of_module = self._modules()
        places = {name: self._place(name) for name in left.producers}
        self.places: dict[str, Place] = {name: place for name, place in places.items() if place}
        super().__init__(path, self._skeleton())

    def _modules(self) -> dict[str, str]:
        """Return the last operator of each module."""
        found = {}
        for name, op in self.operators.items():
            if name.startswith(_ROOT) and "/" in name and op.get_type_name() != "Constant":
                found[name.removeprefix(_ROOT).partition("/")[0]] = name
        return found

    def _place(self, name: str) -> Place:
        """Return where a value of the ONNX graph is; nothing where no such value is known."""
        if name == "/model/embed_tokens/Gather/output_0" or "embed_tokens/GatherBlockQuantized" in name:
            return self._of("model.embed_tokens")
        if name == self.left.model.graph.output[0].name:
            return ((self.model_of.outputs[0].get_node().input_value(0).get_node().get_friendly_name(), 0),)
        found = re.fullmatch(r"/model/layers\.\d+/final_norm_layernorm/output_(\d)", name)
        if found:
            return self._norm(name, "model.norm") if found[1] == "0" else ()
        found = _IN_LAYER.match(name)
        return self._in_layer(int(found[1]), found[2], found[3]) if found else ()

    def _in_layer(self, layer: int, part: str, rest: str) -> Place:
        module, here = f"model.layers.{layer}", f"/model/layers.{layer}/{part}"
        if rest == "output_0":
            return self._norm(f"{here}/{rest}", f"{module}.{part}")
        if rest == "output_3":  # the residual stream that goes into this norm
            before = f"model.layers.{layer - 1}/aten::add/Add_1"
            return self._named(f"{module}/aten::add/Add" if part.startswith("post") else before)
        if part == "attn" and rest.startswith("GroupQueryAttention/output_0"):
            return self._into(f"{module}.self_attn.o_proj")
        if part == "mlp" and rest == "Mul/output_0":
            return self._into(f"{module}.mlp.down_proj")
        linear, _, end = rest.partition("/")
        has_bias = f"{here}/{linear}/Add/output_0" in self.left.producers
        if not linear.endswith("_proj") or end != ("Add/output_0" if has_bias else "MatMul/output_0"):
            return ()
        return self._linear(module + (".self_attn." if part == "attn" else ".mlp."), linear)

    def _linear(self, module: str, linear: str) -> Place:
        if linear == "qkv_proj" and module + linear not in self.of_module:
            return self._side_by_side(f"{module}{n}_proj" for n in "qkv")
        if linear in ("gate_proj", "up_proj") and module + linear not in self.of_module:
            split = f"{_ROOT}{module.rstrip('.')}/prim::ListUnpack/VariadicSplit"
            return ((split, int(linear == "up_proj")),) if split in self.operators else ()
        return self._of(module + linear)

    def _side_by_side(self, modules: Iterable[str]) -> Place:
        found = [self._of(module) for module in modules]
        return tuple(place for each in found for place in each) if all(found) else ()

    def _of(self, module: str) -> Place:
        return ((self.of_module[module], 0),) if module in self.of_module else ()

    def _named(self, name: str) -> Place:
        return ((_ROOT + name, 0),) if _ROOT + name in self.operators else ()

    def _into(self, module: str) -> Place:
        """Return what a linear module reads."""
        products = [n for n, op in self.operators.items()
                    if n.startswith(f"{_ROOT}{module}/") and op.get_type_name() == "MatMul"]  # fmt: skip
        if not products:
            return ()
        source = self.operators[products[0]].input_value(0)
        return ((source.get_node().get_friendly_name(), source.get_index()),)

    def _norm(self, name: str, module: str) -> Place:
        """Return a norm's output; nothing where its weights have been moved into what follows."""
        found = self._of(module)
        node = self.left.nodes[self.left.producers[name]]
        weights = [cutting.numbers(self.left.initializers[n], self.left.path.parent) for n in node.input
                   if n in self.left.initializers]  # fmt: skip
        products = sum(n.startswith(f"{_ROOT}{module}/") and op.get_type_name() == "Multiply"
                       for n, op in self.operators.items())  # fmt: skip
        return found if products > 1 or all((w == 1).all() for w in weights) else ()

    def _is_small(self, op: Any) -> bool:
        return op.get_type_name() == "Constant" and str(op.get_element_type().to_string()).lower() in FEW_BITS

    def _skeleton(self) -> onnx.ModelProto:
        """Return an ONNX graph of the blocks, in OpenVINO's order."""
        ends = {place: name for name, places in self.places.items() for place in places}
        order = {name: i for i, name in enumerate(self.operators)}
        nodes = []
        for name, places in sorted(self.places.items(), key=lambda pair: max(order[n] for n, _ in pair[1])):
            made, inputs = self._behind(places, ends)
            last = max((n for n, _ in places), key=order.__getitem__)
            weights = any(self._is_small(self.operators[n]) for n in made)
            kind = self.operators[last].get_type_name()
            node = helper.make_node(f"Quantized{kind}" if weights else kind, inputs, [name], name=last)
            parts = dict.fromkeys(self.operators[operator].get_type_name() for operator in made)
            node.doc_string = ", ".join(part for part in parts if part not in _NOTHING)
            nodes.append(node)
        known = [helper.make_tensor_value_info(n, TensorProto.FLOAT, self._shape(p)) for n, p in self.places.items()]
        output = self.left.model.graph.output[0].name
        given = [*self.left.inputs.values()]
        outputs = [value for value in known if value.name == output]
        return helper.make_model(helper.make_graph(nodes, "blocks", given, outputs, value_info=known))

    def _shape(self, places: Place) -> list[Any]:
        shapes = [self.operators[n].output(port).get_partial_shape() for n, port in places]
        width = sum(shape[-1].get_length() if shape[-1].is_static else 1 for shape in shapes)
        return [None] * (len(shapes[0]) - 1) + [width]

    def _behind(self, places: Place, ends: dict[tuple[str, int], str]) -> tuple[list[str], list[str]]:
        """Return the operators between a value and those it is made of, and the names of these."""
        waiting = [name for name, _ in places]
        made = dict.fromkeys(waiting)
        inputs: dict[str, None] = {}
        while waiting:
            op = self.operators[waiting.pop()]
            if op.get_type_name() in ("Parameter", "ReadValue"):
                inputs[self.given(op)] = None
                continue
            for source in op.input_values():
                name, port = source.get_node().get_friendly_name(), source.get_index()
                if (name, port) in ends:
                    inputs[ends[(name, port)]] = None
                elif name not in made:
                    made[name] = None
                    waiting.append(name)
        return list(made), [name for name in inputs if name in {*GIVEN, *self.left.inputs, *self.places}]

    def given(self, op: Any) -> str:
        """Return the name of what is put in at a Parameter, or at a ReadValue (a cache)."""
        if op.get_type_name() == "Parameter":
            return str(op.output(0).get_any_name())
        variable = str(op.get_attributes()["variable_id"])
        return variable.partition("present.")[0]

    def puts(self) -> Iterator[tuple[str, str]]:
        """Yield the names of what is put in, and the operators where."""
        for name, op in self.operators.items():
            if op.get_type_name() in ("Parameter", "ReadValue"):
                yield self.given(op), name


def spec(
    blocks: Blocks, outputs: Iterable[str], target: Path, inputs: Iterable[str] | None = None, *, whole: bool = False
) -> None:
    """Write what a worker is to run: the model as it is with more outputs, or cut at `inputs`; `whole`: to be kept."""
    places = blocks.places | {name: ((operator, 0),) for name, operator in blocks.puts()}
    told = {
        "model": str(blocks.path.absolute()),
        "outputs": {name: blocks.places[name] for name in dict.fromkeys(outputs) if name in blocks.places},
        **({} if inputs is None else {"inputs": {name: places[name] for name in inputs if name in places}}),
        **({"keep": str(target.with_suffix(".xml"))} if whole else {}),
    }
    target.write_text(json.dumps(told), encoding="utf-8", newline="\n")
