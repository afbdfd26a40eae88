"""Build contexts for tests that start nothing: the miniature recipe, any target, folders below a test's own."""

from __future__ import annotations

from pathlib import Path

import msgspec

from recipes.building.context import Context
from recipes.building.tools import Tools
from recipes.spec.schema import Recipe
from recipes.spec.target import BuildOptions, Layout, Target
from tests.recipes.staging.test_ort_home import COMMITS
from tests.recipes.upstream import recipe_text
from wheelhouse import strict_toml

LINUX, WINDOWS = Target(os="linux", arch="x64"), Target(os="windows", arch="x64")
WINDOWS_ARM = Target(os="windows", arch="arm64")


def mini_recipe(*changes: tuple[str, str]) -> Recipe:
    """Return the miniature recipe with changes made to its text."""
    text = recipe_text(COMMITS)
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return msgspec.structs.replace(strict_toml.decode(text, Recipe, "mini"), name="mini")


def context(
    folder: Path, *, target: Target = LINUX, host: Target | None = None, recipe: Recipe | None = None
) -> Context:
    """Return a context with all folders below `folder` and tools by their plain names."""
    return Context(
        recipe=recipe or mini_recipe(),
        target=target,
        host=host or target,
        options=BuildOptions(),
        tools=Tools(cmake="cmake", ninja="ninja", python="python3", pythons={"3.12": "/py/312", "3.13": "/py/313"}),
        layout=Layout(
            third_party=folder / "third_party",
            work=folder / "work",
            wheels=folder / "wheels",
            patches=folder / "patches",
            overlay=folder / "overlay",
        ),
    )
