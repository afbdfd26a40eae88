"""The recipes as a table: for `invoke recipes`, and for the README (`python -m recipes.listing` writes it there)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from recipes.building import built
from recipes.locking import lock_status
from recipes.spec.load import available, load, locate
from recipes.spec.schema import Recipe
from wheelhouse.console import Column, Table
from wheelhouse.files import write_atomic
from wheelhouse.paths import ROOT

if TYPE_CHECKING:
    from rich.console import RenderableType

README = ROOT / "README.md"
BEGIN, END = "<!-- recipes: python -m recipes.listing -->\n", "<!-- /recipes -->\n"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One target of one recipe."""

    recipe: str
    target: str
    pythons: str
    lock: str
    status: str
    description: str


def rows(name: str = "") -> Iterator[Row]:
    """Yield the targets of a recipe, or of all that are shipped. Raises as `load` does."""
    for known in [name] if name else list(available()):
        recipe, file = load(known), locate(known)
        for target in recipe.targets or ("any",):
            yield Row(
                recipe=recipe.name,
                target=target,
                pythons=", ".join(recipe.pythons),
                lock=lock_status(recipe, file),
                status=_status(recipe, file, target),
                description=recipe.description,
            )


def _status(recipe: Recipe, file: Path, target: str) -> str:
    if recipe.genai is not None:
        return built.status(recipe, file, target)
    proof = recipe.published.proof if recipe.published else {}
    found = next((one for name, one in proof.items() if name == target), None)
    return f"made of published binaries; {'not run' if found is None else found.run}"


def shown(found: Sequence[Row]) -> Iterator[RenderableType]:
    """Yield what a terminal shows of the rows: a table, then what each recipe is."""
    from rich.text import Text

    table = Table(
        columns=(
            Column(name="recipe"),
            Column(name="target"),
            Column(name="pythons", drop=2),
            Column(name="lock", drop=1),
            Column(name="status", wraps=True),
        )
    )
    for row in found:
        table.add(row.recipe, row.target, row.pythons, row.lock, row.status)
    yield table
    yield Text()
    for name, description in dict.fromkeys((row.recipe, row.description) for row in found):
        yield Text.assemble((f"{name}: ", "bold"), description)


def markdown() -> str:
    """Return the rows as the README has them."""
    lines = ["| recipe | target | lock | status |", "|---|---|---|---|"]
    for row in rows():
        cells = (f"`{row.recipe}`", row.target, row.lock, row.status)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def with_table(text: str) -> str:
    """Return the README's text with the table of today between its marks."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    return f"{before}{begin}{markdown()}{end}{after}"


if __name__ == "__main__":
    write_atomic(README, with_table(README.read_text(encoding="utf-8")))
