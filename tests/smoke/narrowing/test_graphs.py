"""Reading and cutting graphs, on one of two layers made here."""

import os

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from smoke.narrowing.graphs import cutting
from smoke.narrowing.graphs.structure import BEFORE, Graph, UnreadableError
from smoke.narrowing.graphs.units import differences, partner, units


def made(folder, change=lambda nodes: nodes):
    """Write a graph of two layers whose weights lie in a file beside it."""
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["embedded"], name="/embed/Gather"),
        *(
            node
            for layer, source in ((0, "embedded"), (1, "/model/layers.0/Add/output_0"))
            for node in (
                helper.make_node("MatMul", [source, "weight"], [f"/model/layers.{layer}/MatMul/output_0"],
                                 name=f"/model/layers.{layer}/MatMul"),
                helper.make_node("LeakyRelu", [f"/model/layers.{layer}/MatMul/output_0"],
                                 [f"/model/layers.{layer}/act/output_0"], name=f"/model/layers.{layer}/act", alpha=0.5),
                helper.make_node("Add", [source, f"/model/layers.{layer}/act/output_0"],
                                 [f"/model/layers.{layer}/Add/output_0"], name=f"/model/layers.{layer}/Add"),
            )
        ),
        helper.make_node("Neg", ["/model/layers.1/Add/output_0"], ["logits"], name="/lm_head/Neg"),
    ]  # fmt: skip
    random = np.random.default_rng(0)
    weights = {"table": random.normal(size=(9, 4)), "weight": random.normal(size=(4, 4))}
    graph = helper.make_graph(
        change(nodes),
        "decoder",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, [1, "tokens"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, "tokens", 4])],
        [numpy_helper.from_array(value.astype("f4"), name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    folder.mkdir()
    onnx.save(model, folder / "model.onnx", save_as_external_data=True, location="model.onnx.data", size_threshold=0)
    return Graph(folder / "model.onnx")


def test_stages_follow_the_names_of_layers_and_what_comes_after_belongs_to_the_last(tmp_path):
    assert made(tmp_path / "a").stages == [BEFORE, 0, 0, 0, 1, 1, 1, 1]


def test_without_names_of_layers_operators_are_counted(tmp_path):
    def unnamed(nodes):
        for number, node in enumerate(nodes):
            node.name = f"n{number}"
            node.output[0] = node.output[0].replace("layers", "part")
            for i, name in enumerate(node.input):
                node.input[i] = name.replace("layers", "part")
        return nodes

    assert set(made(tmp_path / "a", unnamed).stages) == {0}


def test_every_operator_of_equal_graphs_is_a_unit_without_differences(tmp_path):
    left, right = made(tmp_path / "a"), made(tmp_path / "b")
    found, others = units(right, left), units(left, right)
    assert [unit.name for unit in found] == [node.name for node in right.nodes]
    assert all(differences(unit, partner(unit, others)) == [] for unit in found)


def inserted(nodes):
    for node in nodes:
        if node.name == "/model/layers.1/MatMul":
            node.output[0] = "hidden"
    more = helper.make_node("Neg", ["hidden"], ["/model/layers.1/MatMul/output_0"], name="/more")
    return [*nodes[:5], more, *nodes[5:]]


def removed(nodes):
    kept = [node for node in nodes if node.name != "/model/layers.0/act"]
    next(node for node in kept if node.name == "/model/layers.0/Add").input[1] = "/model/layers.0/MatMul/output_0"
    return kept


def attribute(nodes):
    next(node for node in nodes if node.name == "/model/layers.1/act").attribute[0].f = 0.25
    return nodes


def other(nodes):
    node = next(node for node in nodes if node.name == "/model/layers.1/Add")
    node.op_type = "Mul"
    return nodes


@pytest.mark.parametrize(
    ("change", "name", "said"),
    [
        (inserted, "/more", "Neg /more is in the right graph only"),
        (removed, "/model/layers.0/Add", "is /model/layers.0/MatMul/output_0 instead of /model/layers.0/act/output_0"),
        (attribute, "/model/layers.1/act", "alpha 0.25 instead of 0.5"),
        (other, "/model/layers.1/Add", "Mul instead of Add"),
    ],
)
def test_what_is_built_differently_is_told_of_that_unit_alone(tmp_path, change, name, said):
    left, right = made(tmp_path / "a"), made(tmp_path / "b", change)
    others = units(left, right)
    told = {unit.name: differences(unit, partner(unit, others)) for unit in units(right, left)}
    assert said in "; ".join(told.pop(name))
    assert not any(told.values())


def test_a_unit_is_cut_out_with_its_weights_even_where_exports_share_them(tmp_path):
    right = made(tmp_path / "a")
    os.link(tmp_path / "a" / "model.onnx.data", tmp_path / "shared")
    unit = next(unit for unit in units(right, right) if unit.last.op_type == "MatMul")
    cutting.alone(unit, {}, tmp_path / "alone.onnx", whole=True)
    alone = onnx.load(tmp_path / "alone.onnx")
    assert [node.op_type for node in alone.graph.node] == ["MatMul"]
    weight = numpy_helper.to_array(alone.graph.initializer[0])
    assert (weight == np.random.default_rng(0).normal(size=52).astype("f4")[36:].reshape(4, 4)).all()


def test_a_weight_that_differs_is_told(tmp_path):
    left, right = made(tmp_path / "a"), made(tmp_path / "b")
    data = tmp_path / "b" / "model.onnx.data"
    place = {e.key: e.value for e in right.initializers["weight"].external_data}
    content = bytearray(data.read_bytes())
    content[int(place.get("offset", 0)) + 3] ^= 0x40
    data.write_bytes(content)
    unit, other_unit = (next(u for u in units(g, g) if u.last.op_type == "MatMul") for g in (right, left))
    assert cutting.weights_apart(unit, other_unit) == ["weight differs in 1 of 16 numbers"]


def test_taps_are_outputs_and_nothing_else_changes(tmp_path):
    graph = made(tmp_path / "a")
    cutting.tapped(graph, ["embedded", "logits", "unknown"], tmp_path / "a" / "tapped.onnx")
    found = onnx.load(tmp_path / "a" / "tapped.onnx", load_external_data=False)
    assert [value.name for value in found.graph.output] == ["logits", "embedded"]
    assert found.graph.node == graph.model.graph.node


@pytest.mark.parametrize("content", [b"", b"x", b"{}", bytes(100)])
def test_what_is_no_graph_is_told(tmp_path, content):
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(UnreadableError, match=r"model\.onnx"):
        Graph(tmp_path / "model.onnx")
