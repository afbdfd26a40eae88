"""The halves that are put together: those that recipes/wine/pairs.toml pins, and today's from wheels/."""

from __future__ import annotations

import itertools
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from packaging.utils import parse_wheel_filename
from packaging.version import Version

from recipes.audit.readers.wheel import Wheel, read_wheel
from recipes.audit.rules.genai import genai_library, runtime_library
from recipes.spec.load import load
from recipes.wheels.lockfiles import result_of
from smoke.environments import directml_pair
from smoke.wine import recipe
from smoke.wine.parts import pinned_wheels
from wheelhouse.errors import InputError
from wheelhouse.paths import wheels_dir


@dataclass(frozen=True)
class Half:
    """One wheel of a pair, and what it says of itself."""

    path: Path

    @property
    def version(self) -> str:
        """Its public version."""
        return parse_wheel_filename(self.path.name)[1].public

    @cached_property
    def read(self) -> Wheel:
        """What the audit reads of it."""
        return read_wheel(self.path)

    @property
    def asks(self) -> int | None:
        """The ORT API that GenAI asks for."""
        library = genai_library(self.read)
        return library.api_compiled.value if library and library.api_compiled else None

    def knows(self, tokenizer_class: str) -> bool:
        """Whether GenAI's library names a class of tokenizers; it refuses to load one that it does not."""
        library = genai_library(self.read)
        if library is None:
            return False
        with zipfile.ZipFile(self.path) as archive:
            return tokenizer_class.encode() in archive.read(library.path)

    @property
    def offers(self) -> int | None:
        """The newest ORT API that an onnxruntime offers."""
        library = runtime_library(self.read)
        return library.api_offered.value if library and library.api_offered else None


@dataclass(frozen=True)
class Pairing:
    """A GenAI on an ONNX Runtime, whatever its METADATA says."""

    runtime: Half
    genai: Half

    @property
    def name(self) -> str:
        """How the backend is called that it makes."""
        return f"dml-{self.genai.version}-{self.runtime.version}"

    @property
    def wheels(self) -> tuple[Path, ...]:
        """Both wheels, in the order of PACKAGES."""
        return (self.runtime.path, self.genai.path)

    @property
    def installs(self) -> bool:
        """Whether an installer would put them together."""
        return bool(list(directml_pair.complete((self.genai.path,), (self.runtime.path,))))


def pairings() -> list[Pairing]:
    """Return every GenAI with every ONNX Runtime, oldest first; fetch what is pinned.

    Raise InputError when today's pair is not in wheels/, NetworkError or IntegrityError for the others.
    """
    python = recipe.load().python.minor
    wanted = recipe.pairs()
    found = [*pinned_wheels.fetched(wanted.wheels, python), *_made(wanted.made, python)]
    halves = [
        sorted((w for w in found if directml_pair.package_of(w) == package), key=_version)
        for package in directml_pair.PACKAGES
    ]
    return [Pairing(Half(runtime), Half(genai)) for genai, runtime in itertools.product(halves[1], halves[0])]


def _version(wheel: Path) -> Version:
    return parse_wheel_filename(wheel.name)[1]


def _made(name: str, python: str) -> list[Path]:
    published = load(name).published
    tag = (f"cp{python.replace('.', '')}", "win_amd64")
    mine = [a for a in published.artifacts if (a.python, a.platform) == tag] if published else []
    files = [wheels_dir() / result_of(a, published) for a in mine] if published else []
    missing = [file.name for file in files if not file.is_file()]
    if missing or not files:
        raise InputError(
            f"{', '.join(missing) or f'A pair of recipe {name}'} is not in wheels/.",
            remedy=f"`invoke build-dml --lane published --recipe {name} --python {python}` makes it.",
        )
    return files
