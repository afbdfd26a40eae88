"""One operator planted in an export of tiny-phi3, by code; each has to be named exactly."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from onnx import helper

from tests.smoke.defects import graphs
from tests.smoke.defects.graphs import changed, edited


@dataclass(frozen=True)
class Plant:
    """A defect in an export (`kind`), the operator that has to be named, and a part of what is said of it."""

    name: str
    kind: str
    plant: Callable
    operator: str
    said: str = ""


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
    Plant("RoPE", "cpu-fp32", graphs.rotary(theta=5000.0), ROTARY),
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
)  # fmt: skip
