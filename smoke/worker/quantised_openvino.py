"""The compressed matrices of an OpenVINO model, as the numbers that they stand for.

A compressed weight is Constant, Convert, perhaps Subtract (the zero point), Multiply (the scale), perhaps Reshape.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from quantised import Quantised, unpack

SIGNED, UNSIGNED = ("i4", "i8"), ("u4", "u8")


def matrices(folder: str) -> Iterator[Quantised]:
    """Yield every compressed matrix of an exported folder, one at a time."""
    import openvino

    model = openvino.Core().read_model(Path(folder, "openvino_model.xml"))
    for operator in model.get_ordered_ops():
        if operator.get_type_name() == "Constant" and _kind(operator) in {*SIGNED, *UNSIGNED}:
            found = _matrix(operator)
            if found is not None:
                yield found


def _matrix(constant: Any) -> Quantised | None:
    import numpy as np

    chain = _only_user(constant)
    if chain is None or chain.get_type_name() != "Convert":
        return None
    converted, chain = chain, _only_user(chain)
    zeros: Any = np.zeros((1, 1), dtype=np.float32)
    if chain is not None and chain.get_type_name() == "Subtract":
        if _producer(chain, 0).get_friendly_name() != converted.get_friendly_name():
            return None  # this constant is itself a zero point
        zeros = _numbers(_producer(chain, 1)).astype(np.float32)
        chain = _only_user(chain)
    if chain is None or chain.get_type_name() != "Multiply":
        return None
    scales = _numbers(_producer(chain, 1)).astype(np.float32)
    shape = [int(n) for n in constant.get_output_shape(0)]
    rows = shape[0]
    values = _numbers(constant).reshape(rows, -1)
    blocks = scales.size // rows if scales.size >= rows else 1
    scales = np.broadcast_to(
        scales.reshape(-1, 1) if scales.size == 1 else scales.reshape(rows, blocks), (rows, blocks)
    )
    zeros = zeros.reshape(rows, -1) if zeros.size >= rows else zeros.reshape(1, 1)
    return Quantised(
        name=str(constant.get_friendly_name()),
        values=values,
        scales=scales,
        zeros=zeros,
        block=values.shape[1] // blocks,
        bits=constant.get_element_type().bitwidth,
    )


def _numbers(node: Any) -> Any:
    """Return a constant's numbers in its shape, also those of four bits, through a Convert as well."""
    import numpy as np

    while node.get_type_name() == "Convert":
        node = _producer(node, 0)
    shape = tuple(int(n) for n in node.get_output_shape(0))
    if node.get_element_type().bitwidth != 4:
        return node.data.reshape(shape)
    numbers = unpack(node.data.reshape(1, -1).view(np.uint8), 4).reshape(-1)[: int(np.prod(shape))]
    if _kind(node) in SIGNED:
        numbers = ((numbers.astype(np.int8) ^ 8) - 8).astype(np.int8)
    return numbers.reshape(shape)


def _kind(node: Any) -> str:
    return str(node.get_element_type().to_string() if hasattr(node.get_element_type(), "to_string") else "").lower()


def _only_user(node: Any) -> Any:
    users = list(node.output(0).get_target_inputs())
    return users[0].get_node() if users else None


def _producer(node: Any, index: int) -> Any:
    return node.input(index).get_source_output().get_node()
