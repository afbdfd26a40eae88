from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from smoke.heal.norms.find import find
from smoke.heal.norms.rewrite import Change, rewrite
from tests.smoke.heal.graphs import Array, GraphBuilder, layer_norm, rms_norm, run
from tests.smoke.heal.test_find import FORMS

TOLERANCE = 2e-3
"""Relative to the largest element: fp16 rounds input, sum and output by 2^-11 each."""


def healed(model: ir.Model, scale: int, width: int) -> ir.Model:
    """Return a model with every norm scaled, as it comes back from a file; the original stays as it was."""
    changed = ir.from_proto(ir.to_proto(model))
    rewrite(changed, [Change(norm=norm, scale=scale, width=width) for norm in find(changed)])
    return ir.from_proto(ir.to_proto(changed))


def close(got: Array, wanted: Array, *, row: Array | None = None, scale: int = 1) -> bool:
    """Compare with the float64 result; below fp16's normal range a scaled row keeps only multiples of 2^-24."""
    lost = 0.0 if row is None else 2**-24 * scale / max(float(np.abs(row.astype(np.float64)).max(-1).min()), 2**-24)
    return bool(np.abs(got.astype(np.float64) - wanted).max() <= (TOLERANCE + lost) * max(np.abs(wanted).max(), 1e-3))


def rows(shape: tuple[int, ...], magnitude: float, seed: int) -> Array:
    noise = np.random.default_rng(seed).standard_normal(shape) * magnitude
    return np.clip(noise, -65504, 65504).astype(np.float16)


CASES = {
    "shape": st.sampled_from([(1, 1), (1, 3), (2, 5), (4, 1)]),
    "width": st.sampled_from([1, 2, 7, 16, 64, 576]),
    "epsilon": st.sampled_from([1e-5, 1e-6, 1e-12]),
    "magnitude": st.floats(0.01, 2.5e4),
    "scale": st.sampled_from([2, 16, 64, 256]),
    "seed": st.integers(0, 999),
}


@settings(max_examples=40)
@given(**CASES)
def test_fused_rms_norm(
    shape: tuple[int, int], width: int, epsilon: float, magnitude: float, scale: int, seed: int
) -> None:
    g = GraphBuilder()
    weight = np.random.default_rng(seed).uniform(0.5, 2, width).astype(np.float16)
    x, w = g.input("x", (*shape, width)), g.constant("w", weight)
    model = g.model(g("SimplifiedLayerNormalization", x, w, axis=-1, epsilon=epsilon, stash_type=1))
    content = rows((*shape, width), magnitude, seed)
    (after,) = run(healed(model, scale, width), x=content)
    assert close(after, rms_norm(content, weight, epsilon), row=content, scale=scale)
    (before,) = run(model, x=content)
    if np.abs(content[content != 0]).min(initial=1) / scale >= 2**-14:  # no element becomes subnormal
        assert np.array_equal(before, after)


@settings(max_examples=40)
@given(**CASES, with_bias=st.booleans())
@example(shape=(1, 1), width=1, epsilon=1e-5, magnitude=1.25, scale=2, seed=966, with_bias=True)  # cancels
def test_skip_rms_norm_keeps_the_sum_unscaled(
    shape: tuple[int, int], width: int, epsilon: float, magnitude: float, scale: int, seed: int, with_bias: bool
) -> None:
    g = GraphBuilder()
    x, y = g.input("x", (*shape, width)), g.input("y", (*shape, width))
    weight = np.random.default_rng(seed).uniform(0.5, 2, width).astype(np.float16)
    extra = rows((width,), magnitude / 4, seed + 1)
    bias = [g.constant("b", extra)] if with_bias else []
    node = g.op(
        "SkipSimplifiedLayerNormalization",
        x,
        y,
        g.constant("w", weight),
        *bias,
        domain="com.microsoft",
        outputs=4,
        epsilon=epsilon,
    )
    model = g.model(node.outputs[0], node.outputs[3])
    names = [output.name for output in model.graph.outputs]
    feeds = {"x": rows((*shape, width), magnitude / 4, seed + 2), "y": rows((*shape, width), magnitude / 4, seed + 3)}
    changed = healed(model, scale, width)
    assert [output.name for output in changed.graph.outputs] == names
    normalized, total = run(changed, **feeds)
    wanted = feeds["x"] + feeds["y"] + (extra if with_bias else np.float16(0))
    # Of three summands the CPU provider may keep the first sum in fp32, or round it: an error of that sum's size, which
    # the third can cancel to next to nothing.
    largest = max(np.abs(feeds["x"] + feeds["y"]).max(), np.abs(wanted).max())
    assert np.abs(total - wanted).max() <= (2**-10 * largest if with_bias else 0)
    assert close(normalized, rms_norm(total, weight, epsilon), row=total, scale=scale)


