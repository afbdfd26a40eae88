"""Pairs as backends, and their results as the table in docs/."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from smoke.backends import selection
from smoke.backends.registry import BACKENDS
from smoke.backends.selection import Planned
from smoke.backends.variants import Backend
from smoke.environments.source import Environment, Readiness
from smoke.parity.verdicts import Verdict
from smoke.report.results import Report, Result
from smoke.suites.pairs.halves import Pairing
from smoke.wine import environment
from wheelhouse.errors import UnsupportedError, UsageError
from wheelhouse.files import write_atomic
from wheelhouse.paths import ROOT

TABLE = ROOT / "docs" / "directml-pairs.md"
_BACKEND = "dml"
OURS, OLDER = "TokenizersBackend", "PreTrainedTokenizerFast"
"""The class of tokenizers that today's exports name, and what older GenAIs know of the same tokenizer.json."""
_COPY = (
    f"‡ It does not know `tokenizer_class: {OURS}`, which today's exports say in tokenizer_config.json, and refuses "
    f'to load them ("Unsupported tokenizer class"). It was given a copy that says `{OLDER}` there; all else is the '
    "same. An export of your own needs the same change."
)


@dataclass(frozen=True, kw_only=True)
class PairSource:
    """Wine's Python with two wheels put together whatever they require."""

    wheels: tuple[Path, ...]

    def status(self) -> Readiness:
        """See Source."""
        if sys.platform != "linux":
            return Readiness(
                ready=False,
                makeable=False,
                reason="Pairs whose METADATA forbid each other are put together in Wine's Python only.",
                remedy="Run it on Linux, or try one pair in an environment of your own.",
            )
        found = environment.WineSource().status()
        # A pair need not be in wheels/: these bring their own.
        return found if not environment.is_set_up() else Readiness(ready=True, makeable=True)

    def prepare(self, wheels: Sequence[Path]) -> Environment:  # noqa: ARG002 - the protocol
        """See Source."""
        status = self.status()
        if not status.ready:
            raise UnsupportedError(status.reason, remedy=status.remedy)
        return environment.prepare(self.wheels, resolve=False)

    def takes(self, wheel: Path) -> bool:  # noqa: ARG002 - the protocol
        """See Source."""
        return False


def require_backend(names: Sequence[str]) -> None:
    """Raise UsageError when another backend than `dml` is named, or none; UnsupportedError where it cannot run."""
    others = [name for name in names if name.partition(":")[0] != _BACKEND]
    if others or not names:
        raise UsageError(
            f"--pairs puts DirectML wheels together, and {', '.join(others) or 'no backend'} was named.",
            remedy="Name `--backend dml`, or one of its variants.",
        )
    status = PairSource(wheels=()).status()
    if not status.ready:
        raise UnsupportedError(status.reason, remedy=status.remedy)


def plan(names: Sequence[str], pairings: Sequence[Pairing]) -> list[Planned]:
    """Return what to run: the variants of `dml` that are named, with every pair, and what they are compared with."""
    own = next(backend for backend in BACKENDS if backend.name == _BACKEND)
    made = [_backend(own, pairing) for pairing in pairings]
    known = [*(backend for backend in BACKENDS if backend is not own), *made]
    wanted = [name.replace(_BACKEND, backend.name, 1) for backend in made for name in names]
    return selection.select(wanted, everything=False, known=known)


def _backend(own: Backend, pairing: Pairing) -> Backend:
    called = f"GenAI {pairing.genai.version} on ONNX Runtime {pairing.runtime.version}"
    variants = own.variants
    if not pairing.genai.knows(OURS):
        variants = tuple(replace(v, options={**v.options, "tokenizer_class": OLDER}) for v in variants)
    return replace(own, name=pairing.name, called=called, source=PairSource(wheels=pairing.wheels), variants=variants)


def write_table(report: Report, pairings: Sequence[Pairing], path: Path = TABLE) -> Path:
    """Write the table of a run over all pairs; return where."""
    write_atomic(path, "\n".join(_lines(report, pairings)) + "\n")
    return path


def expected(report: Report, pairings: Sequence[Pairing]) -> Report:
    """Return the report without the pairs that an installer refuses: those may fail."""
    refused = {pairing.name for pairing in pairings if not pairing.installs}
    results = tuple(result for result in report.results if result.backend not in refused)
    return msgspec.structs.replace(report, results=results, passed=not any(r.is_fault for r in results))


def _lines(report: Report, pairings: Sequence[Pairing]) -> Iterator[str]:
    results = {pairing.name: [r for r in report.results if r.backend == pairing.name] for pairing in pairings}
    label = next((r.environment for found in results.values() for r in found if r.environment), "")
    yield "<!-- Generated by `invoke smoke --backend dml --pairs`. Do not edit. -->"
    yield ""
    yield "# Which GenAI runs on which ONNX Runtime with DirectML"
    yield ""
    yield (
        f"Measured on {report.created[:10]} with {report.model.name}, {len(report.prompts)} prompts of up to "
        f"{report.max_new_tokens} tokens, in {label or 'Wine'}. Each pair was put together whatever its METADATA says; "
        "a dagger (†) marks those that an installer refuses. What runs is held to the usual gates ([smoke](smoke.md))."
    )
    yield ""
    runtimes = list(dict.fromkeys(p.runtime for p in pairings))
    heads = [f"ONNX Runtime {r.version} (offers API {r.offers or 'unknown'})" for r in runtimes]
    yield f"| onnxruntime-genai-directml | {' | '.join(heads)} |"
    yield "|---" * (len(heads) + 1) + "|"
    for genai in dict.fromkeys(p.genai for p in pairings):
        row = [p for p in pairings if p.genai == genai]
        cells = [f"{_cell(results[p.name])}{'' if p.installs else ' †'}" for p in row]
        older = "" if genai.knows(OURS) else " ‡"
        yield f"| {genai.version} (asks for API {genai.asks or 'unknown'}){older} | {' | '.join(cells)} |"
    if not all(p.genai.knows(OURS) for p in pairings):
        yield ""
        yield _COPY
    wrong = [r for found in results.values() for r in found if r.verdict is not Verdict.PASS]
    if wrong:
        yield ""
        yield "What was said of those that are no PASS:"
        yield ""
    for result in wrong:
        yield f"- {result.called}, {result.variant}: {result.verdict.value}. {' '.join(result.reason.split())}"


def _cell(results: Sequence[Result]) -> str:
    groups: dict[Verdict, list[str]] = {}
    for result in results:
        groups.setdefault(result.verdict, []).append(result.variant)
    return "; ".join(f"{verdict.value} {', '.join(names)}" for verdict, names in groups.items()) or "not run"
