"""Rules about requirements: an installer can satisfy them, and gets the onnxruntime that was meant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from recipes.audit.findings import Family, Finding, Severity
from recipes.audit.readers.wheel import Wheel
from recipes.audit.surroundings import Context, Offer, canonical, runtime_requirements
from recipes.audit.wheel_target import applies

if TYPE_CHECKING:
    from packaging.requirements import Requirement

_FAMILY = Family(title="Requirements")

UNSATISFIABLE = _FAMILY.rule(
    "requirement-unsatisfiable",
    Severity.ERROR,
    "Every requirement can be satisfied",
    "For the wheel's platform and Python, the index has a version that each Requires-Dist accepts. "
    "onnxruntime-genai-directml 0.14.1 requires an onnxruntime-directml that was never published: pip falls back to an "
    "older GenAI without a word.",
    "Correct the requirement and build the wheel again, or give pip an index that has the version.",
)
UNREACHABLE = _FAMILY.rule(
    "requirement-unchecked",
    Severity.INFO,
    "Requirements could be looked up",
    "The package index did not answer in time, or pip is not installed; whether the requirements can be satisfied is "
    "not known.",
    "Run the audit again with a connection, or give `--index`.",
)
INEXACT = _FAMILY.rule(
    "requirement-inexact",
    Severity.ERROR,
    "Our wheels pin their onnxruntime exactly",
    "A GenAI wheel built here was proven with one onnxruntime; its requirement says '==' and that version, because a "
    "newer one may come without DirectML.",
    "Set the paired version in the recipe and build the wheel again.",
)
PAIR = _FAMILY.rule(
    "pair-mismatch",
    Severity.ERROR,
    "The two wheels of a pair belong together",
    "With `--pair` one wheel must require the other, in that version, for the same platform and Python; and no file of "
    "one may overwrite a different file of the other.",
    "Pair wheels of one build, or correct the requirement.",
)


def satisfiable(wheel: Wheel, context: Context) -> Iterator[Finding]:
    """Ask what the index has for every requirement that no other audited wheel satisfies."""
    if context.ask is None or wheel.metadata is None or wheel.named is None:
        return
    for requirement in wheel.metadata.requirements:
        beside = [p for p in context.partners(wheel) if p.name == canonical(requirement)]
        if beside or not applies(requirement, wheel):
            continue
        offers = context.ask(requirement, wheel)
        if any(_fits(requirement, offer) for offer in offers):
            continue
        unknown = [offer for offer in offers if offer.unknown]
        if unknown:
            message = f"requires '{requirement}'; whether {unknown[0].source} has it is not known: {unknown[0].unknown}"
            yield UNREACHABLE.finding(wheel.file, message)
        else:
            had = "; ".join(_describe(offer) for offer in offers)
            message = f"cannot be installed: it requires '{requirement}', and {had}"
            yield UNSATISFIABLE.finding(wheel.file, message, where=f"{wheel.dist_info}/METADATA")


def _fits(requirement: Requirement, offer: Offer) -> bool:
    return bool(list(requirement.specifier.filter(offer.versions)))


def _describe(offer: Offer) -> str:
    if not offer.versions:
        return f"{offer.source} has no version of it for this platform and Python"
    older = f" ({len(offer.versions) - 1} older)" if len(offer.versions) > 1 else ""
    return f"the newest that {offer.source} has is {offer.versions[0]}{older}"


def exact(wheel: Wheel, _context: Context) -> Iterator[Finding]:
    """Check that a wheel of ours pins its onnxruntime."""
    for requirement in runtime_requirements(wheel) if wheel.own else ():
        operators = [s.operator for s in requirement.specifier]
        if operators != ["=="] or "*" in str(requirement.specifier):
            message = f"requires '{requirement}' instead of one exact version"
            yield INEXACT.finding(wheel.file, message, where=f"{wheel.dist_info}/METADATA")


def pair(wheel: Wheel, context: Context) -> Iterator[Finding]:
    """Check that the wheels of a pair fit each other; reported once, for the first of them."""
    if not context.paired or wheel is not context.wheels[0]:
        return
    for other in (w for w in context.wheels[1:] if w.readable and wheel.readable):
        if not context.accepts(wheel, other) and not context.accepts(other, wheel):
            yield PAIR.finding(wheel.file, _why_not(wheel, other))
        for path in sorted(wheel.members.keys() & other.members.keys()):
            if wheel.members[path].sha256 != other.members[path].sha256:
                yield PAIR.finding(wheel.file, f"is in {other.file} too, with other content", where=path)


def _why_not(wheel: Wheel, other: Wheel) -> str:
    for one, two in ((wheel, other), (other, wheel)):
        for requirement in one.metadata.requirements if one.metadata else ():
            if canonical(requirement) == two.name:
                if two.version is not None and requirement.specifier.contains(two.version, prereleases=True):
                    return f"is not for the same platform and Python as {other.file}"
                return f"does not go with {other.file}: {one.name} requires '{requirement}', not {two.version}"
    return f"has nothing to do with {other.file}: neither requires the other"


CHECKS = (satisfiable, exact, pair)
