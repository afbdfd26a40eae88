from pathlib import Path

import pytest

from smoke.environments import environment_recipes
from smoke.models import catalogue, resolving
from wheelhouse.errors import RecipeError, UsageError

GOOD = 'label = "x"\npython = "3.11"\nsize = 1\ndeepest = 1\npackages = ["numpy==2.0"]\n'


@pytest.fixture
def recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(environment_recipes, "ENVIRONMENTS", tmp_path)
    return tmp_path


def test_shipped_recipes_are_right() -> None:
    assert {"main", "ort"} <= set(environment_recipes.environment_names())
    for name in environment_recipes.environment_names():
        recipe = environment_recipes.environment(name)
        assert recipe.packages
        assert recipe.variables["PYTHONUTF8"] == "1"
    for name in ("main", "ort"):
        assert environment_recipes.environment(name).variables["PYTHONNOUSERSITE"] == "1"
        assert not environment_recipes.environment(name).variables["PYTHONDONTWRITEBYTECODE"], (
            "every start would compile again"
        )
    assert resolving.DEFAULT in catalogue.model_names()
    for name in catalogue.model_names():
        assert catalogue.model(name).size > 0


def test_torchvision_is_never_pinned_and_torch_always() -> None:
    main = environment_recipes.environment("main")
    pinned = {pin.split("==")[0].lower() for pin in main.packages + main.resolved}
    assert "torch" in pinned
    assert "torchvision" not in pinned
    assert not any(pin.startswith("torch==") for pin in main.packages), "its dependencies differ by build"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (GOOD.replace("packages", "pakages"), "Did you mean 'packages'"),
        (GOOD.replace("==2.0", ">=2.0"), "packages"),
        (GOOD.replace('"3.11"', '"2.7"'), "python"),
        (GOOD.replace("size = 1", "size = 0"), "size"),
        (GOOD.replace('["numpy==2.0"]', '["numpy==2.0", "NumPy==2.1"]'), "more than once"),
        (GOOD.replace("label = ", "label "), "not valid TOML"),
    ],
)
def test_wrong_recipe_is_named(recipes: Path, text: str, says: str) -> None:
    (recipes / "demo.toml").write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError, match=says) as caught:
        environment_recipes.environment("demo")
    assert "demo.toml" in str(caught.value)


def test_unknown_name_offers_the_nearest(recipes: Path) -> None:
    (recipes / "openvino.toml").write_text(GOOD, encoding="utf-8")
    with pytest.raises(UsageError, match="Did you mean 'openvino'"):
        environment_recipes.environment("openvin")


def test_kind_of_source_decides_its_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "MODELS", tmp_path)
    (tmp_path / "m.toml").write_text(
        'label = "m"\nlicense = "MIT"\nsize = 1\n[source]\nkind = "packaged-gguf"\nseed = 1\n', encoding="utf-8"
    )
    with pytest.raises(RecipeError, match="seed"):
        catalogue.model("m")
    (tmp_path / "n.toml").write_text(
        'label = "m"\nlicense = "MIT"\nsize = 1\n[source]\nkind = "torrent"\n', encoding="utf-8"
    )
    with pytest.raises(RecipeError, match="torrent"):
        catalogue.model("n")


def test_what_is_converted_has_the_same_bytes_on_every_system(tmp_path):
    """A model is known by its files' hashes: with Windows' line ends, another machine's dumps were of another model."""
    from smoke.models.converters import hf_folder

    hf_folder.write_json(tmp_path / "config.json", {"name": "Zoë", "layers": 2})
    assert (tmp_path / "config.json").read_bytes() == '{\n  "name": "Zoë",\n  "layers": 2\n}\n'.encode()
