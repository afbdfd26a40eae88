"""Exports for DirectML with stable norms: a healed copy beside the export itself, which shares its weights."""

from __future__ import annotations

from pathlib import Path

from smoke.environments import pinned
from smoke.heal.healing import fill, mode_of, scripts_key
from smoke.heal.known_norms import Mode
from smoke.models import catalogue
from wheelhouse import manifests, steps
from wheelhouse.console import remark, task, warn
from wheelhouse.errors import UnsupportedError
from wheelhouse.steps import Step


def mode_for(model: str, given: str) -> Mode:
    """Return how a model's norms are treated: as `given`, else as its recipe says, else "auto". Raise UsageError."""
    if given:
        return mode_of(given)
    return catalogue.model(model).stable_norms if model in catalogue.model_names() else "auto"


def stabilise(export: Path, *, model: str, mode: Mode) -> Path:
    """Return the folder of `export` (one for DirectML) with its norms treated, making it unless it is there and whole.

    With "never" the graph stays as it is and only the measurements are added. A model that cannot be measured is
    returned as it is, with a warning. Raise StepFailedError, ResourceError and what making the environment may raise.
    """
    environment = pinned.prepare(pinned.MAIN)
    title = f"treat the norms of {model} {export.name}"
    step = Step(
        name=title,
        output=export.with_name(f"{export.name}-norms-{mode}"),
        inputs={
            "export": manifests.key(export),
            "environment": environment.key,
            "stable_norms": mode,
            "program": scripts_key(),
        },
    )

    def make(partial: Path) -> None:
        with task(title) as shown:
            record = fill(export, partial, mode=mode, shown=shown, share=True, log=f"{model}-{export.name}")
        remark(f"{model} {export.name}: {record.summary}; {len(record.rewritten)} rewritten")
        manifests.write(partial)

    try:
        steps.ensure(step, make, quiet_when_fresh=True, damage=manifests.damage)
    except UnsupportedError as error:
        warn(f"{error.message} It is used as exported.")
        return export
    return step.output
