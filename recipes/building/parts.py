"""The doors to the git lane: build it, one part of it, or its transcript, from what the command line said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

from recipes.building import forecast, zig
from recipes.building.context import Context, compiled_parts
from recipes.building.plan import Item, transcript
from recipes.spec.load import load, locate
from recipes.spec.request import Request, options_from
from recipes.spec.schema import Recipe
from recipes.spec.target import (
    BuildOptions,
    Target,
    choose_target,
    cross_compiles,
    foreign_layout,
    host_target,
    real_layout,
    require_buildable,
)
from wheelhouse.console import say
from wheelhouse.errors import UsageError, nearest
from wheelhouse.paths import long_paths

__all__ = ["PARTS", "Part", "Request", "build_git_lane", "options_from", "plan_git_lane"]

Part = Literal["fetch", "build-ort", "stage", "build-genai", "wheel"]
PARTS: tuple[Part, ...] = get_args(Part)


def build_git_lane(request: Request, out: Path, *, until: Part = "wheel") -> dict[str, float]:
    """Build up to a part and put finished wheels into `out`; return file name to seconds (0 for what was there).

    Raises UnsupportedError before anything is fetched when this host cannot compile for the target.
    """
    from recipes.building.built import status
    from recipes.building.git_lane import GitLane
    from recipes.building.origins import check_early
    from recipes.sources.pins import Pins
    from recipes.wheels.placing import folder_lock, place

    build = context(request)
    file = locate(request.recipe).resolve()
    say(f"Recipe {build.recipe.name} for {build.target.name}: {status(build.recipe, file, build.target.name)}.")
    if not forecast.is_built(build):
        for line in forecast.lines(build):
            say(line)
    check_early(build)
    if until != "fetch":
        forecast.check(build, long_paths=long_paths())
    lane = GitLane(build=build, recipe_file=file, pins=Pins(file))
    made: dict[str, float] = {}
    lane.fetch_all()
    if until == "fetch":
        return made
    made |= lane.build_ort()
    if until == "build-ort":
        return made
    lane.stage()
    if until == "stage":
        return made
    lane.build_core()
    if until == "build-genai":
        return made
    made |= lane.pack()
    with folder_lock(out):
        for wheel in lane.wheels():
            place(wheel, out)
    return made


def plan_git_lane(request: Request) -> list[Item]:
    """Return the transcript of the build on the target's own system, from any host; nothing is run or fetched."""
    recipe = load(request.recipe)
    compiled_parts(recipe)
    target = choose_target(recipe, target=request.target, arch=request.arch)
    here = host_target()
    if target.os == here.os or cross_compiles(recipe, target, here):
        return transcript(context(request, planned=True))
    # across processors, Windows is built on the far more common x64 machines
    host = Target(os=target.os, arch="x64") if target.os == "windows" else target
    return transcript(_assumed(recipe, target, host, replace(request.options, recipe=request.recipe)))


def context(request: Request, *, planned: bool = False) -> Context:
    """Return the context of a build on this machine. Raises as `load`, `choose_target` and `find_tools` do."""
    from recipes.building.tools import find_tools, tools_for_plan

    recipe = load(request.recipe)
    compiled_parts(recipe)
    host = host_target()
    target = choose_target(recipe, target=request.target, arch=request.arch, host=host)
    if not planned:
        require_buildable(recipe, target, host)
    elif target != host and not cross_compiles(recipe, target, host):
        return _assumed(recipe, target, host, replace(request.options, recipe=request.recipe))
    pythons = choose_pythons(recipe, request.options.pythons)
    compiler = ""
    if cross_compiles(recipe, target, host):
        compiler = recipe.toolchain.cross_compiler if planned else zig.identity()
    return Context(
        recipe=recipe,
        target=target,
        host=host,
        options=_with_jobs(recipe, replace(request.options, recipe=request.recipe)),
        tools=tools_for_plan(target, pythons, compiler)
        if planned
        else find_tools(target, pythons, minimum_cmake=recipe.toolchain.cmake, compiler=compiler),
        layout=real_layout(recipe, target),
    )


def _with_jobs(recipe: Recipe, options: BuildOptions) -> BuildOptions:
    """As many jobs as this machine's memory has room for, unless the user has said how many."""
    from wheelhouse.machine.host import cpu, memory

    if options.jobs:
        return options
    jobs = forecast.jobs_for(recipe.needs, available=memory().available, processors=cpu().usable)
    return replace(options, jobs=jobs)


def _assumed(recipe: Recipe, target: Target, host: Target, options: BuildOptions) -> Context:
    from recipes.building.tools import assumed_tools

    return Context(
        recipe=recipe,
        target=target,
        host=host,
        options=options,
        tools=assumed_tools(target, choose_pythons(recipe, options.pythons)),
        layout=foreign_layout(recipe, target),
    )


def choose_pythons(recipe: Recipe, wanted: Sequence[str]) -> tuple[str, ...]:
    """Return the Pythons to build for: those asked for, or the one that runs this program if the recipe has it.

    Raise UsageError for a Python that the recipe does not have.
    """
    import sys

    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    chosen = tuple(dict.fromkeys(wanted)) or ((running,) if running in recipe.pythons else recipe.pythons[:1])
    for python in chosen:
        if python not in recipe.pythons:
            raise UsageError(f"Recipe '{recipe.name}' is not for Python {python}. {nearest(python, recipe.pythons)}")
    return chosen
