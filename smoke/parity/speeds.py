"""How fast a backend was, from the times that its worker noted: medians, and how far repetitions are apart."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from msgspec import Struct

from smoke.parity.dumps import Dump, LengthDump, Timed

FEW = 6
"""Below so many samples no interval about the median can be had at 95 %: their whole range is shown."""


class LengthSpeed(Struct, frozen=True, kw_only=True):
    """How fast a prompt of so many tokens was; `error` is what the runtime said where it refused."""

    prompt_tokens: int
    first_token_samples: tuple[float, ...] = ()
    tokens_per_s_samples: tuple[float, ...] = ()
    error: str = ""


class Performance(Struct, frozen=True, kw_only=True):
    """How fast and how large; None where the worker did not get that far. Samples are one for each repetition."""

    load_s: float | None = None
    """Seconds to import the runtime and load the model."""
    first_token_s: float | None = None
    """Median over the prompts of the seconds to the first token, after a warm-up; the median of its samples."""
    first_token_samples: tuple[float, ...] = ()
    cold_first_token_s: float | None = None
    """Seconds to the first token of all, in which kernels are compiled and caches filled."""
    tokens_per_s: float | None = None
    """Tokens after the first, over the seconds they took, over all prompts; the median of its samples."""
    tokens_per_s_samples: tuple[float, ...] = ()
    lengths: tuple[LengthSpeed, ...] = ()
    peak_memory_bytes: int | None = None
    """Largest resident size of the worker."""
    worker_s: float | None = None
    """Seconds from the worker's start to its end."""
    worker_cpu_s: float | None = None
    """Seconds of processor time in it, all threads together: comparable on a busy machine, too."""


def measured(dump: Dump | None, worker_s: float) -> Performance:
    """Return what a dump says about speed; `worker_s` are the seconds that its worker took as a whole."""
    if dump is None or dump.status != "ok":
        return Performance(worker_s=worker_s)
    rounds = _rounds(dump)
    first = tuple(statistics.median(timed[0] for timed in each) for each in rounds)
    rates = _rates(rounds)
    return Performance(
        load_s=dump.seconds.get("load"),
        first_token_s=statistics.median(first),
        first_token_samples=first,
        cold_first_token_s=dump.first_run[0] if dump.first_run else None,
        tokens_per_s=statistics.median(rates) if rates else None,
        tokens_per_s_samples=rates,
        lengths=tuple(_length(entry) for entry in dump.lengths),
        peak_memory_bytes=dump.peak_memory or None,
        worker_cpu_s=dump.cpu_seconds or None,
        worker_s=worker_s,
    )


def untimed(dump: Dump | None) -> Performance:
    """Return what a dump says about memory, where its times are not its own."""
    return Performance(peak_memory_bytes=(dump.peak_memory or None) if dump else None)


def _rounds(dump: Dump) -> list[list[Timed]]:
    """Return the times of all prompts, repetition by repetition; the first is that of the answers themselves."""
    answers = [(prompt.first_seconds, prompt.seconds, len(prompt.tokens)) for prompt in dump.prompts]
    again = zip(*(prompt.repeats for prompt in dump.prompts), strict=False)
    return [answers, *(list(each) for each in again)]


def _rates(rounds: Sequence[Sequence[Timed]]) -> tuple[float, ...]:
    found = []
    for each in rounds:
        tokens = sum(count - 1 for _, _, count in each)
        seconds = sum(whole - first for first, whole, _ in each)
        if tokens > 0 and seconds > 0:
            found.append(tokens / seconds)
    return tuple(found)


def _length(entry: LengthDump) -> LengthSpeed:
    return LengthSpeed(
        prompt_tokens=entry.tokens,
        first_token_samples=tuple(first for first, _, _ in entry.times),
        tokens_per_s_samples=_rates([[timed] for timed in entry.times]),
        error=entry.error,
    )


def interval(samples: Sequence[float]) -> tuple[float, float] | None:
    """Return between which values the median lies at 95 % (by order statistics), or the range of a few samples."""
    if len(samples) < 2:
        return None
    ordered, count = sorted(samples), len(samples)
    cut = 0 if count < FEW else max(0, math.floor((count - 1.96 * math.sqrt(count)) / 2))
    return ordered[cut], ordered[count - 1 - cut]
