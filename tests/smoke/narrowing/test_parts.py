"""What a search is made of: how far values are apart, in which portions they are read, which sides it takes."""

import numpy as np
import pytest
from safetensors.numpy import load as safetensors_load

from smoke.narrowing import what_was_found
from smoke.narrowing.bisecting import Request
from smoke.narrowing.errands import Sample, Tools, numbered
from smoke.narrowing.how_far_apart import QUANTISED, Apart, apart, tolerance
from smoke.narrowing.parts_of_graphs import Plan, Unit, counterpart, portions
from smoke.narrowing.repro_folder import packed
from smoke.narrowing.search import Found, Seen
from smoke.narrowing.shrinking import between, edge, halvings, one_row
from wheelhouse.errors import UsageError


def test_an_error_counts_in_its_row_whatever_large_numbers_another_row_has():
    right = np.array([[6000.0, 1.0], [1.0, 2.0]], np.float32)
    ours = right.copy()
    ours[1, 0] += 0.5
    found = apart(ours, right)
    assert found.error == pytest.approx(0.25)
    assert found.row == (1,)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_what_is_no_number_is_infinitely_wrong(wrong):
    right = np.ones((2, 3), np.float16)
    ours = right.copy()
    ours[1, 2] = wrong
    assert apart(ours, right).error == np.inf
    assert apart(ours, ours).error == 0


def test_another_shape_and_another_integer_are_infinitely_wrong():
    assert apart(np.ones(3), np.ones(4)).error == np.inf
    assert apart(np.array([[1, 2]]), np.array([[1, 3]])).error == np.inf
    assert apart(np.array([1, 2], np.int32), np.array([1, 2], np.int64)).error == 0


def test_a_row_of_remains_is_held_to_the_largest_row():
    right = np.array([[1.0, 1.0], [1e-9, 0.0]], np.float32)
    ours = right + np.array([[0, 0], [1e-9, 0]], np.float32)
    assert apart(ours, right).error < 1e-4


@pytest.mark.parametrize(
    ("kinds", "operators", "alike", "allowed"),
    [
        (["float32"], ("Add", "Add"), False, 1e-5),
        (["int64"], ("Gather", "Gather"), False, 0),
        (["float16", "float32"], ("Cast", "Cast"), False, 2e-2),
        (["float32"], ("MatMulNBits", "MatMul"), True, QUANTISED),
        (["float32"], ("MatMulNBits", "MatMulNBits"), True, 1e-5),
        (["float32"], ("MatMulNBits", "MatMulNBits"), False, 3e-2),
    ],
)
def test_tolerances_follow_types_and_operators(kinds, operators, alike, allowed):
    assert tolerance(kinds, 64, operators, alike=alike) == allowed


def test_portions_stay_below_the_limit_and_lose_nothing():
    items = [(name, 100) for name in "abcdefg"]
    found = portions(items, tokens=10, most=16000)
    assert found == [["a", "b"], ["c", "d"], ["e", "f"], ["g"]]
    assert portions([("huge", 10**9), ("small", 1)], tokens=1, most=100) == [["huge"], ["small"]]


def test_the_last_token_is_decoded_after_the_others():
    assert list(numbered([Sample(ids=(1, 2, 3))])) == [(0, 0, (1, 2)), (0, 1, (3,))]


def test_the_same_operator_is_found_in_the_next_layer():
    def unit(layer):
        return Unit(name=f"/model/layers.{layer}/mlp/Mul", operator="Mul", stage=layer, inputs=(), outputs=("y",),
                    left_inputs=(), left_operator="Mul", differences=(), kinds={}, width=1)  # fmt: skip

    found = [unit(1), unit(2), unit(12)]
    assert counterpart(found[0], found, 1) is found[1]
    assert counterpart(found[0], found, 5) is None


@pytest.mark.parametrize("side", ["openvino-genai:fp16", "reference:fp32", "npu:int4", "twin:cpu-int4"])
def test_what_runs_no_onnx_graph_is_refused(side):
    with pytest.raises(UsageError, match="runs no ONNX graph"):
        Request(model="tiny-phi3", left="ort-cpu:fp32", right=side)


def test_the_same_twice_is_refused():
    with pytest.raises(UsageError, match="are the same"):
        Request(model="tiny-phi3", left="ort-cpu:fp32", right="ort-cpu:fp32")


def feeds(*rows):
    return {"x": np.array([rows], np.float32), "ids": np.array([range(len(rows))])}


def test_an_input_is_halved_and_what_is_no_float_stays():
    found = halvings(feeds([8.0, 1.0]))
    assert [each.largest for each in found[:3]] == [8, 4, 2]
    assert all((each.feeds["ids"] == 0).all() for each in found)


def test_the_edge_lies_between_the_last_wrong_and_the_first_right():
    tried = [(each, each.largest > 3) for each in halvings(feeds([16.0]))]
    wrong, right = edge(tried)
    assert (wrong.largest, right.largest) == (4, 2)
    inner = [(each, each.largest > 3) for each in between(wrong, right, feeds([16.0]))]
    wrong, right = edge([(wrong, True), *inner, (right, False)])
    assert 3 < wrong.largest < 3.3
    assert 2.7 < right.largest <= 3


def test_where_nothing_is_right_there_is_no_edge():
    _, right = edge([(each, True) for each in halvings(feeds([16.0]))])
    assert right is None


def test_one_row_is_taken_along_positions_only():
    at, taken = one_row(feeds([1.0], [2.0], [3.0]), (0, 2))
    assert (at, taken["x"].tolist(), taken["ids"].tolist()) == (2, [[[3.0]]], [[2]])
    assert one_row(feeds([1.0]), (0, 0)) is None
    assert one_row({**feeds([1.0], [2.0]), "past_key_values.0.key": np.ones((1, 2, 3, 4))}, (0, 1)) is None
    assert one_row({**feeds([1.0], [2.0]), "y": np.ones((1, 5, 2))}, (0, 1)) is None


def test_a_repro_is_read_by_the_library_of_its_format():
    arrays = {"/a/b": np.arange(6, dtype=np.float16).reshape(2, 3), "n": np.array([7], np.int64)}
    found = safetensors_load(packed(arrays))
    assert all((found[name] == array).all() and found[name].dtype == array.dtype for name, array in arrays.items())


@pytest.mark.parametrize(
    ("left", "right"),
    [("openvino:fp16", "ort-cpu:fp32"), ("ort-cpu:fp32", "openvino-genai:fp16"), ("ort-cpu:fp32", "npu:fp16"),
     ("openvino:fp16=folder", "ort-cpu:fp32"), ("ort-cpu:fp32", "openvino:gpu-fp16")],
)  # fmt: skip
def test_openvino_is_divided_on_the_right_only_and_where_its_model_is_one(left, right):
    with pytest.raises(UsageError, match="runs no ONNX graph"):
        Request(model="m", left=left, right=right)
    assert Request(model="m", left="ort-cpu:fp32", right="openvino:int4=folder").right == "openvino:int4=folder"


@pytest.mark.parametrize(("error", "hinted"), [(0.0, True), (0.5, False)])
def test_where_the_texts_show_no_difference_others_are_asked_for(error, hinted):
    seen = Seen(apart=Apart(error=error), tolerance=1e-5)
    found = Found(plan=Plan(stages=(), units=(), logits="logits"), samples=[], logits=seen)
    tools = Tools(left=None, right=None, work=None, shown=None, room=8)
    assert ("--prompts FILE" in "\n".join(what_was_found.told(tools, found))) is hinted
