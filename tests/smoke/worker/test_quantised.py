"""Quantised matrices are the numbers that ONNX Runtime takes them for, and are told apart from wrong ones."""

import json
import sys

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from smoke.backends.registry import WORKER
from smoke.parity import matrices
from smoke.parity.dumps import MatrixDump

sys.path.insert(0, str(WORKER))

import quantised_onnx
import twin_names
from quantised import Quantised, unpack

MICROSOFT = "com.microsoft"


def packed(values, bits):
    """Pack numbers (rows, columns) into bytes, the lowest bits first."""
    if bits == 8:
        return values.astype("u1")
    per = 8 // bits
    padded = np.pad(values, ((0, 0), (0, -values.shape[1] % per))).astype("u1")
    grouped = padded.reshape(len(values), -1, per)
    return np.bitwise_or.reduce(grouped << (np.arange(per, dtype="u1") * bits), axis=2).astype("u1")


def folder_with(folder, nodes, inputs, outputs, constants, outside=False):
    graph = helper.make_graph(
        nodes, "g", inputs, outputs, [numpy_helper.from_array(v, k) for k, v in constants.items()]
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid(MICROSOFT, 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    folder.mkdir(exist_ok=True)
    onnx.save(model, folder / "model.onnx", save_as_external_data=outside, location="model.data", size_threshold=0)
    (folder / "genai_config.json").write_text(
        json.dumps({"model": {"decoder": {"filename": "model.onnx"}}}), encoding="utf-8"
    )
    return str(folder)


def matmul(folder, bits, block, *, zeros, outside=False, rows=8, columns=64):
    random = np.random.default_rng(bits + block)
    blocks = columns // block
    constants = {
        "w": packed(random.integers(0, 1 << bits, (rows, columns)), bits).reshape(rows, blocks, -1),
        "s": random.uniform(0.01, 1, rows * blocks).astype("f4"),
    }
    if zeros:
        constants["z"] = packed(random.integers(0, 1 << bits, (rows, blocks)), bits).reshape(-1)
    node = helper.make_node(
        "MatMulNBits", ["x", *constants], ["y"], domain=MICROSOFT, name="/model/layers.3/mlp/up_proj/MatMul_Q4",
        N=rows, K=columns, bits=bits, block_size=block,
    )  # fmt: skip
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [columns, columns])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [columns, rows])
    return folder_with(folder, [node], [x], [y], constants, outside)


@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize(("bits", "block"), [(4, 32), (4, 16), (8, 32)])
def test_a_matrix_is_what_onnx_runtime_multiplies_with(tmp_path, bits, block, zeros):
    folder = matmul(tmp_path, bits, block, zeros=zeros)
    (found,) = quantised_onnx.matrices(folder)
    session = ort.InferenceSession(f"{folder}/model.onnx", providers=["CPUExecutionProvider"])
    (theirs,) = session.run(None, {"x": np.eye(64, dtype="f4")})
    np.testing.assert_allclose(found.dense(), theirs.T, atol=1e-5)
    assert (found.bits, found.block, found.name) == (bits, block, "/model/layers.3/mlp/up_proj/MatMul_Q4")


def test_data_files_with_several_names_are_read(tmp_path):
    folder = matmul(tmp_path / "a", 4, 32, zeros=True, outside=True)
    (tmp_path / "link").hardlink_to(tmp_path / "a" / "model.data")
    inside = matmul(tmp_path / "b", 4, 32, zeros=True)
    (ours,), (theirs,) = quantised_onnx.matrices(folder), quantised_onnx.matrices(inside)
    np.testing.assert_array_equal(ours.dense(), theirs.dense())


