"""What is too far apart: two families of gates that are never mixed, with every threshold in one place.

*Same weights*: the candidate computes with the golden's weights, in float32 or float16. Its logits must be close and
its tokens equal. *Across quantisation*: the candidate's weights were rounded to a few bits, so it is another model, if
a near one. Its free-running tokens part early and for good, so only drift on given tokens is bounded.

A quantised backend is held to same weights, too: to the reference with its own weights, as the numbers they stand for
(`weights` among the backends). What drifts across quantisation is those numbers, and that is a quality, not a proof.

Errors and margins are in units of the golden logits' own spread, so that the thresholds hold for any model. What was
measured, and why each threshold is where it is: thresholds.toml.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from msgspec import Struct

from smoke.parity.distances import LogitMetrics
from smoke.parity.parity import Difference, Metrics, Quality
from smoke.parity.thresholds import THRESHOLDS, AcrossQuantisation, SameWeights

WORST_GRADE = "E"
AT_ONCE, ONE_BY_ONE = " of tokens at once", " of tokens one by one"
NAMED = 3
"""Places after which it would go on differently that are named; the others are counted."""
EVIDENCE = 0.5
"""Share of the golden tokens that must really have been compared: ties end a comparison, and may not end them all."""


@dataclass(frozen=True, kw_only=True)
class IsGolden:
    """The reference: nothing to compare with; it has to be whole and finite."""

    name: str = "golden"


Gate = SameWeights | AcrossQuantisation | IsGolden

FP32 = THRESHOLDS.float32
FP16 = THRESHOLDS.float16
INT4 = THRESHOLDS.int4
INT4_FP16 = THRESHOLDS.int4_float16
INT8_ACTIVATIONS = THRESHOLDS.int8_activations
QUANTISED = THRESHOLDS.quantisation
GOLDEN = IsGolden()
ALL: tuple[Gate, ...] = (GOLDEN, FP32, FP16, INT4_FP16, INT4, INT8_ACTIVATIONS, QUANTISED)


class Check(Struct, frozen=True, kw_only=True):
    """One measure beside the limit that its gate sets; `value` is None where it is no finite number, which fails."""

    name: str
    value: float | None
    limit: float
    at_least: bool = False

    @property
    def holds(self) -> bool:
        """Whether the limit is kept."""
        if self.value is None:
            return False
        return self.value >= self.limit if self.at_least else self.value <= self.limit


def checks(gate: Gate, metrics: Metrics) -> tuple[Check, ...]:
    """Return every number that the gate looks at, with its limit; tokens are not numbers, and not among them."""
    if isinstance(gate, IsGolden):
        return ()
    own = metrics.answer_margin
    answer = () if own is None else (_check("what a token of the answers lacks by its own logits", own, gate.tie),)
    choices = (*_probe_checks(gate, metrics), *_chance_checks(gate, metrics))
    return (*answer, *_logit_checks(gate, metrics), *_part_checks(gate, metrics), *choices)


def violations(gate: Gate, metrics: Metrics) -> list[str]:
    """Return every way in which the measurements fail the gate, in words; empty when they pass."""
    if isinstance(gate, IsGolden):
        return []
    if metrics.logits is None and metrics.probes == 0:
        return ["there are neither logits nor single choices to judge by"]
    chances = [_in_words(check) for check in _chance_checks(gate, metrics) if not check.holds]
    found = [*_logit_violations(gate, metrics), *_part_violations(gate, metrics), *chances]
    if isinstance(gate, SameWeights):
        return [*_token_violations(gate, metrics), *found]
    return [*found, *_probe_violations(gate, metrics)]


def quality(metrics: Metrics) -> Quality | None:
    """Return what a quantisation cost, out of what was measured between its weights and the original ones."""
    logits = metrics.logits
    if logits is None or metrics.perplexity_ratio is None:
        return None
    grade = next((grade.name for grade in THRESHOLDS.grades if logits.kl <= grade.kl), WORST_GRADE)
    return Quality(grade=grade, kl=logits.kl, top1=logits.top1, perplexity_ratio=metrics.perplexity_ratio)


def quality_in_words(found: Quality) -> str:
    """Return the grade, and what it rests on."""
    return (
        f"quality of the quantised weights: {found.grade} (KL {found.kl:.2g}, the same best token at {found.top1:.0%} "
        f"of the positions, perplexity times {found.perplexity_ratio:.3g})"
    )


def ties(gate: Gate, metrics: Metrics) -> list[Difference]:
    """Return the differences that a same-weights gate forgives as ties."""
    if not isinstance(gate, SameWeights):
        return []
    return [d for d in (*metrics.differences, *metrics.probe_differences) if _is_tie(d, gate.tie)]


def _is_tie(difference: Difference, limit: float) -> bool:
    return difference.to_runner_up and difference.margin is not None and difference.margin <= limit


def _token_violations(gate: SameWeights, metrics: Metrics) -> list[str]:
    found = [describe(d) for d in metrics.differences if not _is_tie(d, gate.tie)]
    elsewhere = [d for d in metrics.probe_differences if not _is_tie(d, gate.tie)]
    found += [
        f"after {d.position} golden tokens of prompt {d.prompt} it would go on differently" for d in elsewhere[:NAMED]
    ]
    if len(elsewhere) > NAMED:
        found.append(f"and so it would at {len(elsewhere) - NAMED} more of {metrics.probes} places")
    compared, golden = sum(metrics.prefix), sum(metrics.golden_tokens)
    if not found and compared < EVIDENCE * golden:  # both 0 where the golden side gave no free answers
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
    return [_in_words(check) for check in _logit_checks(gate, metrics) if not check.holds]


def _part_violations(gate: SameWeights | AcrossQuantisation, metrics: Metrics) -> list[str]:
    """Return what is wrong in parts, where it is not in the whole already; which part; where in a context it begins."""
    whole = {check.name for check in _logit_checks(gate, metrics) if not check.holds}
    wrong = [check for check in _part_checks(gate, metrics) if not check.holds]
    found = [_in_words(check) for check in wrong if not any(check.name.startswith(name) for name in whole)]
    parts = {part for part in (AT_ONCE, ONE_BY_ONE) if any(check.name.endswith(part) for check in wrong)}
    if len(parts) == 1 and whole:
        found.append(f"this concerns the logits{parts.pop()} only")
    elif parts and metrics.parts is not None and metrics.parts.begins is not None:
        context, begins = metrics.parts.tokens, metrics.parts.begins
        found.append(f"in a context of {context} tokens it goes wrong from position {begins} on")
    return found


def _in_words(check: Check) -> str:
    return f"{check.name} {_shown(check.value)} {'<' if check.at_least else '>'} {check.limit:g}"


def _shown(value: float | None) -> str:
    return "is not a finite number, not" if value is None else f"{value:.3g}"


def _logit_checks(gate: SameWeights | AcrossQuantisation, metrics: Metrics) -> list[Check]:
    if metrics.logits is None:
        return []
    shift = _check("shift of the perplexity", _or_infinite(metrics.perplexity_shift), gate.perplexity)
    return [*_distances(gate, metrics.logits), shift]


def _part_checks(gate: SameWeights | AcrossQuantisation, metrics: Metrics) -> list[Check]:
    """Return the same for the rows that came at once and those that came one by one, and for a long context.

    Not for what weights lost by rounding: that depends on the text, and the parts are texts of many kinds.
    """
    parts = metrics.parts
    if parts is None or gate is QUANTISED:
        return []
    found = _distances(gate, parts.at_once, AT_ONCE) if parts.at_once is not None else []
    found += _distances(gate, parts.one_by_one, ONE_BY_ONE) if parts.one_by_one is not None else []
    if parts.lost is not None:
        found.append(_check("golden margin where another token is best in a long context", parts.lost, gate.tie))
    return found


def _distances(gate: SameWeights | AcrossQuantisation, logits: LogitMetrics, where: str = "") -> list[Check]:
    few, rows = THRESHOLDS.few_rows, logits.positions
    most = [("NMSE", logits.nmse, few.distance(gate.nmse, rows)), ("KL", logits.kl, few.distance(gate.kl, rows))]
    if isinstance(gate, SameWeights):
        relative = logits.max_abs / logits.spread if logits.spread else math.inf
        most.append(("largest logit error in spreads", relative, gate.max_error))
        most.append(("golden margin where another token is best", logits.top1_margin, gate.tie))
    least = [("top-10 agreement", logits.top10, few.share(gate.top10, rows))]
    if isinstance(gate, AcrossQuantisation):
        least.append(("top-1 agreement", logits.top1, few.share(gate.top1, rows, chosen=True)))
    checks = [_check(name + where, value, limit) for name, value, limit in most]
    return checks + [_check(name + where, value, limit, at_least=True) for name, value, limit in least]


def _check(name: str, value: float, limit: float, *, at_least: bool = False) -> Check:
    return Check(name=name, value=value if math.isfinite(value) else None, limit=limit, at_least=at_least)


def _or_infinite(value: float | None) -> float:
    return math.inf if value is None else value


def _probe_checks(gate: SameWeights | AcrossQuantisation, metrics: Metrics) -> list[Check]:
    if not metrics.probes or isinstance(gate, SameWeights):
        return []
    share = 1 - len(metrics.probe_differences) / metrics.probes
    return [_check("equal single choices", share, gate.probes, at_least=True)]


def _chance_checks(gate: SameWeights | AcrossQuantisation, metrics: Metrics) -> list[Check]:
    if metrics.chances is None or isinstance(gate, AcrossQuantisation):
        return []
    limit = THRESHOLDS.few_rows.distance(gate.kl, metrics.chances.count)
    return [_check("KL of single choices", metrics.chances.kl, limit)]


def _probe_violations(gate: AcrossQuantisation, metrics: Metrics) -> list[str]:
    return [
        f"only {check.value:.2f} of {metrics.probes} single choices agree (< {check.limit:g})"
        for check in _probe_checks(gate, metrics)
        if not check.holds
    ]
