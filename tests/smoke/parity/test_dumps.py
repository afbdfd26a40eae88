import json
import pickle
import sys

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from smoke.backends.registry import WORKER
from smoke.parity import dumps
from smoke.parity.dumps import DumpError
from tests.smoke import dumping

sys.path.insert(0, str(WORKER))

import worker_dump


def test_a_whole_dump_is_read(tmp_path):
    written = dumping.write(tmp_path, dumping.golden_logits())
    assert dumps.read(tmp_path, prompts=dumping.PROMPTS) == written


OLD_MATRIX = {
    "name": "m",
    "bits": 4,
    "block_size": 32,
    "shape": [1, 32],
    "relative": 0.1,
    "steps": 0.4,
    "row": [0, 0.4],
    "block": [0, 0, 0.5],
}
"""Of a dump whose worker did not tell rounding from other errors: nothing may pass for that."""


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"schema": 1}, "malformed"),
        ({"status": "fine"}, "malformed"),
        ({"nll": "3"}, "malformed"),
        ({"peak_memory": -1}, "malformed"),
        ({"prompts": []}, "0 prompts instead of 3"),
        ({"prompts": [{"text": "t", "ids": []}] * 3}, "no tokens"),
        ({"prompts": [{"text": "t", "ids": [1], "tokens": [1, 2], "pieces": ["a"]}] * 3}, "2 tokens but 1 texts"),
        ({"prompts": [{"text": "t", "ids": [-1]}] * 3}, "malformed"),
        ({"prompts": [{"text": "t", "ids": [1], "logits": "../../etc/passwd"}] * 3}, "malformed"),
        ({"weights": [OLD_MATRIX]}, "required field `beyond`"),
    ],
)
def test_a_dump_that_contradicts_itself_is_refused(tmp_path, change, word):
    dumping.write(tmp_path, dumping.golden_logits())
    dumping.edit(tmp_path, **change)
    with pytest.raises(DumpError, match=word):
        dumps.read(tmp_path, prompts=dumping.PROMPTS)


def test_a_failed_dump_needs_no_prompts(tmp_path):
    (tmp_path / "dump.json").write_text('{"schema": 2, "status": "failed", "reason": "r"}', encoding="utf-8")
    assert dumps.read(tmp_path, prompts=3).reason == "r"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["schema", "status", "prompts", "text", "ids", "tokens", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@settings(max_examples=80, deadline=None)
@given(content=st.binary(max_size=60) | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_a_dump_or_a_dump_error(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("dump")
    (folder / "dump.json").write_bytes(content)
    with pytest.raises(DumpError):
        dumps.read(folder, prompts=1)


def tensor(array, name="logits"):
    return safetensors.numpy.save({name: array})


@settings(max_examples=80, deadline=None)
@given(cut=st.integers(0, 200), noise=st.lists(st.tuples(st.integers(0, 79), st.integers(0, 255)), max_size=4))
def test_any_harm_to_a_matrix_is_noticed_or_harmless(tmp_path_factory, cut, noise):
    whole = tensor(np.arange(12, dtype="<f4").reshape(3, 4))
    harmed = bytearray(whole)
    for position, value in noise:
        harmed[position] = value
    path = tmp_path_factory.mktemp("dump") / "logits-0.safetensors"
    path.write_bytes(bytes(harmed[: len(harmed) - cut] if cut else harmed))
    try:
        logits = dumps.open_logits(path)
        rows = sum(len(block) for block in logits.blocks())
    except DumpError:
        return
    assert rows * logits.vocabulary * 4 == 48


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 3), dtype="f8"),
        np.zeros(6, dtype="f4"),
        np.zeros((0, 3), dtype="f4"),
        np.zeros((2, 3), dtype="f2"),
    ],
)
def test_other_arrays_are_refused(tmp_path, array):
    path = tmp_path / "logits-0.safetensors"
    path.write_bytes(tensor(array))
    with pytest.raises(DumpError, match="one float32 matrix"):
        dumps.open_logits(path)


def test_missing_or_truncated_logits(tmp_path):
    with pytest.raises(DumpError, match="cannot be read"):
        dumps.open_logits(tmp_path / "logits-0.safetensors")
    path = tmp_path / "logits-0.safetensors"
    path.write_bytes(tensor(np.zeros((2, 3), dtype="f4"))[:-1])
    with pytest.raises(DumpError, match="truncated"):
        dumps.open_logits(path)


def test_a_file_that_shrinks_while_it_is_read(tmp_path):
    path = tmp_path / "logits-0.safetensors"
    path.write_bytes(tensor(np.zeros((2000, 500), dtype="f4")))
    logits = dumps.open_logits(path)
    blocks = logits.blocks()
    next(blocks)
    with path.open("r+b") as stream:
        stream.truncate(logits.offset + 4 * 500 * 1500)
    with pytest.raises(DumpError, match="ends before"):
        list(blocks)


def test_blocks_are_small_and_in_order(tmp_path):
    array = np.arange(9000, dtype="<f4").reshape(30, 300)
    path = tmp_path / "logits-0.safetensors"
    path.write_bytes(tensor(array))
    blocks = list(dumps.open_logits(path).blocks())
    assert np.array_equal(np.concatenate(blocks), array)
    assert max(block.size for block in blocks) <= dumps.BLOCK_VALUES


def header(text, data=b""):
    return len(text).to_bytes(8, "little") + text + data


HOSTILE = {
    "a pickle": pickle.dumps([1.0] * 6),
    "empty": b"",
    "two matrices": safetensors.numpy.save({"logits": np.zeros((2, 3), "f4"), "more": np.zeros((2, 3), "f4")}),
    "another name": safetensors.numpy.save({"weights": np.zeros((2, 3), "f4")}),
    "a huge shape": header(
        b'{"logits":{"dtype":"F32","shape":[999999999,999999999],"data_offsets":[0,24]}}', bytes(24)
    ),
    "a negative shape": header(b'{"logits":{"dtype":"F32","shape":[-2,-3],"data_offsets":[0,24]}}', bytes(24)),
    "a shape beyond 64 bits": header(b'{"logits":{"dtype":"F32","shape":[1%s,3],"data_offsets":[0,24]}}' % (b"0" * 40)),
    "a hole before the data": header(b'{"logits":{"dtype":"F32","shape":[2,3],"data_offsets":[8,32]}}', bytes(32)),
    "an endless header": (2**63).to_bytes(8, "little") + b"{" * 5000,
    "nested JSON": header(b"[" * 4000),
    "numpy's own": b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_files_that_are_no_dump_or_want_to_be_more_are_refused(tmp_path, name):
    path = tmp_path / "logits-0.safetensors"
    path.write_bytes(HOSTILE[name])
    with pytest.raises(DumpError):
        dumps.open_logits(path)


def test_the_library_reads_what_a_worker_writes(tmp_path):
    rows = np.random.default_rng(0).normal(size=(3, 5))
    worker_dump.write_rows(tmp_path / "logits-0.safetensors", rows)
    read = safetensors.numpy.load_file(tmp_path / "logits-0.safetensors")
    assert np.array_equal(read["logits"], rows.astype("f4"))
    assert dumps.open_logits(tmp_path / "logits-0.safetensors").rows == 3
