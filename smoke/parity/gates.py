"""What is too far apart: two families of gates that are never mixed, with every threshold in one place.

*Same weights*: the candidate computes with the golden's weights, in float32 or float16. Its logits must be close and
its tokens equal. *Across quantisation*: the candidate's weights were rounded to a few bits, so it is another model, if
a near one. Its free-running tokens part early and for good, so only drift on given tokens is bounded.

Errors and margins are in units of the golden logits' own spread, so that the thresholds hold for any model. What was
measured, and why each threshold is where it is: docs/smoke.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from smoke.parity.parity import Difference, Metrics

EVIDENCE = 0.5
"""Share of the golden tokens that must really have been compared: ties end a comparison, and may not end them all."""


@dataclass(frozen=True, kw_only=True)
class SameWeights:
    """Close logits and equal tokens. Each field is the largest allowed value, `top10` the smallest.

    `tie`: margin of the golden choice over its runner-up below which taking the runner-up is no fault. It is fixed,
    not measured: a broken backend's own error must not widen what it is forgiven.
    """

    name: str
    max_error: float
    nmse: float
    kl: float
    top10: float
    perplexity: float
    tie: float


@dataclass(frozen=True, kw_only=True)
class AcrossQuantisation:
    """Bounded drift on given tokens. Fields as in SameWeights; `top1`, `probes`: smallest share of equal choices."""

    name: str
    nmse: float
    kl: float
    top1: float
    top10: float
    perplexity: float
    probes: float


@dataclass(frozen=True, kw_only=True)
class IsGolden:
    """The reference: nothing to compare with; it has to be whole and finite."""

    name: str = "golden"


Gate = SameWeights | AcrossQuantisation | IsGolden

FP32 = SameWeights(
    name="same weights, float32", max_error=1e-3, nmse=1e-8, kl=1e-7, top10=0.99, perplexity=1e-4, tie=1e-4
)
FP16 = SameWeights(
    name="same weights, float16", max_error=0.15, nmse=1e-4, kl=2e-4, top10=0.95, perplexity=0.003, tie=0.01
)
INT4 = AcrossQuantisation(
    name="across quantisation, int4", nmse=0.4, kl=1.0, top1=0.55, top10=0.5, perplexity=0.7, probes=0.5
)
INT8_ACTIVATIONS = AcrossQuantisation(
    name="one int4 graph, activations in 8 bits",
    nmse=0.03,
    kl=0.02,
    top1=0.85,
    top10=0.8,
    perplexity=0.03,
    probes=0.85,
)
"""One graph, two providers, whose 4-bit kernels round activations to 8 bits in blocks of their own (docs/webgpu.md)."""
GOLDEN = IsGolden()
ALL: tuple[Gate, ...] = (GOLDEN, FP32, FP16, INT8_ACTIVATIONS, INT4)


def violations(gate: Gate, metrics: Metrics) -> list[str]:
    """Return every way in which the measurements fail the gate, in words; empty when they pass."""
    if isinstance(gate, IsGolden):
        return []
    if metrics.logits is None and metrics.probes == 0:
        return ["there are neither logits nor single choices to judge by"]
    found = _logit_violations(gate, metrics)
    if isinstance(gate, SameWeights):
        return [*_token_violations(gate, metrics), *found]
    return [*found, *_probe_violations(gate, metrics)]


def ties(gate: Gate, metrics: Metrics) -> list[Difference]:
    """Return the differences that a same-weights gate forgives as ties."""
    if not isinstance(gate, SameWeights):
        return []
    return [d for d in (*metrics.differences, *metrics.probe_differences) if _is_tie(d, gate.tie)]


def _is_tie(difference: Difference, limit: float) -> bool:
    return difference.to_runner_up and difference.margin is not None and difference.margin <= limit


def _token_violations(gate: SameWeights, metrics: Metrics) -> list[str]:
    found = [describe(d) for d in metrics.differences if not _is_tie(d, gate.tie)]
    found += [
        f"after {d.position} golden tokens of prompt {d.prompt} it would go on differently"
        for d in metrics.probe_differences
        if not _is_tie(d, gate.tie)
    ]
    compared, golden = sum(metrics.prefix), sum(metrics.golden_tokens)
    if not found and compared < EVIDENCE * golden:
        found.append(f"only {compared} of {golden} tokens could be compared before ties")
    return found


def describe(difference: Difference) -> str:
    """Return a difference in words, with both texts and the golden margin."""
    margin = "" if difference.margin is None else f" (golden margin {difference.margin:.3g} spreads)"
    return (
        f"prompt {difference.prompt} parts at token {difference.position}: "
        f"{_quoted(difference.got, difference.got_text)} instead of "
        f"{_quoted(difference.expected, difference.expected_text)}{margin}"
    )


def _quoted(token: int | None, text: str) -> str:
    if token is None:
        return "nothing more"
    return repr(text) if text else f"the special token {token}"


def _logit_violations(gate: SameWeights | AcrossQuantisation, metrics: Metrics) -> list[str]:
    logits = metrics.logits
    if logits is None:
        return []
    checks = [
        ("NMSE", logits.nmse, gate.nmse),
        ("KL", logits.kl, gate.kl),
        ("|ln of the perplexity ratio|", _log(metrics.perplexity_ratio), gate.perplexity),
    ]
    if isinstance(gate, SameWeights):
        relative = logits.max_abs / logits.spread if logits.spread else math.inf
        checks.append(("largest logit error in spreads", relative, gate.max_error))
        checks.append(("golden margin where another token is best", logits.top1_margin, gate.tie))
    # "not (a <= b)" instead of "a > b": a NaN must fail.
    found = [f"{name} {value:.3g} > {limit:g}" for name, value, limit in checks if not value <= limit]
    agreements = [("top-10", logits.top10, gate.top10)]
    if isinstance(gate, AcrossQuantisation):
        agreements.append(("top-1", logits.top1, gate.top1))
    return found + [
        f"{name} agreement {value:.3f} < {limit:g}" for name, value, limit in agreements if not value >= limit
    ]


def _log(ratio: float | None) -> float:
    return abs(math.log(ratio)) if ratio is not None and ratio > 0 else math.inf


def _probe_violations(gate: AcrossQuantisation, metrics: Metrics) -> list[str]:
    if not metrics.probes:
        return []
    share = 1 - len(metrics.probe_differences) / metrics.probes
    if share >= gate.probes:
        return []
    return [f"only {share:.2f} of {metrics.probes} single choices agree (< {gate.probes:g})"]
