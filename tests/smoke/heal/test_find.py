from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest

from smoke.heal.norms.find import count_unexamined, find
from tests.smoke.heal.graphs import GraphBuilder

FP16 = ir.DataType.FLOAT16
FP32 = ir.DataType.FLOAT
WIDTH = 16


def constant(g: GraphBuilder, name: str, *numbers: float, dtype: type = np.float16) -> ir.Value:
    return g.constant(name, np.array(numbers if len(numbers) > 1 else numbers[0], dtype))


def mean(g: GraphBuilder, x: ir.Value, **options: object) -> ir.Value:
    return g("ReduceMean", x, axes=[-1], **options)


def pow_sqrt_div(g: GraphBuilder, x: ir.Value) -> ir.Value:
    square = g("Pow", x, constant(g, "two", 2.0))
    return g("Div", x, g("Sqrt", g("Add", mean(g, square), constant(g, "eps", 1e-5))))


def mul_sqrt_reciprocal(g: GraphBuilder, x: ir.Value) -> ir.Value:
    root = g("Sqrt", g("Add", constant(g, "eps", 1e-5), mean(g, g("Mul", x, x))))
    return g("Mul", g("Reciprocal", root), x)


def one_over_sqrt(g: GraphBuilder, x: ir.Value) -> ir.Value:
    root = g("Sqrt", g("Add", mean(g, g("Mul", x, x)), constant(g, "eps", 1e-5)))
    return g("Mul", x, g("Div", constant(g, "one", 1.0), root))


def negative_power(g: GraphBuilder, x: ir.Value) -> ir.Value:
    shifted = g("Add", mean(g, g("Mul", x, x)), constant(g, "eps", 1e-5))
    return g("Mul", x, g("Pow", shifted, constant(g, "minus_half", -0.5)))


def squares_cast_up(g: GraphBuilder, x: ir.Value) -> ir.Value:
    """The square is fp16, only its mean is fp32: the cast comes too late."""
    wide = g("Cast", g("Mul", x, x), to=FP32.value)
    shifted = g("Add", mean(g, wide), constant(g, "eps", 1e-5, dtype=np.float32))
    return g("Mul", x, g("Cast", g("Reciprocal", g("Sqrt", shifted)), to=FP16.value))


FORMS = [pow_sqrt_div, mul_sqrt_reciprocal, one_over_sqrt, negative_power, squares_cast_up]


@pytest.mark.parametrize("write", FORMS)
def test_decomposed_rms_norms(write: Callable[[GraphBuilder, ir.Value], ir.Value]) -> None:
    g = GraphBuilder()
    x = g.input("x", (2, WIDTH))
    y = write(g, x)
    (norm,) = find(g.model(g("Mul", y, constant(g, "weight", *np.ones(WIDTH)))))
    assert (norm.kind, norm.form, norm.summands) == ("rms", "decomposed", (x,))
    assert norm.node.outputs[0] is y
    assert norm.epsilon == pytest.approx(1e-5, rel=1e-2)
    assert [value.dtype for value in norm.computed] == [FP16]


def test_decomposed_layer_norm() -> None:
    g = GraphBuilder()
    x = g.input("x", (2, WIDTH))
    centred = g("Sub", x, mean(g, x))
    (norm,) = find(g.model(pow_sqrt_div(g, centred)))
    assert (norm.kind, norm.form, norm.summands) == ("layer", "decomposed", (x,))


def test_a_cast_island_is_seen_to_compute_in_fp32() -> None:
    g = GraphBuilder()
    wide = g("Cast", g.input("x", (2, WIDTH)), to=FP32.value, dtype=FP32)
    (norm,) = find(g.model(g("Cast", one_over_sqrt(g, wide), to=FP16.value)))
    assert [value.dtype for value in norm.computed] == [FP32]


@pytest.mark.parametrize("axes", [[1], [0], [-2, -1]])
def test_means_over_other_axes_are_no_norms(axes: list[int]) -> None:
    g = GraphBuilder()
    x = g.input("x", (2, 3, WIDTH))
    square = g("Mul", x, x)
    shifted = g("Add", g("ReduceMean", square, axes=axes), constant(g, "eps", 1e-5))
    assert find(g.model(g("Div", x, g("Sqrt", shifted)))) == []


def test_other_uses_of_the_same_operators_are_no_norms() -> None:
    g = GraphBuilder()
    x, other = g.input("x", (2, WIDTH)), g.input("other", (2, WIDTH))
    shifted = g("Add", mean(g, g("Mul", x, other)), constant(g, "eps", 1e-5))
    root = g("Sqrt", shifted)
    elsewhere = g("Sqrt", g("Add", mean(g, g("Mul", x, x)), constant(g, "eps2", 1e-5)))
    no_epsilon = g("Sqrt", mean(g, g("Mul", other, other)))
    outputs = [g("Div", x, root), g("Div", other, elsewhere), g("Div", other, no_epsilon)]
    assert find(g.model(*outputs)) == []


def test_fused_and_skip_norms_with_their_layers() -> None:
    g = GraphBuilder()
    x, y, b = g.input("x", (1, 2, WIDTH)), g.input("y", (1, 2, WIDTH)), constant(g, "b", *np.zeros(WIDTH))
    w = g.constant("model.layers.7.norm.weight", np.ones(WIDTH, np.float32))
    h = constant(g, "h", *np.ones(WIDTH))
    first = g("SimplifiedLayerNormalization", x, w, name="/norm", epsilon=1e-6, axis=-1)
    skip = g.op(
        "SkipSimplifiedLayerNormalization",
        x,
        y,
        h,
        b,
        domain="com.microsoft",
        outputs=4,
        name="/model/layers.12/input_layernorm/SkipLayerNorm",
    )
    layer = g("SkipLayerNormalization", x, y, h, b, b, domain="com.microsoft", name="/h.3/ln", epsilon=1e-5)
    plain = g("LayerNormalization", x, h, b, name="/ln_f")
    one, two, three, four = find(g.model(first, *skip.outputs[::3], layer, plain))
    assert (one.kind, one.form, one.layer, one.summands, one.epsilon) == ("rms", "fused", 7, (x,), pytest.approx(1e-6))
    assert {value.dtype for value in one.computed} == {FP16, FP32}
    assert (two.kind, two.form, two.layer, two.summands) == ("rms", "skip", 12, (x, y, b))
    assert (three.kind, three.form, three.layer, three.summands, three.bias) == ("layer", "skip", 3, (x, y, b), b)
    assert (four.kind, four.form, four.layer, four.bias, four.present) == ("layer", "fused", None, b, 1)


def test_norms_inside_branches_are_counted_but_not_touched() -> None:
    inner = GraphBuilder()
    x = inner.constant("x", np.ones((1, WIDTH), np.float16))
    branch = inner.model(inner("SimplifiedLayerNormalization", x, constant(inner, "w", *np.ones(WIDTH)))).graph
    g = GraphBuilder()
    condition = g.input("condition", (), ir.DataType.BOOL)
    node = g.op("If", condition, then_branch=branch, else_branch=branch.clone())
    model = g.model(node.outputs[0])
    assert find(model) == []
    assert count_unexamined(model) == 2
