"""A backend's worker with all it needs, for a machine that has nothing but Python: an archive whose dump comes home."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from smoke.backends import cuda, dml, webgpu
from smoke.backends.registry import WORKER
from smoke.backends.selection import Planned
from smoke.backends.variants import Pinned
from smoke.environments import directml_pair, environment_recipes
from smoke.environments.source import NO_TELEMETRY
from smoke.exports.making import export_all
from smoke.models.model import Model
from smoke.parity.dumps import Dump
from smoke.report.results import Host, ModelInfo
from smoke.running import prompts, records, token_room
from smoke.running.asked import long_prompt
from smoke.running.jobs import Questions
from smoke.running.smoke_request import Request
from wheelhouse.errors import InputError, UsageError
from wheelhouse.files import by_name, files_below, move
from wheelhouse.paths import wheels_dir

OTHERS = {"webgpu": webgpu.ENVIRONMENT, "cuda": cuda.ENVIRONMENT}
"""Environments of backends that ask for a device here; on the other machine its worker finds out."""
RUN = Path(__file__).with_name("elsewhere") / "bundle_run.py"
CMD = """@echo off
setlocal
cd /d "%~dp0"
for %%v in ({versions}) do (
  py -%%v -c "" >nul 2>nul && (py -%%v run.py %* & exit /b)
)
python run.py %*
"""
SH = """#!/bin/sh
cd "$(dirname "$0")" || exit 1
for version in {versions}; do
  if "python$version" -c "" >/dev/null 2>&1; then exec "python$version" run.py "$@"; fi
done
exec python3 run.py "$@"
"""
README = """This folder runs {names} with the model {model} on this machine and compares nothing: that is done at home.

Windows: run.cmd      Linux: sh run.sh      or: python run.py (Python {versions})

