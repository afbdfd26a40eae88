"""Dumps of the reference and of twins, kept between runs: made once for a model, its prompts and an environment."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

from smoke.backends.registry import WORKER
from smoke.backends.selection import Planned
from smoke.environments.source import Environment
from smoke.models.model import Model
from smoke.running import this_machine
from smoke.running.jobs import Questions
from wheelhouse import manifests, steps
from wheelhouse.files import remove_tree, sha256_file, sha256_tree
from wheelhouse.paths import cache_dir
from wheelhouse.steps import Step

LOG = "worker.log"
KEPT = 40
"""Goldens that stay, the last used ones; others go when they are older than a day."""
GRAPH = {".onnx", ".data", ".xml", ".bin"}
"""How the names end of what holds an export's operators and weights."""
_DAY = 86400.0


def step(item: Planned, environment: Environment, model: Model, export: Path, questions: Questions) -> Step:
    """Return the step whose output is a variant's dump, for these questions to this model in this environment."""
    inputs = {
        "model": model.key,
        "environment": environment.key or " ".join(environment.python),
        "engine": sha256_file(item.backend.engine),
        "reference": sha256_file(WORKER / "engine_transformers.py"),
        "worker": sha256_tree(WORKER, skip=lambda path: path.suffix != ".py" or path.name.startswith("engine_")),
        "options": json.dumps(dict(item.variant.options), sort_keys=True),
        "questions": json.dumps(questions.as_json(), sort_keys=True),
        "machine": this_machine.cpu(),
        **({"export": _read_of(export)} if item.variant.export else {}),
    }
    key = Step(name="", output=Path(), inputs=inputs).key
    name = "".join(c if c.isalnum() or c in "._-" else "-" for c in model.name)
    what = f"{item.backend.name} {item.variant.name} of {model.name}"
    return Step(name=what, output=cache_dir("goldens", f"{name}-{key[:12]}"), inputs=inputs)


def _read_of(export: Path) -> str:
    """Return the hash of what a twin reads of an export: of two for two devices, often only the settings differ."""
    entries = manifests.read(export) or {}
    graph = {name: entry for name, entry in entries.items() if Path(name).suffix in GRAPH}
    return manifests.content_hash(graph or entries)


def cached(wanted: Step) -> Path | None:
    """Return the folder of a dump that is there and whole, or None."""
    folder = wanted.output
    if steps.why_to_run(wanted) is not None or manifests.damage(folder) is not None:
        return None
    (folder / steps.RECORD).touch()
    return folder


def drop_damaged() -> None:
    """Read all dumps that are kept, and remove those that were damaged: they are made again when they are needed."""
    for record in cache_dir("goldens").glob(f"*/{steps.RECORD}"):
        if (harm := manifests.damage(record.parent)) is not None:
            manifests.report_damage(f"{record.parent.name}: {harm}")
            remove_tree(record.parent)


def keep(wanted: Step, folder: Path, log: Path) -> None:
    """Keep a dump that has just been made and judged, with its worker's log."""

    def copy(partial: Path) -> None:
        for file in folder.iterdir():
            if file.is_file() and file.name != "job.json":
                shutil.copyfile(file, partial / file.name)
        shutil.copyfile(log, partial / LOG)
        manifests.write(partial)

    steps.ensure(wanted, copy, quiet_when_fresh=True, damage=manifests.damage)
    _prune(wanted.output.parent)


def _prune(base: Path) -> None:
    used = {record.parent: record.stat().st_mtime for record in base.glob(f"*/{steps.RECORD}")}
    for folder in sorted(used, key=lambda path: -used[path])[KEPT:]:
        if used[folder] < time.time() - _DAY:
            remove_tree(folder)
