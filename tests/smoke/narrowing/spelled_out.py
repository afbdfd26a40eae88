"""An export whose attention and residual norms consist of elementary operators, as an eager model's would."""

import numpy as np
from onnx import helper, numpy_helper

from tests.smoke.defects.graphs import edited

BLOCKED = np.float32(-1e9)
SPLIT_HEADS, KEYS_LAST = (0, 2, 1, 3), (0, 1, 3, 2)


class Nodes:
    """Operators under one name; each call adds one and returns what it makes."""

    def __init__(self, prefix):
        self.prefix, self.made = prefix, []

    def __call__(self, operator, name, *inputs, to="", **attributes):
        label = f"{self.prefix}/{name}/{operator}"
        outputs = to if isinstance(to, list) else [to or f"{label}/output_0"]
        self.made.append(helper.make_node(operator, inputs, outputs, name=label, **attributes))
        return outputs if isinstance(to, list) else outputs[0]

    def constant(self, name, value, kind="i8"):
        label = f"{self.prefix}/{name}/Constant"
        number = numpy_helper.from_array(np.asarray(value, kind))
        self.made.append(helper.make_node("Constant", [], [label], name=label, value=number))
        return label

    def parts(self, name, value, *, sizes):
        """Divide along the last axis."""
        made = [f"{self.prefix}/{name}/Split/output_{i}" for i in range(len(sizes))]
        return self("Split", name, value, self.constant(f"{name}/sizes", sizes), to=made, axis=-1)


@edited
def spelled_out(graph):
    """Replace each attention, and each norm with a residual."""
    width = 2 * next(i for i in graph.initializer if i.name == "cos_cache").dims[1]
    made = []
    for node in graph.node:
        if node.op_type == "GroupQueryAttention":
            made += _attention(node, width)
        elif node.op_type == "SkipSimplifiedLayerNormalization":
            made += _norm(node)
        else:
            made.append(node)
    del graph.node[:]
    graph.node.extend(made)


def _norm(node):
    add = Nodes(node.name.rpartition("/")[0])
    residual = add("Add", "Residual", *node.input[:2], to=node.output[3] if len(node.output) > 3 else "")
    (epsilon,) = [a.f for a in node.attribute if a.name == "epsilon"]
    norm = helper.make_node(
        "SimplifiedLayerNormalization", [residual, node.input[2]], node.output[:1], name=node.name,
        epsilon=epsilon, axis=-1, stash_type=1,
    )  # fmt: skip
    return [*add.made, norm]


def _attention(node, width):
    """Return attention over a packed projection, with rotary positions and a cache."""
    told = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    heads, shared = told["num_heads"], told["kv_num_heads"]
    packed, past_key, past_value, cos, sin = (node.input[i] for i in (0, 3, 4, 7, 8))
    add = Nodes(node.name.rpartition("/")[0])
    query, key, value = add.parts("Packed", packed, sizes=[heads * width, shared * width, shared * width])
    query, key, value = (
        _heads(add, name, x, n, width) for name, x, n in (("Q", query, heads), ("K", key, shared), ("V", value, shared))
    )
    past, new = (_length(add, name, x, axis) for name, x, axis in (("Past", past_key, 2), ("New", packed, 1)))
    total, one, zero = add("Add", "Total", past, new), add.constant("One", 1), add.constant("Zero", 0)
    positions = add("Range", "Positions", past, total, one)
    tables = add("Gather", "Cos", cos, positions), add("Gather", "Sin", sin, positions)
    query, key = (_rotated(add, name, x, tables, width) for name, x in (("QRotary", query), ("KRotary", key)))
    key = add("Concat", "KCache", past_key, key, to=node.output[1], axis=2)
    value = add("Concat", "VCache", past_value, value, to=node.output[2], axis=2)
    spread = add.constant("Heads", np.repeat(np.arange(shared), heads // shared))
    key, value = (add("Gather", f"{n}Heads", x, spread, axis=1) for n, x in (("K", key), ("V", value)))
    scores = add("MatMul", "Scores", query, add("Transpose", "Keys", key, perm=KEYS_LAST))
    scores = add("Mul", "Scale", scores, add.constant("Factor", told["scale"], "f4"))
    rows = add("Unsqueeze", "Rows", positions, one)
    seen = add("LessOrEqual", "Seen", add("Range", "Columns", zero, total, one), rows)
    bias = add("Where", "Bias", seen, add.constant("Free", 0, "f4"), add.constant("Blocked", BLOCKED, "f4"))
    chances = add("Softmax", "Chances", add("Add", "Mask", scores, bias), axis=-1)
    mixed = add("Transpose", "Mixed", add("MatMul", "Values", chances, value), perm=SPLIT_HEADS)
    add("Reshape", "Joined", mixed, add.constant("Joined", [0, 0, heads * width]), to=node.output[0])
    return add.made


def _heads(add, name, x, count, width):
    apart = add("Reshape", name, x, add.constant(name, [0, 0, count, width]))
    return add("Transpose", name, apart, perm=SPLIT_HEADS)


def _length(add, name, x, axis):
    return add("Gather", name, add("Shape", name, x), add.constant(name, axis))


def _rotated(add, name, x, tables, width):
    cos, sin = tables
    a, b = add.parts(name, x, sizes=[width // 2] * 2)
    first = add("Sub", name, add("Mul", f"{name}/ACos", a, cos), add("Mul", f"{name}/BSin", b, sin))
    second = add("Add", name, add("Mul", f"{name}/BCos", b, cos), add("Mul", f"{name}/ASin", a, sin))
    return add("Concat", name, first, second, axis=-1)
