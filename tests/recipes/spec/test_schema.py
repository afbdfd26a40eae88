"""Recipes are decoded strictly, and the tracked JSON schema is the structures' own."""

import json

import jsonschema
import msgspec
import pytest

from recipes.spec import load
from recipes.spec.fetched import Dependency, Source
from recipes.spec.schema import Recipe
from wheelhouse import strict_toml
from wheelhouse.errors import InputError, RecipeError, UsageError

COMMIT = "0123456789" * 4
PUBLISHED = '[[published.artifacts]]\npackage = "p"\nversion = "1"\nfilename = "p.whl"\nsha256 = "' + "a" * 64 + '"\n'


def test_the_tracked_schema_is_current():
    assert load.SCHEMA_FILE.read_text(encoding="utf-8") == load.schema_text()


@pytest.mark.parametrize("path", load.available().values(), ids=lambda p: p.stem)
def test_every_recipe_of_ours_decodes_and_fits_the_schema(path):
    assert load.load(path.stem).name == path.stem
    jsonschema.validate(load.merged(path), load.schema())


def test_unknown_recipe_offers_the_nearest(tmp_path):
    (tmp_path / "published.toml").write_text("", encoding="utf-8")
    with pytest.raises(UsageError, match="Did you mean 'published'"):
        load.load("publishd", folder=tmp_path)


def test_unknown_key_offers_the_nearest(tmp_path):
    file = tmp_path / "a.toml"
    file.write_text('description = "x"\n' + PUBLISHED.replace("sha256", "sha265"), encoding="utf-8")
    with pytest.raises(RecipeError, match=r"unknown key 'sha265'.*Did you mean 'sha256'"):
        load.load(str(file))


def test_missing_and_undecodable_files(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        load.load(str(tmp_path / "none.toml"))
    (tmp_path / "bad.toml").write_text("= 3", encoding="utf-8")
    with pytest.raises(RecipeError, match="not valid TOML"):
        load.load(str(tmp_path / "bad.toml"))
    (tmp_path / "Bad Name.toml").write_text('description = "x"\n' + PUBLISHED, encoding="utf-8")
    with pytest.raises(RecipeError, match="not a recipe name"):
        load.load(str(tmp_path / "Bad Name.toml"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('description = "x"', "needs .onnxruntime. with .genai., or .published."),
        ('description = "x"\n' + PUBLISHED.replace("a" * 64, "A" * 64), "sha256"),
        ('description = "x"\npythons = ["4.1"]\n' + PUBLISHED, "pythons"),
        ('description = "x"\ntargets = ["windows-x86"]\n' + PUBLISHED, "windows-x86"),
    ],
)
def test_contradictions_are_recipe_errors(text, message):
    with pytest.raises(RecipeError, match=message):
        strict_toml.decode(text, Recipe, "r.toml")


def test_a_source_needs_a_pin():
    with pytest.raises(ValueError, match="needs a commit"):
        Source(repository="r")
    assert Source(repository="r", commit=COMMIT, tag="v1").pin == COMMIT
    assert Source(repository="r", tag="v1").pin == "tag v1"


def test_a_dependency_has_one_origin_and_may_be_for_some_targets():
    with pytest.raises(ValueError, match="one of source, url and declared-in"):
        Dependency(name="x")
    with pytest.raises(ValueError, match="one of source, url and declared-in"):
        Dependency(name="x", url="u", source=Source(repository="r", tag="t"))
    only = Dependency(name="x", url="u", targets=("windows-x64",))
    assert only.needed_for("windows-x64")
    assert not only.needed_for("linux-x64")


def test_recipes_are_immutable_and_survive_json():
    recipe = strict_toml.decode('description = "x"\n' + PUBLISHED, Recipe, "r.toml")
    with pytest.raises(AttributeError):
        recipe.name = "y"
    assert msgspec.json.decode(msgspec.json.encode(recipe), type=Recipe) == recipe
    assert json.loads(load.schema_text())["$schema"].startswith("https://json-schema.org")
