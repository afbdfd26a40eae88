"""What is known of a backend elsewhere follows from BACKENDS, or is missed here when it is forgotten."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import pytest

from front import lane_checks
from smoke.advice.guesses import Need, guesses
from smoke.backends.registry import BACKENDS, WORKER
from smoke.backends.variants import Backend, Pinned, Variant
from smoke.environments.environment_recipes import environment_names
from smoke.environments.source import Readiness
from smoke.exports.exporters import EXPORTERS
from smoke.parity import gates
from tests.front.test_doctor import facts_of
from wheelhouse.machine.facts import Facts
from wheelhouse.paths import ROOT

NO_ADVICE = {
    "reference": "what the others are compared with",
    "twin": "computes for comparisons only",
    "openvino-genai": "the devices of openvino, which is guessed",
    "npu-legacy": "archived by Intel",
    "webgpu-wine": "shows that the Windows plug-in lives beside DirectML",
}
"""Backends that `invoke advise` does not recommend before they were measured, and why."""


@pytest.fixture
def facts() -> Facts:
    return facts_of("windows-ai-pc")


def forgotten(backends: Sequence[Backend], facts: Facts) -> Iterator[str]:
    """Yield each file in which a backend, or something of it, is missing."""
    documents = "".join((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/smoke.md"))
    guessed = {guess.backend.partition(":")[0] for guess in guesses(facts, (), Need(name="m", parameters=10**8))}
    variants = {f"{backend.name}:{variant.name}" for backend in backends for variant in backend.variants}
    for backend in backends:
        if not backend.engine.is_file():
            yield f"smoke/worker: no {backend.engine.name}"
        if isinstance(backend.source, Pinned) and backend.source.name not in environment_names():
            yield f"recipes/environments: no {backend.source.name}.toml"
        if backend.name not in guessed and backend.name not in NO_ADVICE:
            yield f"smoke/advice/guesses.py: nothing about {backend.name}"
        if f"`{backend.name}`" not in documents:
            yield f"README.md: no {backend.name}"
        for variant in backend.variants:
            if variant.export and variant.export not in EXPORTERS:
                yield f"smoke/exports/exporters.py: no {variant.export}"
            if variant.against not in variants:
                yield f"smoke/backends: {backend.name}:{variant.name} is compared with {variant.against}"


def test_nothing_is_forgotten(facts: Facts) -> None:
    assert list(forgotten(BACKENDS, facts)) == []
    names = {backend.name for backend in BACKENDS}
    assert NO_ADVICE.keys() <= names


def test_a_new_backend_is_missed_wherever_it_is_forgotten(facts: Facts) -> None:
    new = Backend(
        name="newcomer",
        summary="a new runtime",
        engine=WORKER / "engine_newcomer.py",
        source=Pinned(name="newcomer"),
        variants=(Variant(name="fp16", export="newcomer-fp16", gate=gates.FP16, against="newcomer:fp32"),),
    )
    assert list(forgotten([*BACKENDS, new], facts)) == [
        "smoke/worker: no engine_newcomer.py",
        "recipes/environments: no newcomer.toml",
        "smoke/advice/guesses.py: nothing about newcomer",
        "README.md: no newcomer",
        "smoke/exports/exporters.py: no newcomer-fp16",
        "smoke/backends: newcomer:fp16 is compared with newcomer:fp32",
    ]


def test_doctor_takes_from_backends_whose_environment_is_whose(monkeypatch: pytest.MonkeyPatch, facts: Facts) -> None:
    """That a backend's own environment cannot be made is a note; without one that all need nothing can be proven."""
    impossible = Readiness(ready=False, makeable=False, reason="No wheel for it.")
    broken = msgspec.structs.replace(facts, environments={**facts.environments, "newcomer": impossible})
    assert any("newcomer" in gap.what for gap in lane_checks.smoke(broken).gaps)
    new = Backend(name="newcomer", summary="", engine=WORKER / "main.py", source=Pinned(name="newcomer"), variants=())
    monkeypatch.setattr(lane_checks, "BACKENDS", (*BACKENDS, new))
    lane = lane_checks.smoke(broken)
    assert not any("newcomer" in gap.what for gap in lane.gaps)
    assert any("'newcomer', for its own backend only, cannot be made" in note for note in lane.notes)
