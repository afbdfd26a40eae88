"""The start of a recipe loads as it is, plans as it is, and still does with every comment taken away."""

from pathlib import Path

import msgspec
import pytest

from recipes.building.transcript import transcript
from recipes.spec.load import load
from recipes.spec.request import Request, options_from
from recipes.starting import start, text
from wheelhouse.errors import InputError, UsageError


@pytest.mark.parametrize("base", ["dml", "dml-1.24", "cpu"])
def test_it_is_its_base_until_it_is_changed(tmp_path: Path, base: str) -> None:
    file = tmp_path / "mine.toml"
    said = start("mine", base=base, out=str(file))
    assert f"`invoke build --recipe {file} --plan`" in said
    mine, theirs = load(str(file)), load(base)
    alike = {"name": "x", "description": "x", "extends": ""}
    assert msgspec.structs.replace(mine, **alike) == msgspec.structs.replace(theirs, **alike)
    assert "git" in transcript(Request(recipe=str(file), target="windows-x64", options=options_from()), "cmd")


@pytest.mark.parametrize("base", ["dml", "dml-1.24", "cpu"])
def test_what_stands_in_comments_is_right(tmp_path: Path, base: str) -> None:
    first, *rest = text("mine", base).splitlines()
    assert first.startswith("# ")
    (tmp_path / "all.toml").write_text("\n".join(line.removeprefix("# ") for line in rest), encoding="utf-8")
    mine, theirs = load(str(tmp_path / "all.toml")), load(base)
    assert (mine.onnxruntime, mine.genai, mine.pythons) == (theirs.onnxruntime, theirs.genai, theirs.pythons)


@pytest.mark.parametrize("name", ["Mine", "a b", "../x", "", "-x", "x.", "ä", "con", "nul.x"])
def test_names_that_cannot_be(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a recipe's name"):
        start(name, base="dml", out=str(tmp_path / "x.toml"))
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten_and_a_base_compiles(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="is there already"):
        start("x", base="dml", out=str(tmp_path / "x.toml"))
    assert (tmp_path / "x.toml").read_text(encoding="utf-8") == "mine"
    with pytest.raises(UsageError, match="compiles nothing"):
        start("y", base="published", out=str(tmp_path / "y.toml"))
    with pytest.raises(UsageError, match="Did you mean 'dml'"):
        start("y", base="dmll", out=str(tmp_path / "y.toml"))
    with pytest.raises(InputError, match=r"dml\.toml is there already"):
        start("dml", base="dml")
