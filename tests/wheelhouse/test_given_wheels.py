"""Files, folders, patterns and commas stand for wheels alike wherever wheels are taken."""

import pytest

from wheelhouse.errors import InputError
from wheelhouse.given_wheels import all_wheels, wheels_meant


@pytest.fixture
def folder(tmp_path):
    for name in ("a-1-cp311.whl", "a-1-cp311.whl.metadata", "b-1-cp312.whl", "c,d-1-cp311.whl", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (["{}"], ["a-1-cp311.whl", "b-1-cp312.whl", "c,d-1-cp311.whl"]),
        (["{}/a-1-cp311.whl"], ["a-1-cp311.whl"]),
        (["{}/*cp311*"], ["a-1-cp311.whl", "c,d-1-cp311.whl"]),
        (["{}/a-1-cp311.whl", "{}/a*"], ["a-1-cp311.whl"]),
        (["{}/a-1-cp311.whl,{}/*cp312.whl"], ["a-1-cp311.whl", "b-1-cp312.whl"]),
        (["{}/a-1-cp311.whl, {}/b-1-cp312.whl,"], ["a-1-cp311.whl", "b-1-cp312.whl"]),
        (["{}/c,d-1-cp311.whl"], ["c,d-1-cp311.whl"]),
    ],
)
def test_what_stands_for_wheels(folder, given, meant):
    assert wheels_meant([text.replace("{}", str(folder)) for text in given]) == [folder / name for name in meant]


@pytest.mark.parametrize("given", ["gone.whl", "g*.whl", "*.txt", "gone.whl,b-1-cp312.whl"])
def test_what_stands_for_no_wheel_is_named(folder, given):
    with pytest.raises(InputError, match="There is no wheel"):
        wheels_meant([str(folder / given)])


def test_an_empty_folder_says_what_to_do(folder):
    with pytest.raises(InputError, match="invoke build-dml"):
        all_wheels(folder / "empty")
    with pytest.raises(InputError, match="no wheels in"):
        wheels_meant([str(folder / "empty")])
