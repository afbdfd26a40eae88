"""The quantised matrices of an ONNX graph, as the numbers that they stand for: MatMulNBits, GatherBlockQuantized."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from quantised import Quantised, unpack

MATRIX, TABLE = "MatMulNBits", "GatherBlockQuantized"


def matrices(folder: str) -> Iterator[Quantised]:
    """Yield every quantised matrix of a folder of the GenAI model builder, one at a time."""
    import onnx_ir as ir

    with Path(folder, "genai_config.json").open(encoding="utf-8") as stream:
        name = json.load(stream)["model"]["decoder"]["filename"]
    graph = ir.load(Path(folder, name)).graph
    for node in graph:
        if node.op_type == MATRIX:
            yield _matrix(node)
        elif node.op_type == TABLE:
            yield _table(node)


def _matrix(node: Any) -> Quantised:
    bits, block = node.attributes["bits"].as_int(), node.attributes["block_size"].as_int()
    rows, columns = node.attributes["N"].as_int(), node.attributes["K"].as_int()
    blocks = -(-columns // block)
    packed = _constant(node.inputs[1]).reshape(rows, -1)
    return Quantised(
        name=_name(node),
        values=unpack(packed, bits)[:, :columns],
        scales=_constant(node.inputs[2]).reshape(rows, blocks),
        zeros=_zeros(_input(node, 3), rows, blocks, bits, default=1 << (bits - 1)),
        block=block,
        bits=bits,
    )


def _table(node: Any) -> Quantised:
    block = node.attributes["block_size"].as_int()
    bits = node.attributes["bits"].as_int() if "bits" in node.attributes else 4
    packed = _constant(node.inputs[0])
    scales = _constant(node.inputs[2])
    rows, blocks = scales.shape[0], scales.shape[-1]
    signed = packed.dtype.kind == "i"
    values = unpack(packed.reshape(rows, -1), bits) if packed.dtype == "uint8" else packed.reshape(rows, -1)
    return Quantised(
        name=_name(node),
        values=values,
        scales=scales.reshape(rows, blocks),
        zeros=_zeros(_input(node, 3), rows, blocks, bits, default=0 if signed else 1 << (bits - 1)),
        block=block,
        bits=bits,
    )


def _zeros(value: Any, rows: int, blocks: int, bits: int, *, default: int) -> Any:
    import numpy as np

    if value is None:
        return np.full((1, 1), default, dtype=np.float32)
    found = _constant(value)
    if found.dtype != np.uint8 or found.size == rows * blocks:
        return found.reshape(rows, blocks).astype(np.float32)
    return unpack(found.reshape(rows, -1), bits)[:, :blocks].astype(np.float32)


def _input(node: Any, index: int) -> Any:
    return node.inputs[index] if len(node.inputs) > index else None


def _constant(value: Any) -> Any:
    """Return the numbers of an initialiser, also where a Reshape or an Identity stands in front of it."""
    while value.const_value is None and value.producer() is not None:
        if value.producer().op_type not in {"Reshape", "Identity"}:
            raise ValueError(f"{value.name} is no constant")
        value = value.producer().inputs[0]
    if value.const_value is None:
        raise ValueError(f"{value.name} is no constant")
    return _numbers(value.const_value)


def _numbers(tensor: Any) -> Any:
    """Return a tensor's numbers. The packages for ONNX refuse data files with several hard links, as ours have."""
    import numpy as np
    import onnx_ir as ir

    if not isinstance(tensor, ir.ExternalTensor):
        return tensor.numpy()
    kind = tensor.dtype.numpy()
    count = int(np.prod(tensor.shape.numpy()))
    return np.fromfile(tensor.path, dtype=kind, count=count, offset=tensor.offset or 0).reshape(tensor.shape.numpy())


def _name(node: Any) -> str:
    return str(node.name)
