"""One operator planted in an export of tiny-phi3, by code; each has to be named exactly."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from onnx import helper, numpy_helper

from tests.smoke.defects import graphs, intermediate
from tests.smoke.defects.graphs import changed, edited


@dataclass(frozen=True)
class Plant:
    """A defect in an export (`kind`), the operator that has to be named, and a part of what is said of it."""

    name: str
    kind: str
    plant: Callable
    operator: str
    said: str = ""
    spelled: bool = False
    """Whether attention and norms are spelled out in elementary operators, in both graphs."""


def attribute(part, name, value):
    """Set an attribute of one node."""

    @edited
    def defect(graph):
        (node,) = [node for node in graph.node if node.name.endswith(part)]
        for entry in [entry for entry in node.attribute if entry.name == name]:
            node.attribute.remove(entry)
        node.attribute.append(helper.make_attribute(name, value))

    return defect


def operator(part, kind):
    """Make another operator of one node."""

    @edited
    def defect(graph):
        (node,) = [node for node in graph.node if node.name.endswith(part)]
        node.op_type = kind

    return defect


def reads(part, place, name):
    """Let one node read another value."""

    @edited
    def defect(graph):
        (node,) = [node for node in graph.node if node.name.endswith(part)]
        node.input[place] = name

    return defect


@edited
def newest_first(graph):
    """Let a layer put what is new in front of its cache: right as long as that is empty."""
    (node,) = [node for node in graph.node if node.name.endswith("layers.1/attn/KCache/Concat")]
    node.input[0], node.input[1] = node.input[1], node.input[0]


@edited
def fading(graph):
    """Multiply the first layer's cached values by a little less than one before attention reads them."""
    (node,) = [node for node in graph.node if node.name == ROTARY]
    graph.initializer.append(numpy_helper.from_array(np.float32(0.98), "fading"))
    place = list(graph.node).index(node)
    graph.node.insert(place, helper.make_node("Mul", [node.input[4], "fading"], ["faded"], name="faded"))
    graph.node[place + 1].input[4] = "faded"


def more(values):
    values[3, 1] += 0.5


