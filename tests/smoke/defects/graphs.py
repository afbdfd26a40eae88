"""Defects planted into an export of ONNX Runtime GenAI: each changes a folder that was healthy.

`{layer}` in a name stands for the middle layer.
"""

import json
from contextvars import ContextVar

import numpy as np
import onnx
from onnx import helper, numpy_helper

from smoke.narrowing.graphs import cutting

_FOLDER = ContextVar("folder of the graph that is being changed")


def edited(change):
    """Return a defect that changes the graph. What it leaves as it was stays in the file of the weights."""

    def defect(folder):
        model = onnx.load(folder / "model.onnx", load_external_data=False)
        token = _FOLDER.set(folder)
        change(model.graph)
        _FOLDER.reset(token)
        onnx.save(model, folder / "model.onnx")

    return defect


def middle(graph):
    return len(nodes(graph, "GroupQueryAttention")) // 2


def named(graph, part):
    return part.replace("{layer}", str(middle(graph)))


def rewritten(name, change):
    """Return a defect that changes a JSON file."""

    def defect(folder):
        content = json.loads((folder / name).read_text(encoding="utf-8"))
        change(content)
        (folder / name).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")

    return defect


def both(*defects):
    def defect(folder):
        for each in defects:
            each(folder)

    return defect


def numbers(graph, *parts):
    """Return the initialiser whose name has all the parts, and its numbers."""
    (found,) = [i for i in graph.initializer if all(named(graph, part) in i.name for part in parts)]
    return found, cutting.numbers(found, _FOLDER.get()).copy()


def put(initialiser, values):
    initialiser.CopyFrom(numpy_helper.from_array(values.astype(values.dtype), initialiser.name))


def changed(change, *parts):
    """Return a defect that changes a constant's numbers in place (or returns others)."""

    def defect(graph):
        initialiser, values = numbers(graph, *parts)
        result = change(values)
        put(initialiser, values if result is None else result)

    return edited(defect)


def nodes(graph, operator, part=""):
    return [node for node in graph.node if node.op_type == operator and part in node.name]


def attribute(operator, name, value):
    """Return a defect that sets an attribute of every node of an operator; `value` may be a function of the old one."""

    def defect(graph):
        found = nodes(graph, operator)
        assert found
        for node in found:
            old = [entry for entry in node.attribute if entry.name == name]
            for entry in old:
                node.attribute.remove(entry)
            new = value(helper.get_attribute_value(old[0])) if callable(value) else value
            node.attribute.append(helper.make_attribute(name, new))

    return edited(defect)


def one_epsilon(value):
    """Return a defect that sets the epsilon of the middle layer's first norm."""

    @edited
    def defect(graph):
        (node,) = nodes(graph, "SkipSimplifiedLayerNormalization", named(graph, "layers.{layer}/input_layernorm"))
        for entry in node.attribute:
            if entry.name == "epsilon":
                entry.f = value

    return defect


def times(part, factor):
    """Return a defect that multiplies what a node gives by a number, or by what a function makes of the graph."""

    def defect(graph):
        end = named(graph, part)
        (node,) = [n for n in graph.node if n.name.endswith((end, end + "_Q4"))]
        given, hidden = node.output[0], node.output[0] + "/spoilt"
        node.output[0] = hidden
        by = factor(graph) if callable(factor) else factor
        constant = numpy_helper.from_array(np.asarray(by, dtype="f4"), hidden + "/factor")
        graph.initializer.append(constant)
        place = list(graph.node).index(node) + 1
        graph.node.insert(place, helper.make_node("Mul", [hidden, constant.name], [given], name=hidden))

    return edited(defect)


def activation(operator):
    def defect(graph):
        for node in nodes(graph, "Sigmoid"):
            node.op_type = operator

    return edited(defect)


def without_head(head):
    """Return what makes a mask that is zero in one head of attention."""

    def mask(graph):
        width = 2 * numbers(graph, "cos_cache")[1].shape[1]
        (count,) = {a.i for a in nodes(graph, "GroupQueryAttention")[0].attribute if a.name == "num_heads"}
        return np.repeat(np.arange(count) != head, width)

    return mask


