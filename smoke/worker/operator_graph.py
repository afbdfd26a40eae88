"""Building a model of one node, and what it is fed. Imports numpy and onnx only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from onnx import helper, numpy_helper

Dims = Mapping[str, int]
Arrays = dict[str, Any]
TYPES = {"fp32": np.float32, "fp16": np.float16}
OPSETS = (("", 17), ("com.microsoft", 1))
IR_VERSION = 8


class Built(NamedTuple):
    """A model and what it is fed; `buffers`: what a `past_` input and its `present_` output share, and hold at first;
    `before`: what it is fed in a run before, which leaves its results in them.
    """

    model: bytes
    feeds: Arrays
    buffers: Arrays | None = None
    before: Arrays | None = None


class Graph:
    """A model of one node in the making, with values that `rounded` can hold, computed in `kind`."""

    def __init__(self, random: Any, rounded: Any, kind: Any, amplitude: float) -> None:
        self.random = random
        self.rounded = rounded
        self.kind = kind
        self.amplitude = amplitude
        self.feeds: Arrays = {}
        self.buffers: Arrays = {}
        self.before: Arrays = {}
        self._constants: list[Any] = []
        self._node: Any = None
        self._outputs: list[Any] = []

    def values(self, *shape: int, amplitude: float = 1.0) -> Any:
        """Return random values between plus and minus `amplitude`."""
        return self.typed(self.random.uniform(-1, 1, shape) * amplitude)

    def typed(self, array: Any) -> Any:
        """Return an array in the type of the data."""
        return array.astype(self.rounded).astype(self.kind)

    def input(self, name: str, array: Any) -> str:
        """Add an input with the value that it will be fed."""
        self.feeds[name] = array
        return name

    def data(self, name: str, *shape: int) -> str:
        """Add an input of random values as large as the case says."""
        return self.input(name, self.values(*shape, amplitude=self.amplitude))

    def weight(self, name: str, array: Any) -> str:
        """Add a constant: a weight, as in a real model, which the provider may prepare beforehand."""
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def node(self, operator: str, inputs: list[str], outputs: Mapping[str, Any], **attributes: Any) -> None:
        """Set the node; `outputs`: name to numpy type, in order. Names that begin with "_" are left out."""
        names = ["" if name.startswith("_") else name for name in outputs]
        self._node = helper.make_node(operator, inputs, names, **attributes)
        self._outputs = [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(kind)), None)
            for name, kind in outputs.items()
            if not name.startswith("_")
        ]

    def model(self) -> bytes:
        """Return the model in ONNX's format."""
        inputs = [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), self._shape(name, array))
            for name, array in (self.feeds | self.buffers).items()
        ]
        graph = helper.make_graph([self._node], "case", inputs, self._outputs, self._constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid(*pair) for pair in OPSETS])
        model.ir_version = IR_VERSION
        return bytes(model.SerializeToString())

    def _shape(self, name: str, array: Any) -> list[int | str]:
        """Return an input's shape, with a name for what is another size in the run before."""
        other = self.before.get(name, array).shape
        now = self.feeds.get(name, array).shape
        return [
            size if size == was else f"{name}_{axis}" for axis, (size, was) in enumerate(zip(now, other, strict=True))
        ]
