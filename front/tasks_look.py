"""The commands that only say something: each parses, calls one function, prints."""

from __future__ import annotations

from invoke.context import Context

from front.door.declaring import task
from front.door.options import Option
from front.tasks_prove import MODEL
from wheelhouse.console import show, show_json, show_prose

_MEASURED = "list, nothing-to-do, wheels, audit, build, cache, smoke or wine-setup"


@task
def backends(_c: Context, json: bool = False) -> None:
    """List the backends: ready, made on first use, or missing."""
    from smoke import backend_list
    from wheelhouse.console import as_json, result, show_json

    found = backend_list.listed()
    if json:
        show_json(as_json(found))
        return
    for part in backend_list.shown(found):
        result(part)


@task
def advise(_c: Context, model: str = MODEL, json: bool = False) -> None:
    """Say which backend suits this machine, and why."""
    from smoke.advice.advise import tell

    tell(model, as_json=json)


@task(texts={"json": "what was read, as JSON"})
def model(_c: Context, model: str = MODEL, json: bool = False) -> None:
    """Say what a model is, from its files, before anything runs it."""
    from smoke.commands import describe

    describe(model, as_json=json)


@task(
    texts={
        "check": "compare with the checked-out upstream and print the drift",
        "recipe": "only this one",
        "upgrade": Option(text="write the newest pair that can be made into the recipe that --recipe names"),
    },
)
def recipes(
    _c: Context,
    check: bool = False,
    recipe: str = "",
    json: bool = False,
    outdated: bool = False,
    upgrade: bool = False,
) -> None:
    """List the recipes with their targets and Pythons."""
    from recipes.commands import tell

    tell(check=check, recipe=recipe, as_json=json, outdated=outdated, upgrade=upgrade)


@task(
    texts={
        "json": "facts and verdicts as JSON, for a bug report",
        "python": Option(
            text="look into this environment instead, of any system: its python(.exe), folder or site-packages",
            value="PATH",
            verbatim=True,
        ),
    }
)
def doctor(_c: Context, python: str = "", json: bool = False) -> None:
    """Say what this machine has, and what each lane would need."""
    if python:
        from pathlib import Path

        from front.installed.answer import look_into

        (show_json if json else show_prose)(look_into(Path(python), as_json=json))
        return
    from front.doctor import diagnose, to_json, to_text

    (show_json if json else show_prose)((to_json if json else to_text)(diagnose()))


@task(texts={"only": Option(text=f"{_MEASURED}; repeatable, or with commas; default: all", value="WHAT")})
def bench(_c: Context, only: list[str], json: bool = False, out: str = "") -> None:
    """Measure what speed promises, as ratios taken in one run."""
    from front.bench import bench as measure

    measure(only, as_json=json, out=out)


@task
def version(_c: Context) -> None:
    """Print the version of dml-wheelhouse."""
    from importlib.metadata import version as installed_version

    show(installed_version("dml-wheelhouse"))