@pytest.mark.parametrize("with_beta", [True, False])
@pytest.mark.parametrize("scale", [2, 64])
def test_skip_layer_norm_and_its_statistics(with_beta: bool, scale: int) -> None:
    """Mean and inverse deviation are the row's own, and DirectML gets the bias that it insists on."""
    width = 32
    g = GraphBuilder()
    x, y = g.input("x", (1, 3, width)), g.input("y", (1, 3, width))
    weight, beta = rows((width,), 1, 1), rows((width,), 1, 2)
    inputs = [x, y, g.constant("w", weight), *([g.constant("beta", beta)] if with_beta else [])]
    node = g.op("SkipLayerNormalization", *inputs, domain="com.microsoft", outputs=4, epsilon=1e-5)
    model = g.model(node.outputs[0], node.outputs[3])
    feeds = {"x": rows((1, 3, width), 900, 3) + np.float16(500), "y": rows((1, 3, width), 900, 4)}
    changed = healed(model, scale, width)
    (norm,) = [n for n in changed.graph if n.op_type == "LayerNormalization"]
    assert len(norm.inputs) == 3
    normalized, total = run(changed, **feeds)
    assert np.array_equal(total, feeds["x"] + feeds["y"])
    assert close(normalized, layer_norm(total, weight, beta if with_beta else np.zeros(width), 1e-5))


@pytest.mark.parametrize("kind", ["rms", "layer"])
def test_statistics_that_something_uses_stay_those_of_the_row(kind: str) -> None:
    width, scale = 32, 16
    g = GraphBuilder()
    x, w, b = (
        g.input("x", (2, width)),
        g.constant("w", np.ones(width, np.float16)),
        g.constant("b", rows((width,), 1, 0)),
    )
    if kind == "rms":
        node = g.op("SimplifiedLayerNormalization", x, w, outputs=2, epsilon=1e-5, axis=-1)
    else:
        node = g.op("LayerNormalization", x, w, b, outputs=3, epsilon=1e-5, axis=-1)
    used = g("Mul", node.outputs[-1], g.constant("half", np.array(0.5, np.float32)))
    model = g.model(*node.outputs, used)
    content = rows((2, width), 3000, 5)
    for before, after in zip(run(model, x=content), run(healed(model, scale, width), x=content), strict=True):
        assert np.allclose(before.astype(np.float64), after.astype(np.float64), rtol=1e-3)


@pytest.mark.parametrize("write", FORMS)
@pytest.mark.parametrize("scale", [1, 16])
def test_decomposed_norms_become_right(write: Any, scale: int) -> None:
    """A row whose squares overflow fp16, which the CPU provider computes in fp16 as well when it is written out."""
    width = 16
    g = GraphBuilder()
    x = g.input("x", (2, width))
    weight = np.random.default_rng(0).uniform(0.5, 2, width).astype(np.float16)
    model = g.model(g("Mul", write(g, x), g.constant("weight", weight)))
    content = rows((2, width), 200 if scale == 1 else 2000, 6)
    changed = healed(model, scale, width)
    (after,) = run(changed, x=content)
    assert close(after, rms_norm(content, weight, 1e-5))
    left = {node.op_type for node in changed.graph}
    assert not left & {"Sqrt", "ReduceMean", "Pow", "Reciprocal", "Div"}


