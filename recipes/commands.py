"""What the tasks of the git lane call: a part of a build or its transcript, the list of recipes, their drift."""

from __future__ import annotations

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


def list_recipes(*, check: bool = False, recipe: str = "") -> str:
    """Return the recipes as a table, or with `check` how they differ from the checked-out upstream."""
    if check:
        from recipes.sources.drift import report
        from recipes.spec.load import available, load

        return "\n".join(line for name in ([recipe] if recipe else available()) for line in report(load(name)))
    from recipes.listing import table

    return table(recipe)