@pytest.mark.parametrize("zeros", [False, True])
def test_a_table_is_what_onnx_runtime_looks_up(tmp_path, zeros):
    random = np.random.default_rng(7)
    rows, columns, block = 12, 64, 32
    constants = {
        "w": packed(random.integers(0, 16, (rows, columns)), 4),
        "s": random.uniform(0.01, 1, (rows, columns // block)).astype("f4"),
    }
    if zeros:
        constants["z"] = packed(random.integers(0, 16, (rows, columns // block)), 4)
    named = ["w", "i", "s", *(["z"] if zeros else [])]
    node = helper.make_node(
        "GatherBlockQuantized", named, ["y"], domain=MICROSOFT, name="/model/embed_tokens/Gather_Q4",
        gather_axis=0, quantize_axis=1, block_size=block, bits=4,
    )  # fmt: skip
    i = helper.make_tensor_value_info("i", TensorProto.INT64, [rows])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [rows, columns])
    folder = folder_with(tmp_path, [node], [i], [y], constants)
    (found,) = quantised_onnx.matrices(folder)
    session = ort.InferenceSession(f"{folder}/model.onnx", providers=["CPUExecutionProvider"])
    (theirs,) = session.run(None, {"i": np.arange(rows)})
    np.testing.assert_allclose(found.dense(), theirs, atol=1e-6)


def rounded(bits=4, block=32, rows=64, columns=256, shift=0.0):
    """Return a matrix, and what a sound quantiser makes of it."""
    original = np.random.default_rng(3).normal(size=(rows, columns)).astype("f4")
    parts = original.reshape(rows, -1, block)
    low, high = parts.min(2), parts.max(2)
    scales = (high - low) / ((1 << bits) - 1)
    zeros = np.round(-low / scales)
    values = np.clip(np.round(parts / scales[..., None] + zeros[..., None]), 0, (1 << bits) - 1)
    made = Quantised(name="m", values=values.reshape(rows, columns).astype("u1"), scales=scales, zeros=zeros + shift,
                     block=block, bits=bits)  # fmt: skip
    return made, original


def measured(change=None, **how):
    made, original = rounded(**how)
    if change is not None:
        change(made)
    return made.measured(made.dense(), original)


@pytest.mark.parametrize("how", [{}, {"bits": 8}, {"block": 128}, {"block": 256}, {"bits": 2}])
def test_rounding_errs_by_the_same_part_of_a_step_whatever_the_bits(how):
    found = measured(**how)
    assert 0.26 < found["steps"] < 0.31
    assert found["row"][1] < 0.4
    assert found["block"][2] < 0.6


def scale_one_row(made):
    made.scales[5] *= 2


def move_one_block(made):
    made.values[9, 32:64] = np.roll(made.values[9, 32:64], 1)


def swap_nibbles(made):
    made.values[:] = made.values.reshape(64, -1, 2)[:, :, ::-1].reshape(64, -1)


def break_a_scale(made):
    made.scales[2, 1] = np.nan


@pytest.mark.parametrize(
    ("change", "where"),
    [(scale_one_row, {"row": 5}), (move_one_block, {"block": [9, 1]}), (swap_nibbles, {}), (break_a_scale, {})],
)
def test_what_is_wrong_is_found_where_it_is(change, where):
    found = {"name": "m", **measured(change)}
    json.dumps(found, allow_nan=False)
    assert matrices.violations([MatrixDump(**found)])
    assert matrices.violations([MatrixDump(name="m", **measured())]) == []
    assert found["row"][0] == where.get("row", found["row"][0])
    assert found["block"][:2] == where.get("block", found["block"][:2])


def test_a_zero_point_off_by_one_is_found_at_any_width():
    for bits in (4, 8):
        assert measured(bits=bits, shift=1.0)["steps"] > 0.9


def test_numbers_of_other_widths_are_refused():
    with pytest.raises(ValueError, match="3 bits"):
        unpack(np.zeros((1, 3), "u1"), 3)


PARAMETERS = {
    "model.embed_tokens.weight": (100, 8),
    "model.layers.0.self_attn.q_proj.weight": (8, 8),
    "model.layers.0.self_attn.k_proj.weight": (4, 8),
    "model.layers.0.self_attn.v_proj.weight": (4, 8),
    "model.layers.0.mlp.gate_up_proj.weight": (24, 8),
    "model.layers.10.self_attn.q_proj.weight": (8, 8),
    "model.layers.10.self_attn.qkv_proj.weight": (16, 8),
    "lm_head.weight": (100, 8),
}


@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [
        ("/model/layers.0/attn/q_proj/MatMul_Q4", (8, 8), [("model.layers.0.self_attn.q_proj.weight", 0, 8, 0)]),
        ("/model/layers.10/attn/q_proj/MatMul_Q4", (8, 8), [("model.layers.10.self_attn.q_proj.weight", 0, 8, 0)]),
        ("model.layers.0.self_attn.k_proj.weight", (4, 8), [("model.layers.0.self_attn.k_proj.weight", 0, 4, 0)]),
        ("/lm_head/MatMul_Q8", (100, 8), [("lm_head.weight", 0, 100, 0)]),
        ("/model/embed_tokens/Gather_Q4", (100, 8), [("model.embed_tokens.weight", 0, 100, 0)]),
        (
            "/model/layers.0/attn/qkv_proj/MatMul_Q4",
            (16, 8),
            [
                ("model.layers.0.self_attn.q_proj.weight", 0, 8, 0),
                ("model.layers.0.self_attn.k_proj.weight", 8, 12, 0),
                ("model.layers.0.self_attn.v_proj.weight", 12, 16, 0),
            ],
        ),
        ("/model/layers.0/mlp/up_proj/MatMul_Q4", (12, 8), [("model.layers.0.mlp.gate_up_proj.weight", 0, 12, 12)]),
        ("/model/layers.10/attn/k_proj/MatMul_Q4", (4, 8), [("model.layers.10.self_attn.qkv_proj.weight", 0, 4, 8)]),
        ("/model/layers.0/attn/q_proj/MatMul_Q4", (9, 8), []),
        ("/model/layers.7/attn/q_proj/MatMul_Q4", (8, 8), []),
    ],
)
def test_matrices_find_their_parameter_by_name(name, shape, expected):
    found = twin_names.pieces(name, shape, PARAMETERS)
    assert [(p.parameter, p.start, p.end, p.at) for p in found] == expected


def test_an_original_on_a_grid_of_its_own_is_rounded_as_well_as_any():
    steps = np.random.default_rng(3).integers(-8, 8, (64, 128)) * np.float32(0.75)
    scales = np.full((64, 4), 1.0, "f4")
    values = np.clip(np.rint(steps / 1.0 + 8), 0, 15).astype("u1")
    made = Quantised(name="m", values=values, scales=scales, zeros=np.full((1, 1), 8, "f4"), block=32, bits=4)
    found = made.measured(made.dense(), steps)
    assert found["beyond"] == found["beyond_block"][2] == 0 < found["steps"]
    assert matrices.violations([MatrixDump(name="m", **found)]) == []


def one_number(made):
    made.values[9, 40] += 4 if made.values[9, 40] < 8 else -4


def one_row(made):
    made.values[7] = np.roll(made.values[7], 1)


def zero_points(made):
    made.zeros = np.asarray(made.zeros) + 1


def scales_by_a_tenth(made):
    made.scales *= np.float32(1.1)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (one_number, "is off in row 9, block 1 by"),
        (one_row, "is off in row 7 by"),
        (zero_points, "is off by"),
        (scales_by_a_tenth, "is off by"),
    ],
)
def test_what_rounding_does_not_explain_is_named_however_small(change, says):
    found = measured(change)
    said = matrices.violations([MatrixDump(name="m", **found)])
    assert len(said) == 1
    assert says in said[0]


def test_a_scale_that_clips_is_a_fault_although_the_numbers_are_the_nearest():
    made, original = rounded()
    made.scales[3] /= 4
    low, high = 0, (1 << made.bits) - 1
    zeros = np.broadcast_to(np.asarray(made.zeros, "f4"), made.scales.shape)
    wide, middle = (np.repeat(part, made.block, axis=1) for part in (made.scales, zeros))
    made.values = np.clip(np.rint(original / wide + middle), low, high).astype(made.values.dtype)
    found = made.measured(made.dense(), original)
    assert found["beyond_block"][2] < 0.01
    assert "row 3" in matrices.violations([MatrixDump(name="m", **found)])[0]
