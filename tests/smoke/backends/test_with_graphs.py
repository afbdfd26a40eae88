"""What a variant that is wrong is held to, operator by operator."""

import pytest

from smoke.backends.registry import BACKENDS
from smoke.backends.with_graphs import held_to


@pytest.mark.parametrize(
    ("right", "left"),
    [
        ("dml:fp16", "ort-cpu:dml-fp16"),
        ("dml:int4-nograph", "ort-cpu:dml-int4"),
        ("webgpu:int4", "ort-cpu:webgpu-int4"),
        ("cuda:fp16", "ort-cpu:fp32"),
        ("ort-cpu:int4", "ort-cpu:fp32"),
        ("ort-cpu:fp32", ""),
        ("openvino:fp16", "ort-cpu:fp32"),
        ("openvino:gpu-fp16", ""),
        ("openvino-genai:fp16", ""),
        ("npu:npuw-cpu", ""),
        ("reference:fp32", ""),
        ("none:fp32", ""),
    ],
)
def test_the_same_graph_on_the_cpu_comes_first(right, left):
    assert held_to(*right.split(":")) == left


def test_nothing_is_held_to_what_is_not_there():
    names = {f"{b.name}:{v.name}" for b in BACKENDS for v in b.variants}
    assert {held_to(*name.split(":")) for name in names} <= {*names, ""}
