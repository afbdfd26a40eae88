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
    from recipes.lanes import finish, summary

    until = next(known for known in PARTS if known == part)
    made = build_git_lane(request, wheels_dir(), until=until)
    if until == "wheel":
        return summary(finish(wheels_dir(), made))
    return f"{part} of recipe '{request.recipe}' is done."


def list_recipes(*, check: bool = False, recipe: str = "") -> str:
    """Return the recipes as a table, or with `check` how they differ from the checked-out upstream."""
    from recipes.locking import lock_status
    from recipes.spec.load import available, load, locate

    names = [recipe] if recipe else list(available())
    recipes = [load(name) for name in names]
    if check:
        from recipes.sources.drift import report

        return "\n".join(line for found in recipes for line in report(found))
    rows = [
        (r.name, ", ".join(r.targets) or "any", ", ".join(r.pythons), lock_status(r, locate(name)), r.description)
        for name, r in zip(names, recipes, strict=True)
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    return "\n".join("  ".join([*(f"{row[i]:<{widths[i]}}" for i in range(4)), row[4]]) for row in rows)
