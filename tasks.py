"""Every Invoke task: parses, calls one function, prints. `invoke --list` shows them, `invoke --help NAME` explains."""

from __future__ import annotations

from invoke.context import Context

from wheelhouse.tasklib import task


@task
def version(_c: Context) -> None:
    """Print the version of dml-wheelhouse."""
    from importlib.metadata import version as installed_version

    print(installed_version("dml-wheelhouse"))


@task
def bench(_c: Context) -> None:
    """Measure what speed promises: ratios of medians, taken in this one run."""
    from wheelhouse.bench import start_up

    for ratio in (start_up(),):
        print(f"{ratio.subject}: {ratio.value:.2f} times {ratio.baseline} (limit {ratio.limit})")
