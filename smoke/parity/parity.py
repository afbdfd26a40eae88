"""How far two dumps are apart: tokens, logits, perplexity. Measuring only; `gates` decides what is too far."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec import Struct

from smoke.parity import accounted, long_context
from smoke.parity.chances import Chances
from smoke.parity.chances import measured as chances_of
from smoke.parity.distances import LogitMetrics, NotFiniteError, compare_logits, leaders
from smoke.parity.dumps import Dump, DumpError, Logits, open_logits
from smoke.parity.long_context import Parts


class Difference(Struct, frozen=True, kw_only=True):
    """Where a token differs from the golden one.

    `prompt` counts from 1, `position` from 0. `margin` is by how much the golden logit of its token leads the golden
    runner-up there, in units of `Metrics.spread`; None where that is not known. `to_runner_up`: the other token is
    that runner-up.
    """

    prompt: int
    position: int
    expected: int | None
    got: int | None
    expected_text: str = ""
    got_text: str = ""
    margin: float | None = None
    to_runner_up: bool = False


class Quality(Struct, frozen=True, kw_only=True):
    """What rounding the weights cost: the export's own weights against the reference's, in exact arithmetic."""

    grade: str
    kl: float
    top1: float
    perplexity_ratio: float


class Metrics(Struct, frozen=True, kw_only=True):
    """Everything that was measured between one dump and the golden one; None where it could not be."""

    prefix: tuple[int, ...] = ()
    """Per prompt, how many tokens from the start are equal."""
    golden_tokens: tuple[int, ...] = ()
    """Per prompt, how many tokens the golden answer has."""
    differences: tuple[Difference, ...] = ()
    """The first difference of each prompt that has one."""
    logits: LogitMetrics | None = None
    probes: int = 0
    """Single choices after given golden tokens, where the runtime shows no logits."""
    probe_differences: tuple[Difference, ...] = ()
    chances: Chances | None = None
    """How probable it holds those choices, and those in a long context, beside the reference."""
    spread: float | None = None
    """Standard deviation of the golden logits around each position's mean: the unit of margins and errors."""
    margins: tuple[tuple[float, ...], ...] = ()
    """Of the reference itself, per prompt and position: by how many spreads its choice leads its runner-up."""
    perplexity: float | None = None
    perplexity_ratio: float | None = None
    perplexity_shift: float | None = None
    """Change of the mean log-likelihood of the fixed text, as a share of the spread or the loss, whichever is larger:
    the ratio alone depends on how likely the text is."""
    parts: Parts | None = None
    """Rows that came at once and rows that came one by one, apart, those of a long context among them."""
    answer_margin: float | None = None
    """By how many spreads a token of the free answers lacks to the one that its own logits prefer, at most."""
    quality: Quality | None = None
    """Of quantised weights. All else is then measured against those very weights."""


@dataclass(frozen=True, kw_only=True)
class Golden:
    """A dump that others are compared with, and per prompt and position its choice, its runner-up and their margin.

    `flaw`: what was found wrong with it, where it is compared with all the same. `remark`: what is to be said wherever
    something is compared with it.
    """

    dump: Dump
    folder: Path
    logits: tuple[Logits, ...]
    continuations: tuple[tuple[int, ...], ...]
    choices: tuple[tuple[int, ...], ...]
    runners_up: tuple[tuple[int, ...], ...]
    margins: tuple[tuple[float, ...], ...]
    spread: float
    flaw: str = ""
    remark: str = ""
    quality: Quality | None = None


def golden(dump: Dump, folder: Path, continuations: Sequence[Sequence[int]]) -> Golden:
    """Read a dump's logits once and keep what comparisons need of them.

    Raise DumpError (unusable logits) or NotFiniteError.
    """
    files = logits_of(dump, folder)
    choices, runners_up, margins = [], [], []
    total, count = 0.0, 0
    for file, continuation in zip(files, continuations, strict=True):
        if file.rows != len(continuation):
            raise DumpError(f"{file.path.name} has {file.rows} rows for {len(continuation)} tokens")
        best, second, gap, squares = leaders(file)
        choices.append(best)
        runners_up.append(second)
        margins.append(gap)
        total, count = total + squares, count + file.rows * file.vocabulary
    return Golden(
        dump=dump,
        folder=folder,
        logits=files,
        continuations=tuple(tuple(c) for c in continuations),
        choices=tuple(choices),
        runners_up=tuple(runners_up),
        margins=tuple(margins),
        spread=math.sqrt(total / max(count, 1)),
    )


def logits_of(dump: Dump, folder: Path) -> tuple[Logits, ...]:
    """Open the logits of every prompt. Raise DumpError when some are missing or malformed."""
    names = [prompt.logits for prompt in dump.prompts]
    if any(name is None for name in names):
        raise DumpError("its dump lacks logits")
    return tuple(open_logits(folder / name) for name in names if name is not None)


