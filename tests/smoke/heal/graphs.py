"""Small graphs with norms in every form, and what they must compute."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import onnxruntime as ort
from numpy.typing import NDArray

Array = NDArray[Any]


class GraphBuilder:
    """Collects nodes and initializers of one graph with fp16 inputs, in a few words per node."""

    def __init__(self, *, opset: int = 17) -> None:
        self.graph = ir.Graph([], [], nodes=[], name="test", opset_imports={"": opset, "com.microsoft": 1})
        self._count = 0

    def input(self, name: str, shape: tuple[int | str, ...], dtype: ir.DataType = ir.DataType.FLOAT16) -> ir.Value:
        value = ir.Value(name=name, type=ir.TensorType(dtype), shape=ir.Shape(shape))
        self.graph.inputs.append(value)
        return value

    def constant(self, name: str, content: Array) -> ir.Value:
        tensor = ir.tensor(np.ascontiguousarray(content), name=name)
        value = ir.Value(name=name, const_value=tensor, type=ir.TensorType(tensor.dtype), shape=tensor.shape)
        self.graph.register_initializer(value)
        return value

    def op(
        self,
        kind: str,
        *inputs: ir.Value | None,
        domain: str = "",
        outputs: int = 1,
        name: str = "",
        dtype: ir.DataType | None = None,
        **attributes: Any,
    ) -> ir.Node:
        self._count += 1
        name = name or f"/{kind}_{self._count}"
        node = ir.node(kind, inputs=list(inputs), domain=domain, num_outputs=outputs, attributes=attributes, name=name)
        for index, value in enumerate(node.outputs):
            value.name = f"{name}/output_{index}"
            if dtype is not None:
                value.dtype = dtype
        self.graph.append(node)
        return node

    def __call__(self, kind: str, *inputs: ir.Value | None, **options: Any) -> ir.Value:
        return self.op(kind, *inputs, **options).outputs[0]

    def model(self, *outputs: ir.Value) -> ir.Model:
        self.graph.outputs.extend(outputs)
        return ir.Model(self.graph, ir_version=10)


def run(model: ir.Model, **feeds: Array) -> list[Array]:
    """Run a model on ONNX Runtime's CPU provider."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    content = ir.to_proto(model).SerializeToString()
    session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    results: list[Array] = session.run(None, feeds)
    return results


def rms_norm(x: Array, weight: Array, epsilon: float) -> Array:
    """RMSNorm in float64."""
    x = x.astype(np.float64)
    result: Array = x / np.sqrt((x * x).mean(-1, keepdims=True) + epsilon) * weight.astype(np.float64)
    return result


def layer_norm(x: Array, weight: Array, bias: Array, epsilon: float) -> Array:
    """LayerNorm in float64."""
    x = x.astype(np.float64)
    centred = x - x.mean(-1, keepdims=True)
    scaled: Array = centred / np.sqrt((centred * centred).mean(-1, keepdims=True) + epsilon) * weight.astype(np.float64)
    return scaled + bias.astype(np.float64)


def directml_rms_norm(x: Array, epsilon: float) -> Array:
    """RMSNorm as DirectML was measured to compute it in fp16: the mean square goes through fp16 and saturates there."""
    wide = x.astype(np.float32)
    square = np.minimum((wide * wide).mean(-1, keepdims=True), np.float32(65504)).astype(np.float16).astype(np.float32)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        result: Array = (wide / np.sqrt(square + np.float32(epsilon))).astype(np.float16)
    return result
