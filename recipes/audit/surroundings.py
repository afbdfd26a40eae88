"""What the rules may look at besides the wheel at hand: the other wheels, and what an index offers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from recipes.audit.findings import Finding
from recipes.audit.readers.wheel import Wheel

if TYPE_CHECKING:
    from packaging.requirements import Requirement

RUNTIMES = (
    "onnxruntime",
    "onnxruntime-directml",
    "onnxruntime-gpu",
    "onnxruntime-qnn",
    "onnxruntime-openvino",
    "onnxruntime-winml",
)
"""Distributions that carry onnxruntime's library in `onnxruntime/capi/`."""


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What an index has of one distribution for one platform and Python: versions, newest first, or why unknown."""

    source: str
    versions: tuple[str, ...] = ()
    unknown: str = ""


Asker = Callable[["Requirement", Wheel], tuple[Offer, ...]]


@dataclass(frozen=True, kw_only=True)
class Context:
    """The audit at hand: all its wheels, whether they are to be one installation, whom to ask for other wheels."""

    wheels: tuple[Wheel, ...]
    paired: bool = False
    ask: Asker | None = None
    build_roots: tuple[str, ...] = field(default=())

    def partners(self, wheel: Wheel) -> tuple[Wheel, ...]:
        """Return the audited wheels that would be installed beside this one: named and accepted by a requirement.

        Of several versions the newest comes first, as pip would choose it.
        """
        from packaging.version import Version

        if self.paired:
            return tuple(w for w in self.wheels if w is not wheel and w.readable)
        fitting = [w for w in self.wheels if w is not wheel and self.accepts(wheel, w)]
        return tuple(sorted(fitting, key=lambda w: w.version or Version("0"), reverse=True))

    @staticmethod
    def accepts(wheel: Wheel, other: Wheel) -> bool:
        """Say whether a requirement of `wheel` is satisfied by `other`, for a common platform and Python."""
        if wheel.metadata is None or other.version is None or other.named is None or wheel.named is None:
            return False
        tags = {(t.interpreter, t.platform) for t in wheel.named.tags}
        same = any(
            t.platform == "any" or (t.platform in wheel.platforms and (t.interpreter, t.platform) in tags)
            for t in other.named.tags
        )
        return same and any(
            canonical(r) == other.name and r.specifier.contains(other.version, prereleases=True)
            for r in wheel.metadata.requirements
        )


def canonical(requirement: Requirement) -> str:
    """Return the normalised name of a requirement."""
    from packaging.utils import canonicalize_name

    return str(canonicalize_name(requirement.name))


def runtime_requirements(wheel: Wheel) -> tuple[Requirement, ...]:
    """Return the requirements that bring an onnxruntime library."""
    return tuple(r for r in (wheel.metadata.requirements if wheel.metadata else ()) if canonical(r) in RUNTIMES)


Check = Callable[[Wheel, Context], Iterator[Finding]]