def compare(dump: Dump, folder: Path, base: Golden) -> Metrics:
    """Measure `dump` against `base`. Raise DumpError, NotFiniteError, or ForeignModelError (another vocabulary)."""
    has_logits = any(prompt.logits for prompt in dump.prompts)
    pairs = list(zip(dump.prompts, base.dump.prompts, strict=True))
    # One side may have been scored only, on given tokens: then there is nothing to lay beside each other.
    answered = all(ours.tokens and theirs.tokens for ours, theirs in pairs)
    differences = [_difference(base, number, ours.tokens, ours.pieces) for number, (ours, _) in enumerate(pairs)]
    files = logits_of(dump, folder) if has_logits else ()
    logits = compare_logits(files, base.logits) if has_logits else None
    if has_logits:
        parts = long_context.measured(dump, files, base.dump, base.logits)
    else:
        parts = long_context.chosen(dump, base.dump, base.folder, base.spread)
    own, ratio, shift = perplexity(dump, base) if has_logits else (None, None, None)
    return Metrics(
        prefix=tuple(_common(ours.tokens, theirs.tokens) for ours, theirs in pairs) if answered else (),
        golden_tokens=tuple(len(theirs.tokens) for _, theirs in pairs) if answered else (),
        differences=tuple(d for d in differences if d is not None) if answered else (),
        logits=logits,
        probes=sum(len(prompt.probes) for prompt in dump.prompts),
        probe_differences=_probe_differences(dump, base),
        chances=None if has_logits else chances_of(dump, base.dump, base.folder, base.logits),
        spread=base.spread,
        perplexity=own,
        perplexity_ratio=ratio,
        perplexity_shift=shift,
        parts=parts,
        answer_margin=accounted.margin(dump, base.spread),
    )


def perplexity(dump: Dump, base: Golden) -> tuple[float, float, float]:
    """Return the perplexity of the fixed text, its ratio to the golden one, and its shift. Raise NotFiniteError."""
    if dump.nll is None or base.dump.nll is None:
        raise NotFiniteError("the likelihood of the fixed text is not a finite number")
    shift = abs(dump.nll - base.dump.nll)
    scale = max(base.spread, base.dump.nll)
    return _exponential(dump.nll), _exponential(dump.nll - base.dump.nll), shift / scale if scale else shift


def _exponential(value: float) -> float:
    return math.exp(min(value, 700.0))  # a text that the model finds impossible is no reason to fail


def _common(ours: Sequence[int], theirs: Sequence[int]) -> int:
    return next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), min(len(ours), len(theirs)))


def _difference(base: Golden, number: int, tokens: Sequence[int], pieces: Sequence[str]) -> Difference | None:
    prompt = base.dump.prompts[number]
    position = _common(tokens, prompt.tokens)
    if position == len(tokens) == len(prompt.tokens):
        return None
    expected, got = _at(prompt.tokens, position), _at(tokens, position)
    # The golden logits follow the golden's own answer only as far as that equals the common continuation.
    known = prompt.tokens[:position] == base.continuations[number][:position]
    margin, runner_up = _margin(base, number, position) if known else (None, None)
    return Difference(
        prompt=number + 1,
        position=position,
        expected=expected,
        got=got,
        expected_text=_at(prompt.pieces, position) or "",
        got_text=_at(pieces, position) or "",
        margin=margin if expected is not None and expected == _choice(base, number, position) else None,
        to_runner_up=got is not None and got == runner_up,
    )


def _probe_differences(dump: Dump, base: Golden) -> tuple[Difference, ...]:
    found = []
    for number, prompt in enumerate(dump.prompts):
        for position, got in prompt.probes:
            expected = _choice(base, number, position)
            if expected is None:
                raise DumpError(f"it probed position {position} of prompt {number + 1}, which nobody asked for")
            if got != expected:
                margin, runner_up = _margin(base, number, position)
                found.append(
                    Difference(
                        prompt=number + 1,
                        position=position,
                        expected=expected,
                        got=got,
                        margin=margin,
                        to_runner_up=got == runner_up,
                    )
                )
    return tuple(found)


def _at(values: Sequence[Any], position: int) -> Any:
    return values[position] if position < len(values) else None


def _choice(base: Golden, number: int, position: int) -> int | None:
    choice: int | None = _at(base.choices[number], position)
    return choice


def _margin(base: Golden, number: int, position: int) -> tuple[float | None, int | None]:
    margin = _at(base.margins[number], position)
    return (None if margin is None else margin / base.spread if base.spread else 0.0), _at(
        base.runners_up[number], position
    )
