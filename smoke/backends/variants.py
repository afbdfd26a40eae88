"""What a backend and its variants are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from smoke.environments import directml_pair, pinned
from smoke.environments.source import Environment, Readiness, Source
from smoke.parity.gates import Gate

REFERENCE = "reference:fp32"


@dataclass(frozen=True, kw_only=True)
class Pinned:
    """The environment of recipes/environments/NAME.toml; `packages` are those that a user's wheels may replace."""

    name: str
    packages: tuple[str, ...] = ()

    def status(self) -> Readiness:
        """See Source."""
        return pinned.status(self.name)

    def prepare(self, wheels: Sequence[Path]) -> Environment:
        """See Source."""
        return pinned.prepare(self.name, wheels=wheels)

    def takes(self, wheel: Path) -> bool:
        """See Source."""
        return directml_pair.package_of(wheel) in self.packages


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One way to run a backend: what is loaded, on which device, and which gate its dump has to pass against what.

    `export` "" means the Hugging Face folder itself. `against` names another backend's variant. With `if_present`,
    the variant runs unasked only where an earlier result has seen its device. `tokens_only`: the runtime shows no
    logits, so that single choices have to do. `libraries`: see judge.Expectation.

    `unasked` returns why the variant is skipped here when it was not named ("": it is not). `announced`: its name says
    that it runs on another device than the one it is about, so that FELL_BACK is its best verdict and no fault.

    `explains`: another of the backend's variants, where that one DIVERGED this one runs unasked, to tell why.

    `is_base`: it is there for others to be compared with, gives no answers of its own, and runs where one of them does.
    """

    name: str
    gate: Gate
    export: str = ""
    device: str = "CPU"
    options: Mapping[str, Any] = field(default_factory=dict)
    against: str = REFERENCE
    if_present: bool = False
    libraries: tuple[str, ...] = ()
    tokens_only: bool = False
    unasked: Callable[[], str] | None = None
    announced: bool = False
    explains: str = ""
    is_base: bool = False


@dataclass(frozen=True, kw_only=True)
class Backend:
    """A runtime: its engine (a file), its environment, its variants; `called`: its name for people."""

    name: str
    summary: str
    engine: Path
    source: Source
    variants: tuple[Variant, ...]
    called: str = ""
