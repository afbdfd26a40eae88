"""The commands that make wheels: each parses, calls one function, prints."""

from __future__ import annotations

import sys

from invoke.context import Context

from front.door.declaring import Task, task
from wheelhouse.console import show

_OWN = ("target", "arch", "ort", "ort_home", "source_mirror")
"""What only the git lane can do: the published one takes what there is."""


@task(texts={"recipe": "recipe to use; default: dml for the git lane, published for the other"})
def build_dml(
    _c: Context,
    python: list[str],
    lane: str = "",
    recipe: str = "",
    arch: str = "",
    target: str = "",
    ort: str = "",
    ort_home: str = "",
    source_mirror: str = "",
    jobs: int = 0,
    plan: bool = False,
    shell: str = "",
    verify: bool = False,
) -> None:
    """Make the pair of DirectML wheels and its index in wheels/.

    --arch, --target, --ort, --ort-home, --source-mirror and --jobs concern the git lane only.
    """
    from recipes import standing

    only_git = (target, arch, ort, ort_home, source_mirror, jobs)
    question = (sys.platform, lane, recipe, python)
    plain = not any((*only_git, plan, shell, verify, "/" in recipe, "\\" in recipe, recipe.endswith(".toml")))
    if plain and (said := standing.told(question)) is not None:
        show(said)
        return

    from recipes import lanes
    from recipes.spec.request import Request, options_from
    from wheelhouse.manifests import verifying

    choice = lanes.choose_lane(lane, recipe=recipe, plan=plan)
    options = options_from(pythons=python, ort=ort, ort_home=ort_home, source_mirror=source_mirror, jobs=jobs)
    request = Request(recipe=recipe, target=target, arch=arch, options=options)
    lanes.require_possible(choice, request)
    show(choice.line)
    with verifying(verify):
        if plain and choice.lane == "published":
            text = standing.remembering(question, lambda: f"{choice.line}\n{lanes.build(choice, request)}")
            show(text.partition("\n")[2])
        else:
            show(lanes.plan(choice, request, shell) if plan else lanes.build(choice, request))


def _build_task(name: str, part: str, text: str) -> Task:
    """Declare the task that builds a recipe up to `part`: they all take the same options."""

    def body(
        _c: Context,
        python: list[str],
        recipe: str = "",
        target: str = "",
        arch: str = "",
        ort: str = "",
        ort_home: str = "",
        source_mirror: str = "",
        jobs: int = 0,
        plan: bool = False,
        shell: str = "",
    ) -> None:
        from recipes.commands import perform
        from recipes.spec.request import Request, options_from

        options = options_from(pythons=python, ort=ort, ort_home=ort_home, source_mirror=source_mirror, jobs=jobs)
        show(perform(part, Request(recipe=recipe, target=target, arch=arch, options=options), plan=plan, shell=shell))

    body.__name__, body.__doc__ = name, text
    return task(body)


build = _build_task("build", "wheel", "Build a recipe from its pinned sources, all steps.")
fetch = _build_task("fetch", "fetch", "Fetch a recipe's sources and dependencies into third_party/.")
build_ort = _build_task("build_ort", "build-ort", "Fetch, then build ONNX Runtime and its wheels.")
stage = _build_task("stage", "stage", "Stage ONNX Runtime's headers and libraries into ORT_HOME.")
build_genai = _build_task("build_genai", "build-genai", "Build GenAI's core against the staged ONNX Runtime.")
wheel = _build_task("wheel", "wheel", "Pack the wheels; whatever they need is built first.")


@task(
    texts={
        "upgrade": "record this source or dependency anew (`all`: everything)",
        "check": "only compare the lock with upstream's own files in the checkouts",
    }
)
def lock(_c: Context, recipe: str = "dml", upgrade: str = "", check: bool = False, source_mirror: str = "") -> None:
    """Record a recipe's commits, addresses and hashes, or verify them."""
    from recipes.locking import lock as make

    show(make(recipe, upgrade=upgrade, check=check, source_mirror=source_mirror))


@task(texts={"out": "write it here; default: recipes/NAME.toml"})
def recipe_new(_c: Context, name: str, base: str = "dml", out: str = "") -> None:
    """Start a recipe of your own, which extends another."""
    from recipes.starting import start

    show(start(name, base=base, out=out))


@task
def index(_c: Context) -> None:
    """Index wheels/: its simple/ for pip, and its SHA256SUMS."""
    from recipes.lanes import index_all

    show(index_all())
