from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelhouse.errors import InputError, RecipeError, nearest
from wheelhouse.strict_toml import decode, load


class Inner(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    commit: str
    depth: int = 1


class Outer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    name: str
    sources: dict[str, Inner] = {}


GOOD = 'name = "x"\n[sources.a]\ncommit = "c"\n'


def test_good_file_decodes(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text(GOOD, encoding="utf-8")
    assert load(path, Outer).sources["a"] == Inner(commit="c")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GOOD + 'comit = "d"\n', ["r.toml", "'comit'", "sources", "'commit'"]),
        ('nam = "x"\n', ["r.toml", "'nam'", "'name'"]),
        ("name = 3\n", ["r.toml", "str", "name"]),
        ("name = \n", ["r.toml", "not valid TOML"]),
        ("", ["r.toml", "name"]),
    ],
)
def test_mistake_is_named_with_file_and_key(text: str, words: list[str]) -> None:
    with pytest.raises(RecipeError) as caught:
        decode(text, Outer, "r.toml")
    for word in words:
        assert word in str(caught.value)


def test_unreadable_files_are_input_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load(tmp_path / "absent.toml", Outer)
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe9"')
    with pytest.raises(InputError, match="not UTF-8"):
        load(tmp_path / "latin.toml", Outer)


@given(st.text(max_size=200))
def test_any_text_gives_a_structure_or_a_recipe_error(text: str) -> None:
    try:
        assert isinstance(decode(text, Outer, "r.toml"), Outer)
    except RecipeError as error:
        message = str(error)
    else:
        return
    assert "r.toml" in message


def test_nearest_offers_one_name_or_all() -> None:
    assert nearest("openvno", ["openvino", "dml"]) == "Did you mean 'openvino'?"
    assert nearest("zzz", ["b", "a"]) == "Known: a, b."
    assert nearest("zzz", []) == ""
