"""What the tasks of the git lane call: a part of a build or its transcript, the list of recipes, their drift."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from recipes.spec.request import Request
from wheelhouse.errors import UsageError
from wheelhouse.paths import wheels_dir


def perform(part: str, request: Request, *, plan: bool = False, shell: str = "") -> str:
    """Do a part of the build (and all before it), or with `plan` write its transcript; return what to print."""
    if not request.recipe:
        raise UsageError("Which recipe?", remedy="Give --recipe NAME or FILE; `invoke recipes` lists the names.")
    if plan:
        from recipes.building.transcript import transcript

        return transcript(request, shell)
    from recipes.building.parts import PARTS, build_git_lane
    from recipes.lanes import build_from_source

    until = next(known for known in PARTS if known == part)
    if until == "wheel":
        return build_from_source(request, wheels_dir())
    build_git_lane(request, wheels_dir(), until=until)
    return f"{part} of recipe '{request.recipe}' is done."


def tell(
    *,
    check: bool = False,
    recipe: str = "",
    as_json: bool = False,
    outdated: bool = False,
    upgrade: bool = False,
) -> None:
    """Do what `invoke recipes` says: list them, or with `check` how they differ from the upstream that was fetched.

    With `outdated`, what the index has that is newer than their wheels; with `upgrade` that is written to the recipe.
    """
    from wheelhouse import console

    if outdated or upgrade:
        from recipes.upgrading import telling_outdated

        _say(telling_outdated.outdated(recipe, upgrade=upgrade), as_json=as_json)
        return
    if check:
        from recipes.sources.drift import report
        from recipes.spec.load import available, load

        drift = {name: list(report(load(name))) for name in ([recipe] if recipe else available())}
        _say(drift, as_json=as_json)
        return
    from recipes import listing

    rows = list(listing.rows(recipe))
    if as_json:
        console.show_json(console.as_json(rows))
        return
    for part in listing.shown(rows):
        console.result(part)


def _say(lines: Mapping[str, Sequence[str]], *, as_json: bool) -> None:
    """Print what there is to say of each recipe: the lines one below the other, or as they are by recipe."""
    from wheelhouse import console

    if as_json:
        console.show_json(console.as_json(lines))
    else:
        console.show("\n".join(line for of_one in lines.values() for line in of_one))
