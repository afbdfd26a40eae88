"""Which variants run, in which order: what was asked for, and before it what it is compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from smoke.backends.registry import BACKENDS
from smoke.backends.variants import REFERENCE, Backend, Variant
from wheelhouse.errors import UsageError, nearest

QUICK = ("ort-cpu",)
"""What runs when nothing is named."""


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A variant to run; `wheels` are those of the user that go into its environment. `asked`: it was named."""

    backend: Backend
    variant: Variant
    wheels: tuple[Path, ...] = ()
    asked: bool = True

    @property
    def name(self) -> str:
        """Return how the variant is named on the command line and in `Variant.against`."""
        return f"{self.backend.name}:{self.variant.name}"


def select(
    names: Sequence[str], *, everything: bool, wheels: Sequence[Path] = (), known: Sequence[Backend] = BACKENDS
) -> list[Planned]:
    """Return the variants to run, each after what it is compared with.

    A name is BACKEND or BACKEND:VARIANT. Variants for devices that may be absent are taken only when named in full.
    Raise UsageError for unknown names, and for a wheel that no chosen backend takes.
    """
    whole = [backend.name for backend in known if not all(variant.is_base for variant in backend.variants)]
    names = whole if everything else list(names) or list(QUICK)
    catalogue = {f"{b.name}:{v.name}": (b, v) for b in known for v in b.variants}
    wanted = {REFERENCE}
    for name in names:
        wanted |= _matching(name, known)
    while missing := {catalogue[name][1].against for name in wanted if name != REFERENCE} - wanted:
        wanted |= missing
    chosen = {backend.name: backend for backend, _ in (catalogue[name] for name in wanted)}
    routed = _route(wheels, chosen.values())
    order = [name for name in catalogue if name in wanted]
    planned = [
        Planned(
            backend=catalogue[name][0],
            variant=catalogue[name][1],
            wheels=routed[catalogue[name][0].name],
            asked=not everything,
        )
        for name in order
    ]
    return _after_their_base(planned)


def _matching(name: str, known: Sequence[Backend]) -> set[str]:
    backend_name, _, variant_name = name.partition(":")
    backends = {backend.name: backend for backend in known}
    if backend_name not in backends:
        raise UsageError(
            f"There is no backend '{backend_name}'. {nearest(backend_name, backends)}",
            remedy="`invoke backends` lists them.",
        )
    backend = backends[backend_name]
    if not variant_name:
        return {
            f"{backend.name}:{variant.name}"
            for variant in backend.variants
            if not (variant.if_present or variant.explains)
        }
    variants = [variant.name for variant in backend.variants]
    if variant_name not in variants:
        raise UsageError(f"Backend '{backend_name}' has no variant '{variant_name}'. {nearest(variant_name, variants)}")
    return {f"{backend.name}:{variant_name}"}


def _route(wheels: Sequence[Path], chosen: Iterable[Backend]) -> dict[str, tuple[Path, ...]]:
    routed = {backend.name: tuple(wheel for wheel in wheels if backend.source.takes(wheel)) for backend in chosen}
    taken = {wheel for group in routed.values() for wheel in group}
    for wheel in wheels:
        if wheel not in taken:
            raise UsageError(
                f"No backend that was chosen takes the wheel {wheel.name}.",
                remedy="Wheels of onnxruntime-genai go to --backend ort-cpu, those for DirectML to --backend dml.",
            )
    return routed


def _after_their_base(planned: Sequence[Planned]) -> list[Planned]:
    ordered: list[Planned] = []
    waiting = list(planned)
    while waiting:
        done = {item.name for item in ordered}
        ready = [item for item in waiting if item.name == REFERENCE or item.variant.against in done]
        if not ready:
            raise ValueError(f"the variants {[item.name for item in waiting]} are compared with each other in a circle")
        ordered.append(ready[0])
        waiting.remove(ready[0])
    return ordered


def present(planned: Sequence[Planned], devices: Iterable[str]) -> list[Planned]:
    """Return the further variants of the planned backends whose device is among `devices` ("GPU.0" is a GPU).

    Only those whose export, and what they are compared with, are planned already.
    """
    found = {device.split(".", maxsplit=1)[0] for device in devices}
    have, exports = {item.name for item in planned}, {item.variant.export for item in planned}
    backends = {item.backend.name: item for item in planned}
    return [
        Planned(backend=item.backend, variant=variant, wheels=item.wheels)
        for item in backends.values()
        for variant in item.backend.variants
        if variant.if_present and variant.device in found and f"{item.backend.name}:{variant.name}" not in have
        if variant.export in exports and variant.against in have
    ]


def explaining(planned: Sequence[Planned], diverged: Iterable[str]) -> list[Planned]:
    """Return the further variants of the planned backends that tell why one of `diverged` is wrong."""
    have, wrong = {item.name for item in planned}, set(diverged)
    return [
        Planned(backend=item.backend, variant=variant, wheels=item.wheels)
        for item in planned
        if item.name in wrong
        for variant in item.backend.variants
        if variant.explains == item.variant.name and f"{item.backend.name}:{variant.name}" not in have
    ]


def without_idle_bases(planned: Sequence[Planned], runs: Callable[[Planned], bool]) -> list[Planned]:
    """Return the plan without what is only there to be compared with, where nothing compared with it `runs`."""
    compared = {item.variant.against for item in planned if not item.variant.is_base}
    needed = {item.variant.against for item in planned if not item.variant.is_base and runs(item)}
    return [
        item
        for item in planned
        if not item.variant.is_base or item.name in needed or item.name not in compared  # named itself
    ]