ROTARY = "/model/layers.0/attn/GroupQueryAttention"
PLANTS = (
    Plant("first norm", "cpu-fp32", attribute("layers.0/input_layernorm/LayerNorm", "epsilon", 1e-3),
          "/model/layers.0/input_layernorm/LayerNorm", "epsilon 0.001 instead of 1e-05"),
    Plant("middle norm", "cpu-fp32", attribute("layers.1/post_attention_layernorm/SkipLayerNorm", "epsilon", 1e-3),
          "/model/layers.1/post_attention_layernorm/SkipLayerNorm", "epsilon"),
    Plant("last norm", "cpu-fp32", changed(lambda w: w * np.float32(1.01), "layers.2.final_norm"),
          "/model/layers.2/final_norm_layernorm/SkipLayerNorm"),
    Plant("MatMul", "cpu-fp32", changed(more, "layers.0.mlp.up_proj"), "/model/layers.0/mlp/up_proj/MatMul"),
    Plant("last MatMul", "cpu-fp32", changed(graphs.swap_columns, "lm_head"), "/lm_head/MatMul"),
    Plant("attention", "cpu-fp32", attribute("layers.1/attn/GroupQueryAttention", "scale", 0.2),
          "/model/layers.1/attn/GroupQueryAttention", "scale 0.2 instead of 0.25"),
    Plant("attention's window", "cpu-fp32", attribute("layers.1/attn/GroupQueryAttention", "local_window_size", 64),
          "/model/layers.1/attn/GroupQueryAttention", "local_window_size 64 instead of -1"),
    Plant("RoPE", "cpu-fp32", graphs.rotary(base=0.5), ROTARY),
    Plant("late RoPE", "cpu-fp32", graphs.rotary(positions=graphs.late), ROTARY),
    Plant("activation", "cpu-fp32", operator("layers.1/mlp/act_fn/Sigmoid", "Softmax"),
          "/model/layers.1/mlp/act_fn/Sigmoid", "Softmax instead of Sigmoid"),
    Plant("Mul", "cpu-fp32", operator("layers.0/mlp/Mul", "Add"), "/model/layers.0/mlp/Mul", "Add instead of Mul"),
    Plant("Gather", "cpu-fp32", changed(lambda w: np.roll(w, 1, 0), "embed_tokens"), "/model/embed_tokens/Gather"),
    Plant("residual", "cpu-fp32", graphs.drop_residual, "/model/layers.1/post_attention_layernorm/SkipLayerNorm",
          "its input 0 is /model/layers.1/attn/o_proj/MatMul/output_0"),
    Plant("inserted", "cpu-fp32", graphs.times("layers.0/mlp/down_proj/MatMul", 0.5),
          "/model/layers.0/mlp/down_proj/MatMul/output_0/spoilt", "in the right graph only"),
    Plant("quantised MatMul", "cpu-int4",
          changed(graphs.swap_nibbles, "layers.1.mlp.up_proj.MatMul.weight", "Q4"),
          "/model/layers.1/mlp/up_proj/MatMul_Q4"),
    Plant("quantised scale", "cpu-int4",
          changed(graphs.double_a_row, "layers.0.mlp.down_proj.MatMul.weight", "scales"),
          "/model/layers.0/mlp/down_proj/MatMul_Q4"),
    Plant("fp16 norm", "dml-fp16", attribute("layers.1/input_layernorm/SkipLayerNorm", "epsilon", 0.3),
          "/model/layers.1/input_layernorm/SkipLayerNorm", "epsilon"),
    Plant("another layer's cache", "cpu-fp32",
          reads("layers.1/attn/GroupQueryAttention", 3, "past_key_values.0.key"),
          "/model/layers.1/attn/GroupQueryAttention", "a decode step"),
    Plant("a fading cache", "cpu-fp32", fading, ROTARY, "a decode step"),
    Plant("quantised head", "cpu-int4", changed(graphs.swap_rows, "lm_head", "Q4"), "/lm_head/MatMul_Q4"),
    Plant("Softmax", "cpu-fp32", attribute("layers.0/attn/Chances/Softmax", "axis", -2),
          "/model/layers.0/attn/Chances/Softmax", "axis -2 instead of -1", spelled=True),
    Plant("last Softmax", "cpu-fp32", operator("layers.1/attn/Chances/Softmax", "Hardmax"),
          "/model/layers.1/attn/Chances/Softmax", "Hardmax instead of Softmax", spelled=True),
    Plant("residual Add", "cpu-fp32", operator("layers.1/post_attention_layernorm/Residual/Add", "Sub"),
          "/model/layers.1/post_attention_layernorm/Residual/Add", "Sub instead of Add", spelled=True),
    Plant("Add of a mask", "cpu-fp32", operator("layers.0/attn/Mask/Add", "Sub"),
          "/model/layers.0/attn/Mask/Add", spelled=True),
    Plant("Gather of positions", "cpu-fp32", reads("layers.1/attn/Cos/Gather", 0, "sin_cache"),
          "/model/layers.1/attn/Cos/Gather", spelled=True),
    Plant("RoPE's Sub", "cpu-fp32", operator("layers.1/attn/QRotary/Sub", "Add"),
          "/model/layers.1/attn/QRotary/Sub", spelled=True),
    Plant("cache in the wrong order", "cpu-fp32", newest_first,
          "/model/layers.1/attn/KCache/Concat", "a decode step", spelled=True),
)  # fmt: skip

_LAYER = "__module.model.layers"
OPENVINO = (
    Plant("norm", "openvino:fp16", intermediate.epsilon(0.3),
          f"{_LAYER}.0.input_layernorm/aten::mul/Multiply", "Multiply, Divide, Sqrt, Add, ReduceMean, Power"),
    Plant("MatMul", "openvino:fp16", intermediate.times("layers.{layer}.mlp.down_proj", 0.9),
          f"{_LAYER}.1.mlp.down_proj/aten::linear/MatMul"),
    Plant("attention", "openvino:fp16", intermediate.scores(0.6),
          f"{_LAYER}.0.self_attn/aten::reshape/Reshape", "ScaledDotProductAttention"),
    Plant("RoPE", "openvino:fp16", intermediate.rotary(base=0.5), f"{_LAYER}.0.self_attn/aten::reshape/Reshape"),
    Plant("residual", "openvino:fp16", intermediate.drop_residual, f"{_LAYER}.1/aten::add/Add"),
    Plant("activation", "openvino:fp16", intermediate.activation("Tanh"),
          f"{_LAYER}.0.mlp/aten::mul/Multiply", "Multiply, Tanh"),
    Plant("Gather", "openvino:fp16", intermediate.changed("embed_tokens.weight", lambda w: np.roll(w, 1, 0)),
          "__module.model.embed_tokens/aten::embedding/Gather"),
    Plant("quantised MatMul", "openvino:int4", intermediate.packed(graphs.swap_nibbles),
          f"{_LAYER}.1.mlp/prim::ListUnpack/VariadicSplit"),
)  # fmt: skip
