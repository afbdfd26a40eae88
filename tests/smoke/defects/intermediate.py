"""Defects planted into an export of OpenVINO: each changes the .xml and .bin of a folder that was healthy.

`{layer}` in a name stands for the middle layer.
"""

import xml.etree.ElementTree as ET

import numpy as np

from tests.smoke.defects import graphs

TYPES = {"f16": "f2", "f32": "f4", "i8": "i1", "u8": "u1", "i4": "u1", "u4": "u1"}
"""How a constant's bytes are read; two numbers of four bits are a byte."""
FOUR_BITS = ("i4", "u4")
STANDS_FOR = ("", "_compressed")
"""What the name of a constant has at its end where it is stored in half the width."""


class Ir:
    """The operators by their names, and the bytes of the constants."""

    def __init__(self, folder):
        self.root = ET.parse(folder / "openvino_model.xml").getroot()
        self.content = bytearray((folder / "openvino_model.bin").read_bytes())
        self.layers = {layer.get("name"): layer for layer in self.root.find("layers")}
        self.middle = sum(layer.get("type") == "ScaledDotProductAttention" for layer in self.layers.values()) // 2

    def write(self, folder):
        for name in ("xml", "bin"):
            (folder / f"openvino_model.{name}").unlink()  # it may be another one's, too
        (folder / "openvino_model.bin").write_bytes(self.content)
        ET.ElementTree(self.root).write(folder / "openvino_model.xml", encoding="utf-8", xml_declaration=True)

    def named(self, part):
        return part.replace("{layer}", str(self.middle))

    def operator(self, end):
        (found,) = [layer for name, layer in self.layers.items() if name.endswith(self.named(end))]
        return found

    def constants(self, end):
        ends = tuple(self.named(end) + more for more in STANDS_FOR)
        return [x for name, x in self.layers.items() if x.get("type") == "Const" and name.endswith(ends)]

    def numbers(self, constant):
        """Return a constant's numbers: what is written into them is in the model. Of four bits: packed bytes."""
        data = constant.find("data")
        start, size = int(data.get("offset")), int(data.get("size"))
        flat = np.frombuffer(memoryview(self.content)[start : start + size], TYPES[data.get("element_type")])
        shape = [int(n) for n in data.get("shape").split(",") if n.strip()]
        return flat.reshape(shape[0], -1) if data.get("element_type") in FOUR_BITS else flat.reshape(shape)

    def edge(self, layer, port):
        (found,) = [
            edge for edge in self.root.find("edges")
            if edge.get("to-layer") == layer.get("id") and edge.get("to-port") == str(port)
        ]  # fmt: skip
        return found

    def matrix_in_four_bits(self):
        """Return the first one from the middle layer on."""
        later = [f".layers.{layer}." for layer in range(self.middle, 2 * self.middle + 2)]
        return next(
            x for name, x in self.layers.items()
            if x.get("type") == "Const" and name.endswith("weight") and any(layer in name for layer in later)
            and x.find("data").get("element_type") in FOUR_BITS
        )  # fmt: skip


def edited(change):
    def defect(folder):
        ir = Ir(folder)
        change(ir)
        ir.write(folder)

    return defect


def times(end, factor):
    """Return a defect that multiplies a matrix, or the scales that stand for it."""

    @edited
    def defect(ir):
        found = ir.constants(f"{end}.weight/scale") or ir.constants(f"{end}.weight")
        values = ir.numbers(found[0])
        values *= values.dtype.type(factor)

    return defect


def changed(end, change):
    @edited
    def defect(ir):
        (found, *_) = ir.constants(end)
        values = ir.numbers(found)
        result = change(values)
        if result is not None:
            values[...] = result

    return defect


def packed(change):
    """Return a defect that changes the bytes of a matrix in four bits."""

    @edited
    def defect(ir):
        values = ir.numbers(ir.matrix_in_four_bits())
        values[...] = change(values)

    return defect


def scaled(change):
    """Return a defect that changes the scales of a matrix in four bits."""

    @edited
    def defect(ir):
        scales = ir.numbers(ir.layers[ir.matrix_in_four_bits().get("name") + "/scale"])
        result = change(scales)
        if result is not None:
            scales[...] = result

    return defect


@edited
def zero_points(ir):
    """Move the zero points of the first matrix that has them."""
    (found, *_) = [x for name, x in ir.layers.items() if name.endswith("weight/zero_point") and ".layers." in name]
    values = ir.numbers(found)
    values += 2


def rotary(base=1.0, factor=1.0):
    def change(frequencies):
        half = frequencies.size
        return frequencies * factor * (base ** (-np.arange(half) / half)).reshape(frequencies.shape)

    return changed("rotary_emb/aten::to/Convert", change)


@edited
def swap_layers(ir):
    for name, layer in ir.layers.items():
        before = name.replace(f"layers.{ir.middle}.", f"layers.{ir.middle - 1}.")
        if before != name and name.startswith("self.model") and layer.get("type") == "Const":
            ours, theirs = layer.find("data"), ir.layers[before].find("data")
            assert ours.get("shape") == theirs.get("shape")
            mine, yours = ours.get("offset"), theirs.get("offset")
            ours.set("offset", yours)
            theirs.set("offset", mine)


@edited
def drop_residual(ir):
    add = ir.operator("layers.{layer}/aten::add/Add")
    kept, dropped = ir.edge(add, 1), ir.edge(add, 0)
    dropped.set("from-layer", kept.get("from-layer"))
    dropped.set("from-port", kept.get("from-port"))


def epsilon(value):
    @edited
    def defect(ir):
        by_id = {layer.get("id"): layer for layer in ir.layers.values()}
        for name, layer in ir.layers.items():
            if name.endswith("norm/aten::add/Add"):
                constant = by_id[ir.edge(layer, 1).get("from-layer")]
                ir.numbers(constant)[...] = value

    return defect


def scores(factor):
    return changed("layers.0.self_attn/aten::scaled_dot_product_attention/ConvertLike", lambda scale: scale * factor)


def activation(operator):
    @edited
    def defect(ir):
        for layer in ir.layers.values():
            if layer.get("type") == "Swish":
                layer.set("type", operator)
                layer.set("version", "opset1")

    return defect


def without_head(head, heads):
    """Zero what the output projection takes from a head; `heads` as a share of the columns."""

    def change(weights):
        width = round(weights.shape[1] / heads)
        weights[:, head * width : (head + 1) * width] = 0

    return changed("layers.{layer}.self_attn.o_proj.weight", change)


swap_rows, poison, double_a_row = graphs.swap_rows, graphs.poison, graphs.double_a_row
