"""Every Invoke task: parses, calls one function, prints. `invoke --list` shows them, `invoke --help NAME` explains."""

from __future__ import annotations

from invoke.context import Context

from wheelhouse.tasklib import task


@task
def version(_c: Context) -> None:
    """Print the version of dml-wheelhouse."""
    from importlib.metadata import version as installed_version

    print(installed_version("dml-wheelhouse"))
