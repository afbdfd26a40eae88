"""`invoke recipes --outdated` and `--upgrade`: what the index has, which pair could be made, and what was written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from recipes.spec.load import available, load, locate
from recipes.spec.schema import Recipe
from recipes.upgrading.candidates import Release, combinations, newer, published_of, release
from recipes.upgrading.fitness import Fitness, judge
from recipes.upgrading.rewriting import rewrite
from wheelhouse.errors import UsageError
from wheelhouse.paths import display


def outdated(name: str = "", *, upgrade: bool = False) -> dict[str, list[str]]:
    """Return by recipe, of one or all published ones, in lines what is newer than its pins and what it could become.

    With `upgrade` (of one recipe) the first pair that can be made is written to it. Raise UsageError without a name for
    that, RecipeError for a recipe without wheels, NetworkError when the index does not answer.
    """
    if upgrade and not name:
        raise UsageError(
            "Which recipe is to be upgraded?", remedy="Add --recipe NAME, for instance --recipe published."
        )
    names = [name] if name else [one for one in available() if load(one).published is not None]
    return {one: list(_recipe(one, upgrade=upgrade)) for one in names}


def _recipe(name: str, *, upgrade: bool) -> Iterator[str]:
    recipe = load(name)
    found = newer(recipe)
    pins = {a.package: a.version for a in published_of(recipe).artifacts}
    for package, version in found.items():
        yield f"{recipe.name}: {package} {pins[package]}" + (f", newest {version}" if version else ", the newest")
    if not any(found.values()):
        return
    judged = list(_judged(recipe, found, pins))
    for fitness in judged:
        yield from _lines(fitness)
    fitting = [fitness for fitness in judged if not fitness.obstacles]
    if upgrade and fitting:
        rewrite(locate(name), recipe, fitting[0])
        yield f"Written: {display(locate(name))} pins {fitting[0].label}."
        yield f"Next: invoke build-dml --lane published --recipe {name}; invoke smoke --backend dml --model tiny-phi3"
    elif upgrade:
        yield f"Nothing was written: no pair can be made of what is newer than '{recipe.name}'."


def _judged(recipe: Recipe, found: Mapping[str, str], pins: Mapping[str, str]) -> Iterator[Fitness]:
    """Judge every combination of newest and pinned releases, the newest first, to the first that can be made."""
    releases: dict[str, tuple[Release, ...]] = {
        package: tuple(release(recipe, package, v) for v in _versions(found[package], pins[package]))
        for package in pins
    }
    for chosen in combinations(releases):
        fitness = judge(chosen, published_of(recipe))
        yield fitness
        if not fitness.obstacles:
            return


def _versions(newest: str, pinned: str) -> Sequence[str]:
    return (newest, pinned) if newest else (pinned,)


def _lines(fitness: Fitness) -> Iterator[str]:
    if not fitness.obstacles:
        facts = fitness.facts
        why = f"GenAI asks for ORT API {facts.asks}, {facts.offers} is offered, DirectML {facts.directml} inside"
        yield f"  can be made: {fitness.label} ({why})"
    else:
        yield f"  cannot be made: {fitness.label}"
        yield from (f"    {text}" for text in fitness.obstacles)
