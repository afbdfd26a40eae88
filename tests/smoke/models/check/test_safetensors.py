import json
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smoke.models.check import safetensors
from wheelhouse.errors import InputError

SIZES = {"F32": 4, "F16": 2, "I64": 8, "U8": 1}
TENSORS = st.dictionaries(
    st.text(min_size=1, max_size=8).filter(lambda name: name != "__metadata__"),
    st.tuples(st.sampled_from(sorted(SIZES)), st.lists(st.integers(0, 4), max_size=3)),
    max_size=5,
)


def encode(tensors: dict[str, tuple[str, list[int]]], metadata: bool = True) -> bytes:
    header: dict[str, object] = {"__metadata__": {"format": "pt"}} if metadata else {}
    position = 0
    for name, (dtype, shape) in tensors.items():
        size = SIZES[dtype]
        for length in shape:
            size *= length
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [position, position + size]}
        position += size
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(position)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("weights") / "model.safetensors"


@given(TENSORS, st.booleans())
def test_whole_file_passes(file: Path, tensors: dict[str, tuple[str, list[int]]], metadata: bool) -> None:
    file.write_bytes(encode(tensors, metadata))
    assert len(safetensors.tensors(file)) == len(tensors)


@given(TENSORS, st.data())
def test_every_truncation_is_noticed(
    file: Path, tensors: dict[str, tuple[str, list[int]]], data: st.DataObject
) -> None:
    whole = encode(tensors)
    file.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(InputError) as caught:
        safetensors.tensors(file)
    assert "truncated" in caught.value.message or "is empty" in caught.value.message


@given(TENSORS)
def test_trailing_bytes_are_noticed(file: Path, tensors: dict[str, tuple[str, list[int]]]) -> None:
    file.write_bytes(encode(tensors) + b"\0")
    with pytest.raises(InputError, match="too long"):
        safetensors.tensors(file)


@given(st.binary(max_size=200))
def test_noise_is_an_input_error_or_a_whole_file(file: Path, noise: bytes) -> None:
    file.write_bytes(noise)
    with pytest.raises(InputError):
        safetensors.tensors(file)


JSON = st.recursive(st.none() | st.integers() | st.text(), lambda e: st.lists(e) | st.dictionaries(st.text(), e))


@given(JSON.filter(lambda value: value != {} and (not isinstance(value, dict) or set(value) != {"__metadata__"})))
def test_json_that_describes_no_tensors_is_an_input_error(file: Path, value: object) -> None:
    text = json.dumps(value).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text)
    with pytest.raises(InputError) as caught:
        safetensors.tensors(file)
    assert str(file) in caught.value.message
    assert caught.value.remedy


def header(**tensors: dict[str, object]) -> bytes:
    text = json.dumps(tensors).encode()
    return struct.pack("<Q", len(text)) + text


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (header(a={"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}) + bytes(4), "unlike its shape"),
        (header(a={"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}) + bytes(8), "gap"),
        (
            header(
                a={"dtype": "U8", "shape": [4], "data_offsets": [0, 4]},
                b={"dtype": "U8", "shape": [4], "data_offsets": [2, 6]},
            )
            + bytes(6),
            "overlaps",
        ),
        (header(a={"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}) + bytes(4), "header cannot be read"),
        (struct.pack("<Q", 1 << 60) + b"{}", "cut off"),
    ],
)
def test_contradictions_are_named(file: Path, content: bytes, says: str) -> None:
    file.write_bytes(content)
    with pytest.raises(InputError, match=says):
        safetensors.tensors(file)


def test_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        safetensors.tensors(tmp_path / "none.safetensors")
