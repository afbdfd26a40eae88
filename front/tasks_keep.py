"""The commands that make or remove what stays on this machine: each parses, calls one function, prints."""

from __future__ import annotations

from invoke.context import Context

from front.door.declaring import task
from wheelhouse.console import show


@task
def wine_setup(_c: Context, record: bool = False, host_wine: bool = False) -> None:
    """Make and test the Wine runtime: DirectML on Linux. Needs root."""
    from smoke.wine.commands import wine_setup as set_up

    show(set_up(record=record, host_wine=host_wine))


@task
def wine_clean(_c: Context) -> None:
    """Remove the Wine runtime."""
    from smoke.wine.commands import wine_clean as clean_up

    show(clean_up())


@task(
    rest="argument",
    texts={
        "python": "3.13 (default) or 3.11",
        "folder": "where in the profile the checkout lies; default: a folder with a long name",
    },
)
def wine_python(
    _c: Context, argument: list[str], python: str = "", user: str = "", folder: str = "", where: bool = False
) -> None:
    """Run this project in a whole Windows Python in Wine: -- -m pytest.

    The checkout is copied to a user's profile there and installed by Windows' pip. Needs root.
    """
    from smoke.wine.whole import commands

    if where:
        show(commands.where(python=python, user=user, folder=folder))
    else:
        commands.wine_python(argument, python=python, user=user, folder=folder)


@task(texts={"plan": "only list what would be removed"})
def clean(_c: Context, all: bool = False, plan: bool = False, yes: bool = False) -> None:  # noqa: A002 - the option
    """Remove wheels, sources and build results, after asking."""
    from front.clean import clear

    clear(everything=all, plan=plan, yes=yes)
