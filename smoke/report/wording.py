"""How numbers and texts are shown, the same in every form of the report."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from smoke.parity.speeds import Performance
from smoke.parity.verdicts import Verdict
from smoke.report.results import Report, Result
from wheelhouse.files import human_size

MOST_PROMPTS = 4
"""With more prompts than this, their prefixes are added up."""
_SENTENCE_ENDS = re.compile(r"(?<=[.!?])\s+(?=[A-Z`(])")
QUICK = (
    "A quick run: one prompt, a context of some dozens of tokens, nothing timed. A PASS here says nothing about other "
    "prompts, long contexts or speed; `invoke smoke` without --quick does."
)

STYLES = {
    Verdict.PASS: "green",
    Verdict.SKIPPED: "dim",
    Verdict.DIVERGED: "bold red",
    Verdict.FELL_BACK: "bold magenta",
    Verdict.CRASHED: "bold red",
    Verdict.TIMED_OUT: "bold yellow",
}


def printable(text: str, *, keep_lines: bool = False) -> str:
    """Return text that cannot move a terminal's cursor: control characters become \\xNN, line ends a mark."""
    if keep_lines:
        return "\n".join(printable(line) for line in text.split("\n"))
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character == "\n":
        return "⏎"
    if character == "\t":
        return " "
    return character if character.isprintable() else ascii(character)[1:-1]


def verdict(value: Verdict) -> str:
    """Return a verdict as a word for people."""
    return value.value


def prefix(result: Result) -> str:
    """Return how many tokens from the start equal the golden ones: per prompt, or added up for many prompts."""
    pairs = list(zip(result.metrics.prefix, result.metrics.golden_tokens, strict=True))
    if len(pairs) > MOST_PROMPTS:
        return f"{sum(p for p, _ in pairs)}/{sum(n for _, n in pairs)}"
    return " ".join(f"{common}/{length}" for common, length in pairs)


def number(value: float | None, digits: int = 2) -> str:
    """Return a number with so many significant digits; nothing for None, exponents only where they help."""
    if value is None:
        return ""
    if value == 0:
        return "0"
    if 0.001 <= abs(value) < 100_000:
        return f"{value:.{digits}g}" if abs(value) < 10**digits else f"{value:.0f}"
    mantissa, _, exponent = f"{value:.{max(digits - 2, 0)}e}".partition("e")
    return f"{mantissa}e{int(exponent)}"


def divergence(result: Result) -> str:
    """Return the mean KL divergence; for runtimes without logits the share of equal single choices."""
    if result.metrics.logits is not None:
        return number(result.metrics.logits.kl)
    if result.metrics.probes:
        equal = result.metrics.probes - len(result.metrics.probe_differences)
        return f"{equal}/{result.metrics.probes} choices"
    return ""


def quality(result: Result) -> str:
    """Return the grade of quantised weights; nothing for others."""
    return result.metrics.quality.grade if result.metrics.quality else ""


def seconds(value: float | None) -> str:
    """Return seconds, below one of them in milliseconds."""
    if value is None:
        return ""
    if value < 1:
        return f"{number(value * 1000)} ms" if value < 0.01 else f"{value * 1000:.0f} ms"
    return f"{value:.1f} s"


def performance(result: Result) -> Performance:
    """Return how fast a result was in this run: of one out of the cache nothing is known."""
    return Performance() if result.measured else result.performance


def memory(value: int | None) -> str:
    """Return bytes as people write them."""
    return "" if not value else human_size(value)


def counts(report: Report) -> list[tuple[Verdict, int]]:
    """Return how often each verdict was given, the ones that occur."""
    found = [(kind, sum(result.verdict is kind for result in report.results)) for kind in Verdict]
    return [(kind, count) for kind, count in found if count]


def headline(report: Report) -> str:
    """Return the outcome in one sentence."""
    if not report.results:
        return f"{'; '.join(section.title for section in report.sections) or 'nothing ran'}, in {report.seconds:.0f} s"
    said = ", ".join(f"{count} {verdict(kind)}" for kind, count in counts(report))
    quick = " (quick: one prompt, nothing timed)" if report.quick else ""
    return f"{report.model.name} on {len(report.results)} variants: {said}, in {report.seconds:.0f} s{quick}"


def first_sentence(text: str) -> str:
    """Return a text's first sentence, or first line where that ends sooner."""
    return _SENTENCE_ENDS.split(text.strip().split("\n", 1)[0], maxsplit=1)[0]


def alike(results: Iterable[Result], *, brief: bool = False) -> list[list[Result]]:
    """Return the results in groups of those of which the same is to be said."""
    groups: dict[tuple[Verdict, str], list[Result]] = {}
    for result in results:
        groups.setdefault((result.verdict, _general(result, brief=brief)), []).append(result)
    return list(groups.values())


def said(group: Sequence[Result], *, brief: bool = False) -> str:
    """Return reason and remedy of results that are alike; where they name themselves, NAME stands for each.

    When `brief`, the first sentence of each.
    """
    return _general(group[0], brief=brief) if len(group) > 1 else _reason(group[0], brief=brief)


def names(group: Sequence[Result]) -> str:
    """Return the names of results, each backend once: "cuda fp16, int4; npu int4"."""
    found: dict[str, list[str]] = {}
    for result in group:
        found.setdefault(f"{result.machine} {result.backend}".lstrip(), []).append(result.variant)
    return "; ".join(f"{backend} {', '.join(variants)}" for backend, variants in found.items())


def _reason(result: Result, *, brief: bool = False) -> str:
    parts = [part for part in (result.reason, result.remedy) if part]
    return " ".join(first_sentence(part) if brief else part for part in parts)


def _general(result: Result, *, brief: bool = False) -> str:
    return _reason(result, brief=brief).replace(f"{result.backend}:{result.variant}", "NAME")


def first_answers(results: Sequence[Result]) -> list[tuple[str, str]]:
    """Return (backend and variant, answer to the first prompt) of those that gave one."""
    return [(result.name, result.text[0]) for result in results if result.text]


def rate(value: float | None) -> str:
    """Return tokens per second."""
    return number(value, 3)


def model_remarks(report: Report) -> list[str]:
    """Return what a reader should know of the model, in sentences: notes, and the code of its own that was run."""
    found = [QUICK] if report.quick else []
    found += [f"The model: {note}." for note in report.model.notes]
    if report.model.code:
        listed = ", ".join(f"{name} {value[:12]}" for name, value in report.model.code.items())
        found.append(f"It ran Python code that the model brings: {listed}.")
    return found