def test_decomposed_layer_norm_becomes_right() -> None:
    width = 16
    g = GraphBuilder()
    x = g.input("x", (2, width))
    centred = g("Sub", x, g("ReduceMean", x, axes=[-1]))
    weight, bias = rows((width,), 1, 1), rows((width,), 1, 2)
    scaled = g("Mul", FORMS[0](g, centred), g.constant("weight", weight))
    model = g.model(g("Add", scaled, g.constant("bias", bias)))
    content = rows((2, width), 3000, 7)
    (after,) = run(healed(model, 16, width), x=content)
    assert close(after, layer_norm(content, weight, bias, 1e-5))


def chain(weight: Array) -> ir.Model:
    """Three norms over one residual stream that share one weight, as models with tied norms have them."""
    width = weight.shape[0]
    g = GraphBuilder()
    x, w = g.input("x", (1, 2, width)), g.constant("w", weight)
    first = g("SimplifiedLayerNormalization", x, w, axis=-1, epsilon=1e-5, name="/layers.0/norm")
    options: dict[str, Any] = {"domain": "com.microsoft", "outputs": 4, "epsilon": 1e-5}
    second = g.op("SkipSimplifiedLayerNormalization", x, first, w, name="/layers.1/norm", **options)
    third = g.op("SkipSimplifiedLayerNormalization", second.outputs[3], second.outputs[0], w, name="/last", **options)
    return g.model(third.outputs[0])


def test_norms_behind_each_other_share_a_weight_and_constants() -> None:
    width = 64
    weight = np.random.default_rng(0).uniform(0.5, 2, width).astype(np.float16)
    model = chain(weight)
    content = rows((1, 2, width), 5000, 8)
    first = rms_norm(content, weight, 1e-5).astype(np.float16)
    total = content + first
    second = rms_norm(total, weight, 1e-5).astype(np.float16)
    changed = healed(model, 32, width)
    (after,) = run(changed, x=content)
    assert close(after, rms_norm(total + second, weight, 1e-5))
    assert set(changed.graph.initializers) == {"w", "stable_norms/1_over_32"}
    assert np.array_equal(changed.graph.initializers["w"].const_value.numpy(), weight)  # type: ignore[union-attr]


def test_only_the_norms_that_were_named_change() -> None:
    model = chain(np.ones(8, np.float16))
    changed = copy.deepcopy(ir.to_proto(model))
    work = ir.from_proto(changed)
    _, middle, _ = find(work)
    rewrite(work, [Change(norm=middle, scale=4, width=8)])
    assert [node.op_type for node in work.graph] == [
        "SimplifiedLayerNormalization",
        "Add",
        "Mul",
        "SimplifiedLayerNormalization",
        "SkipSimplifiedLayerNormalization",
    ]


def test_a_healed_norm_is_recognised_as_healed() -> None:
    model = healed(chain(np.ones(8, np.float16)), 4, 8)
    assert [norm.present for norm in find(model)] == [4, 4, 4]
    assert [norm.epsilon for norm in find(model)] == pytest.approx([1e-5 / 16] * 3)


def test_external_data_stays_where_it_is(tmp_path: Path) -> None:
    model = chain(np.ones(4096, np.float16))
    ir.save(model, tmp_path / "model.onnx", external_data="model.onnx.data")
    data = (tmp_path / "model.onnx.data").read_bytes()
    loaded = ir.load(tmp_path / "model.onnx")
    rewrite(loaded, [Change(norm=norm, scale=4, width=4096) for norm in find(loaded)])
    ir.save(loaded, tmp_path / "healed.onnx")
    assert (tmp_path / "model.onnx.data").read_bytes() == data
    assert sorted(path.name for path in tmp_path.iterdir()) == ["healed.onnx", "model.onnx", "model.onnx.data"]
    weight = ir.load(tmp_path / "healed.onnx").graph.initializers["w"].const_value
    assert isinstance(weight, ir.ExternalTensor)
    assert weight.location == "model.onnx.data"