def rotary(positions=lambda p: p, base=1.0, sign=1.0):
    """Return a defect that computes the tables of rotary positions anew; `base` is a multiple of what it was."""

    def defect(graph):
        (cos, old), (sin, sines) = numbers(graph, "cos_cache"), numbers(graph, "sin_cache")
        half = old.shape[1]
        frequencies = np.arctan2(sines[1], old[1]).astype("f8") * base ** (-np.arange(half) / half)
        angles = positions(np.arange(len(old), dtype="f8"))[:, None] * frequencies
        put(cos, np.cos(angles).astype(old.dtype))
        put(sin, (sign * np.sin(angles)).astype(old.dtype))

    return edited(defect)


def late(p):
    return np.where(p >= 200, p * 2, p)


@edited
def swap_layers(graph):
    first, second = (f"layers.{middle(graph) + step}." for step in (-1, 0))

    def other(name):
        if ".attn." in name or ".mlp." in name:
            for a, b in ((first, second), (second, first)):
                if a in name:
                    return name.replace(a, b)
        return name

    for initialiser in graph.initializer:
        initialiser.name = other(initialiser.name)


@edited
def drop_residual(graph):
    """Let the second norm of the layer see what attention gives, without what went into it."""
    (node,) = nodes(graph, "SkipSimplifiedLayerNormalization", named(graph, "layers.{layer}/post_attention"))
    node.input[0] = node.input[1]


def forget(count):
    """Return a defect that tells attention that there are fewer tokens than there are, but for the first."""

    @edited
    def defect(graph):
        (node,) = nodes(graph, "Cast", "Sub/Cast")
        given = node.output[0]
        whole, shorter = given + "/whole", given + "/shorter"
        for name, value in ((given + "/count", count), (given + "/zero", 0)):
            graph.initializer.append(numpy_helper.from_array(np.array(value, dtype="i4"), name))
        node.output[0] = whole
        place = list(graph.node).index(node) + 1
        graph.node.insert(place, helper.make_node("Sub", [whole, given + "/count"], [shorter], name=shorter))
        graph.node.insert(place + 1, helper.make_node("Max", [shorter, given + "/zero"], [given], name=given + "/max"))

    return defect


def as_nibbles(packed):
    return np.stack([packed & 15, packed >> 4], axis=-1).reshape(*packed.shape[:-1], -1)


def as_bytes(nibbles):
    pairs = nibbles.reshape(*nibbles.shape[:-1], -1, 2)
    return (pairs[..., 0] | (pairs[..., 1] << 4)).astype("u1")


def swap_nibbles(packed):
    return ((packed >> 4) | (packed << 4)).astype("u1")


def one_too_many(packed):
    return as_bytes(np.minimum(as_nibbles(packed).astype("i4") + 1, 15).astype("u1"))


def roll_a_block(packed):
    nibbles = as_nibbles(packed)
    nibbles[5, 1] = np.roll(nibbles[5, 1], 1)
    return as_bytes(nibbles)


def double_a_row(scales):
    scales[7] *= 2


def swap_rows(values):
    values[[100, 200]] = values[[200, 100]]


def swap_columns(values):
    values[:, [100, 200]] = values[:, [200, 100]]


def poison(values):
    values[3, 1] = np.nan


def merge_otherwise(tokenizer):
    del tokenizer["model"]["merges"][:8]


def exchange_letters(tokenizer):
    vocabulary = tokenizer["model"]["vocab"]
    vocabulary["a"], vocabulary["e"] = vocabulary["e"], vocabulary["a"]


def plain_added_tokens(tokenizer):
    speakers = ("<|user|>", "<|im_start|>")
    tokenizer["added_tokens"] = [t for t in tokenizer["added_tokens"] if t["content"] not in speakers]


def ends_at(token):
    def change(config):
        config["model"]["eos_token_id"] = token

    return rewritten("genai_config.json", change)


def template(change):
    def defect(folder):
        path = folder / "chat_template.jinja"
        path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")

    return defect