It makes an environment in this folder with the packages that environments/*.txt pin (from PyPI, once), answers the
prompts, and packs what came out into dumps-NAME.zip. Take that home:

    invoke smoke --all-backends --model {model} --dump HOME{asked}
    invoke compare HOME dumps-NAME.zip
"""


@dataclass(frozen=True, kw_only=True)
class Environment:
    """What an environment on the other machine is made of: pins, and packages out of wheels that travel along."""

    name: str
    recipe: environment_recipes.EnvironmentRecipe
    wheels: tuple[Path, ...] = ()

    @property
    def pythons(self) -> list[str]:
        """Return the Pythons that it can be made with."""
        known = [self.recipe.python, *self.recipe.also]
        tags = {
            f"{tag[2]}.{tag[3:]}" for wheel in self.wheels for tag in wheel.name.split("-") if tag.startswith("cp3")
        }
        return [version for version in known if not tags or version in tags]

    def files(self) -> dict[str, str]:
        """Return its files in the bundle, by name."""
        replaced = {directml_pair.package_of(wheel) for wheel in self.wheels}
        kept = [pin for pin in self.recipe.packages if pin.partition("==")[0].lower().replace("_", "-") not in replaced]
        pins = "\n".join(kept) + "\n"
        names = sorted({_pinned(wheel) for wheel in self.wheels})
        about = {
            "label": self.recipe.label,
            "pythons": self.pythons,
            "impossible": self.recipe.impossible,
            "deepest": self.recipe.deepest,
            "with what they need": [*self.recipe.resolved, *names],
        }
        key = hashlib.sha256(json.dumps([pins, about, [w.name for w in self.wheels]]).encode()).hexdigest()
        return {f"{self.name}.txt": pins, f"{self.name}.json": json.dumps({**about, "key": key}, indent=1)}


def _pinned(wheel: Path) -> str:
    name, version = wheel.name.split("-")[:2]
    return f"{name.replace('_', '-')}=={version}"


def wanted(request: Request, names: Sequence[str]) -> list[Planned]:
    """Return what was asked for by name, without what it is compared with. Raise UsageError for what cannot travel."""
    plan = [item for item in request.plan if {item.name, item.backend.name} & {*names}]
    if base := next((item.name for item in plan if item.variant.is_base), ""):
        raise UsageError(f"{base} is what others are compared with: it is computed at home.")
    for item in plan:
        environment(item)
    return plan


def environment(item: Planned) -> Environment:
    """Return a backend's environment as it travels. Raise UsageError, or InputError where its wheels are missing."""
    source = item.backend.source
    if item.backend.name == "dml":
        wheels = tuple(w for package in directml_pair.PACKAGES for w in _newest(item.wheels or _all(package), package))
        if {directml_pair.package_of(wheel) for wheel in wheels} != set(directml_pair.PACKAGES):
            raise InputError("There is no pair of DirectML wheels in wheels/.", remedy=directml_pair.BUILD)
        return Environment(name=dml.ENVIRONMENT, recipe=environment_recipes.environment(dml.ENVIRONMENT), wheels=wheels)
    name = source.name if isinstance(source, Pinned) else OTHERS.get(item.backend.name, "")
    recipe = environment_recipes.environment(name) if name else None
    if recipe is not None and recipe.compiled is None:
        return Environment(name=name, recipe=recipe, wheels=tuple(item.wheels))
    raise UsageError(
        f"{item.backend.name} cannot be bundled: its environment is more than packages from an index.",
        remedy="Run `invoke smoke` on the other machine.",
    )


def _all(package: str) -> list[Path]:
    return directml_pair.newest_first(wheels_dir(), package)


def _newest(wheels: Sequence[Path], package: str) -> list[Path]:
    """Return the wheels of a package's newest version, for every Python and processor."""
    found = [wheel for wheel in wheels if directml_pair.package_of(wheel) == package]
    return [wheel for wheel in found if wheel.name.split("-")[1] == found[0].name.split("-")[1]]


def write(
    target: Path, request: Request, plan: Sequence[Planned], model: Model, golden: Dump, *, with_model: bool
) -> Path:
    """Write the archive. Raise what exporting the model may raise."""
    kinds = tuple(dict.fromkeys(item.variant.export for item in plan if item.variant.export))
    exports = export_all(model, kinds, stable_norms=request.stable_norms) if kinds and with_model else {}
    folders = {kind: _made(found) for kind, found in exports.items()} | ({"": model.folder} if with_model else {})
    environments = {item.backend.name: environment(item) for item in plan}
    most = None if (limit := token_room.of(model.facts)) is None else limit.tokens
    asked = Questions(
        prompts=request.prompts, text=prompts.FIXED_TEXT, max_new_tokens=request.max_new_tokens, repeat=request.repeat,
        lengths=tuple(request.lengths), golden=golden, most=most, context=long_prompt.question(model.facts, most),
    )  # fmt: skip
    content = {
        "questions": asked.as_json(),
        "runs": [_run(item, environments[item.backend.name], request, model, golden) for item in plan],
    }
    partial = target.with_name(f".{target.name}.partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        packed.writestr("bundle.json", json.dumps(content, ensure_ascii=False))
        for name, text in _starters(request, plan, environments.values()).items():
            packed.writestr(name, text)
        for name, file in _files(plan, environments.values(), folders).items():
            packed.write(file, name, zipfile.ZIP_DEFLATED if file.suffix == ".py" else zipfile.ZIP_STORED)
    return move(partial, target)


def _starters(request: Request, plan: Sequence[Planned], environments: Iterable[Environment]) -> dict[str, str]:
    """Return the small files that start the bundle and say what it is, by name."""
    versions = sorted({version for each in environments for version in each.pythons}, reverse=True)
    asked = "".join(f" {word}" for word in request.options if word not in {"--model", request.model})
    names = ", ".join(item.name for item in plan)
    pins = {f"environments/{name}": text for each in environments for name, text in each.files().items()}
    return pins | {
        "run.cmd": CMD.format(versions=" ".join(versions)).replace("\n", "\r\n"),
        "run.sh": SH.format(versions=" ".join(versions)),
        "README.txt": README.format(names=names, model=request.model, versions=", ".join(versions), asked=asked),
    }


def _files(
    plan: Sequence[Planned], environments: Iterable[Environment], folders: Mapping[str, Path]
) -> dict[str, Path]:
    """Return the files that travel as they are, by their names in the bundle."""
    found = {"run.py": RUN} | {f"worker/{file.name}": file for file in sorted(WORKER.glob("*.py"), key=by_name)}
    found |= {f"wheels/{wheel.name}": wheel for each in environments for wheel in each.wheels}
    for kind in dict.fromkeys(item.variant.export for item in plan if item.variant.export in folders):
        base = folders[kind]
        found |= {f"models/{kind or 'model'}/{file.relative_to(base).as_posix()}": file for file in files_below(base)}
    return found


def _made(found: object) -> Path:
    if isinstance(found, Path):
        return found
    if isinstance(found, BaseException):
        raise found
    raise TypeError(found)


def _run(item: Planned, made_of: Environment, request: Request, model: Model, golden: Dump) -> dict[str, Any]:
    variant = item.variant
    record = records.begun(
        item, ModelInfo(name=model.name, label=model.label, key=model.key), golden,
        messages=request.prompts, max_new_tokens=request.max_new_tokens, environment=made_of.recipe.label,
        host=Host(system="", machine="", cpu="", cores=0, memory_bytes=0),
    )  # fmt: skip
    return {
        "name": item.name,
        "environment": made_of.name,
        "timeout": request.timeout,
        "variables": {**NO_TELEMETRY, **made_of.recipe.variables},
        "job": {
            "engine": item.backend.engine.name,
            "model": f"models/{variant.export or 'model'}",
            "device": variant.device,
            "options": dict(variant.options),
        },
        "model_hint": f"`invoke export --backend {item.name} --model {request.model}` makes it"
        if variant.export
        else f"the Hugging Face folder of {model.name}",
        "record": json.loads(msgspec.json.encode(record)),
    }
