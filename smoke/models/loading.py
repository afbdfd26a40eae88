"""Whether weights and class agree, asked of transformers itself: for architectures whose layout is not known here."""

from __future__ import annotations

import json

from smoke.environments.source import Environment
from smoke.models.check.layouts import FAMILIES
from smoke.models.model import Model
from wheelhouse import process, scratch
from wheelhouse.console import task
from wheelhouse.errors import InputError, StepFailedError
from wheelhouse.files import write_atomic
from wheelhouse.paths import ROOT, cache_dir, log_dir

SCRIPT = ROOT / "smoke" / "worker" / "check_loading.py"
_SECONDS = 600.0


def require_agreement(model: Model, environment: Environment, *, runs_code: bool) -> None:
    """Raise InputError when transformers would invent tensors of a model, or leave some out.

    `environment` has transformers, which takes seconds to say so, once for each model. Of the families in `layouts.py`
    that was found out from the files.
    """
    if model.facts.family in FAMILIES:
        return
    marker = cache_dir("models", "sound", f"{model.key}-loads")
    if marker.exists():
        return
    said = _asked(model, environment, runs_code=runs_code)
    if said:
        raise InputError(
            f"{model.folder}: transformers cannot load it as {model.facts.architecture}: {said}",
            remedy="The weights and config.json are of two models, or of another version of the class: get both again.",
        )
    write_atomic(marker, "")


def _asked(model: Model, environment: Environment, *, runs_code: bool) -> str:
    with scratch.folder() as folder:
        named = environment.host_path
        job = {"model": named(model.folder), "trust": runs_code, "output": named(folder / "said.txt")}
        write_atomic(folder / "job.json", json.dumps(job, ensure_ascii=False))
        env = {"HF_MODULES_CACHE": named(folder / "modules")}
        job_file = named(folder / "job.json")
        command = environment.command(named(SCRIPT), job_file, env=env, temporary=folder, timeout=_SECONDS)
        log = log_dir() / "models" / "check_loading.log"
        with task(f"which tensors {model.facts.architecture} needs"):
            process.run(command, log=log)
        try:
            return (folder / "said.txt").read_text(encoding="utf-8")
        except OSError as error:
            raise StepFailedError("transformers did not say whether it can load the model.", log=log) from error
