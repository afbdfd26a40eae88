"""The operators of the suite: how to build each as a model of one node, at which sizes, with which tolerance.

A case is a family with integer parameters (`dims`); the same function builds the case and the smaller ones that are
tried when it fails. Imports numpy and onnx only.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import TensorProto
from operator_graph import TYPES, Arrays, Built, Dims, Graph


class Case:
    """One operator at one size: `dims` in elements, `dtype` "fp32" or "fp16", `tolerance` of the largest value."""

    def __init__(self, family: str, label: str, dims: Dims, dtype: str, *, amplitude: float = 1.0) -> None:
        self.family = family
        self.label = label
        self.dims = dict(dims)
        self.dtype = dtype
        self.amplitude = amplitude
        self.tolerance = TOLERANCES[FAMILIES[family][1]]["fp16" if family == "Cast" else dtype]
        if dtype == "fp16":
            self.tolerance = max(self.tolerance, ONE_SUM_IN_FP16 * dims.get("k", 0) ** 0.5)

    @property
    def name(self) -> str:
        """How the case is called in the report."""
        size = f", |x| up to {self.amplitude:g}" if self.amplitude != 1.0 else ""
        return f"{self.family} {self.label} {self.dtype}{size}"

    def described(self) -> dict[str, Any]:
        """Return what identifies the case, for a report."""
        return {
            "name": self.name,
            "family": self.family,
            "dtype": self.dtype,
            "dims": self.dims,
            "amplitude": self.amplitude,
            "tolerance": self.tolerance,
        }

    def resized(self, dims: Dims) -> Case:
        """Return the same case at another size."""
        return Case(self.family, self.label, dims, self.dtype, amplitude=self.amplitude)

    def build(self, *, widened: bool = False) -> Built:
        """Return the model and its inputs; the same for the same dims, whatever ran before.

        `widened`: the same values, computed in fp32.
        """
        seed = zlib.crc32(repr((self.family, sorted(self.dims.items()), self.dtype, self.amplitude)).encode())
        kind = TYPES["fp32" if widened else self.dtype]
        graph = Graph(np.random.default_rng(seed), TYPES[self.dtype], kind, self.amplitude)
        FAMILIES[self.family][0](graph, self.dims)
        return Built(graph.model(), graph.feeds, graph.buffers or None, graph.before or None)


def _two_inputs(operator: str) -> Callable[[Graph, Dims], None]:
    def build(graph: Graph, dims: Dims) -> None:
        shape = (dims["rows"], dims["width"])
        graph.node(operator, [graph.data("a", *shape), graph.data("b", *shape)], {"y": graph.kind})

    return build


def _mul(graph: Graph, dims: Dims) -> None:
    # One factor stays near 1, so that the product is as large as the case says.
    shape = (dims["rows"], dims["width"])
    graph.node("Mul", [graph.data("a", *shape), graph.input("b", graph.values(*shape))], {"y": graph.kind})


def _matmul(graph: Graph, dims: Dims) -> None:
    weight = graph.values(dims["k"], dims["n"], amplitude=dims["k"] ** -0.5)
    graph.node("MatMul", [graph.data("a", dims["rows"], dims["k"]), graph.weight("w", weight)], {"y": graph.kind})


def _gemm(graph: Graph, dims: Dims) -> None:
    weight = graph.values(dims["n"], dims["k"], amplitude=dims["k"] ** -0.5)
    inputs = [graph.data("a", dims["rows"], dims["k"]), graph.weight("w", weight)]
    graph.node("Gemm", [*inputs, graph.weight("c", graph.values(dims["n"]))], {"y": graph.kind}, transB=1)


def _matmul_nbits(**attributes: int) -> Callable[[Graph, Dims], None]:
    def build(graph: Graph, dims: Dims) -> None:
        k, n, block = dims["k"], dims["n"], 32
        packed = graph.random.integers(0, 256, (n, k // block, block // 2), dtype=np.uint8)
        scales = graph.typed(graph.random.uniform(0.5, 1, n * (k // block)) * k**-0.5 / 8)
        inputs = [graph.data("a", dims["rows"], k), graph.weight("w", packed), graph.weight("s", scales)]
        sizes = {"K": k, "N": n, "bits": 4, "block_size": block}
        graph.node("MatMulNBits", inputs, {"y": graph.kind}, domain="com.microsoft", **sizes, **attributes)

    return build


def _gather_nbits(graph: Graph, dims: Dims) -> None:
    n, width, block = dims["n"], dims["width"], 32
    packed = graph.random.integers(0, 256, (n, width // 2), dtype=np.uint8)
    scales = graph.typed(graph.random.uniform(0.5, 1, (n, width // block)) / 8)
    indices = graph.input("indices", graph.random.integers(0, n, (1, dims["rows"]), dtype=np.int64))
    inputs = [graph.weight("table", packed), indices, graph.weight("s", scales)]
    settings = {"bits": 4, "block_size": block, "gather_axis": 0, "quantize_axis": 1}
    graph.node("GatherBlockQuantized", inputs, {"y": graph.kind}, domain="com.microsoft", **settings)


def _activation(operator: str, **attributes: Any) -> Callable[[Graph, Dims], None]:
    def build(graph: Graph, dims: Dims) -> None:
        graph.node(operator, [graph.data("x", dims["rows"], dims["width"])], {"y": graph.kind}, **attributes)

    return build


def _softmax(graph: Graph, dims: Dims) -> None:
    graph.node("Softmax", [graph.data("a", dims["rows"], dims["width"])], {"y": graph.kind}, axis=-1)


def _norm(operator: str, *, skip: bool = False, bias: bool = False) -> Callable[[Graph, Dims], None]:
    def build(graph: Graph, dims: Dims) -> None:
        shape = (1, dims["rows"], dims["width"])
        inputs = [graph.data("x", *shape)]
        if skip:
            inputs.append(graph.input("skip", graph.values(*shape)))
        inputs.append(graph.weight("gamma", graph.values(dims["width"])))
        if bias:
            inputs.append(graph.weight("beta", graph.values(dims["width"])))
        outputs = {"y": graph.kind, **({"_mean": None, "_inv": None, "sum": graph.kind} if skip else {})}
        attributes: dict[str, Any] = {"domain": "com.microsoft"} if skip else {"axis": -1}
        graph.node(operator, inputs, outputs, epsilon=1e-5, **attributes)

    return build


def _tables(graph: Graph, length: int, size: int) -> tuple[str, str]:
    angles = np.outer(np.arange(length), 10000.0 ** (-np.arange(size // 2) / (size // 2)))
    return (
        graph.weight("cos", graph.typed(np.cos(angles))),
        graph.weight("sin", graph.typed(np.sin(angles))),
    )


def _rotary(graph: Graph, dims: Dims) -> None:
    rows = dims["rows"]
    x = graph.data("x", 1, rows, dims["heads"] * dims["size"])
    positions = graph.input("positions", np.arange(rows, dtype=np.int64)[None] + 3)
    inputs = [x, positions, *_tables(graph, rows + 3, dims["size"])]
    graph.node("RotaryEmbedding", inputs, {"y": graph.kind}, domain="com.microsoft")


def _attention(graph: Graph, dims: Dims) -> None:
    """Attention of `rows` new tokens after `past` ones. With `room`, past and present are buffers of that length.

    With `shared` both are the same buffer, filled by a run before if there are past tokens: how GenAI does it on
    DirectML. With `rotary` it turns queries and keys itself; models exported for DirectML have nodes of their own for
    that.
    """
    rows, past, size, room = dims["rows"], dims["past"], dims["size"], dims.get("room", 0)
    if room and room < past + rows:
        raise ValueError("the buffer has no room for the new tokens")
    heads, kv_heads = dims["kv_heads"] * dims["group"], dims["kv_heads"]
    cache = graph.values(2, 1, kv_heads, room or past, size)
    cache[:, :, :, past:] = 0
    graph.feeds = _tokens(graph, dims, rows, past)
    if dims.get("shared"):
        graph.buffers = {"past_key": np.zeros_like(cache[0]), "past_value": np.zeros_like(cache[1])}
        graph.before = _tokens(graph, dims, past, 0) if past else {}
    else:
        graph.feeds |= {"past_key": cache[0], "past_value": cache[1]}
    inputs = ["query", "key", "value", "past_key", "past_value", "seqlens_k", "total_sequence_length"]
    if dims.get("rotary"):
        inputs += _tables(graph, max(room, past + rows), size)
    outputs = {"y": graph.kind, "present_key": graph.kind, "present_value": graph.kind}
    counts = {"num_heads": heads, "kv_num_heads": kv_heads, "do_rotary": int(bool(dims.get("rotary")))}
    graph.node("GroupQueryAttention", inputs, outputs, domain="com.microsoft", **counts)


def _tokens(graph: Graph, dims: Dims, rows: int, past: int) -> Arrays:
    """Return what `rows` new tokens are to attention, after `past` ones."""
    kv_width = dims["kv_heads"] * dims["size"]
    return {
        "query": graph.values(1, rows, kv_width * dims["group"], amplitude=graph.amplitude),
        "key": graph.values(1, rows, kv_width),
        "value": graph.values(1, rows, kv_width),
        "seqlens_k": np.array([past + rows - 1], dtype=np.int32),
        "total_sequence_length": np.array(past + rows, dtype=np.int32),
    }


def _gather(graph: Graph, dims: Dims) -> None:
    table = graph.weight("table", graph.values(dims["n"], dims["width"], amplitude=graph.amplitude))
    indices = graph.random.integers(0, dims["n"], (1, dims["rows"]), dtype=np.int64)
    graph.node("Gather", [table, graph.input("indices", indices)], {"y": graph.kind})


def _cast(graph: Graph, dims: Dims) -> None:
    target, code = (np.float16, TensorProto.FLOAT16) if graph.kind is np.float32 else (np.float32, TensorProto.FLOAT)
    graph.node("Cast", [graph.data("a", dims["rows"], dims["width"])], {"y": target}, to=code)


# The largest error of a right implementation, as a part of the largest value of the result. "moved": nothing is
# computed; "rounded": each value is rounded once or twice (2^-11 in fp16, 2^-24 in fp32); "reduced": sums of many
# values, which may be kept in the type of the data and in any order; "int8": activations may be rounded to 8 bits,
# which each provider does in its own blocks. Either end of a Cast is fp16, and Direct3D lets a conversion to fp16 round
# towards zero.
TOLERANCES = {
    "moved": {"fp32": 0.0, "fp16": 0.0},
    "rounded": {"fp32": 2.0**-22, "fp16": 2.0**-10},
    "reduced": {"fp32": 1e-5, "fp16": 1e-2},
    "int8": {"fp32": 2e-2, "fp16": 2e-2},
}

ONE_SUM_IN_FP16 = 0.75 * 2.0**-11
"""Times the root of how many products are summed: the error of one sum in fp16, rounded after each. See the tests."""

FAMILIES: dict[str, tuple[Callable[[Graph, Dims], None], str]] = {
    "Add": (_two_inputs("Add"), "rounded"),
    "Mul": (_mul, "rounded"),
    "Cast": (_cast, "rounded"),
    "Gather": (_gather, "moved"),
    "MatMul": (_matmul, "reduced"),
    "Gemm": (_gemm, "reduced"),
    "MatMulNBits": (_matmul_nbits(), "reduced"),
    "MatMulNBits int8": (_matmul_nbits(accuracy_level=4), "int8"),
    "GatherBlockQuantized": (_gather_nbits, "rounded"),
    "Sigmoid": (_activation("Sigmoid"), "reduced"),
    "QuickGelu": (_activation("QuickGelu", domain="com.microsoft", alpha=1.0), "reduced"),
    "Softmax": (_softmax, "reduced"),
    "LayerNormalization": (_norm("LayerNormalization", bias=True), "reduced"),
    "SimplifiedLayerNormalization": (_norm("SimplifiedLayerNormalization"), "reduced"),
    "SkipSimplifiedLayerNormalization": (_norm("SkipSimplifiedLayerNormalization", skip=True), "reduced"),
    "RotaryEmbedding": (_rotary, "reduced"),
    "GroupQueryAttention": (_attention, "reduced"),
}
