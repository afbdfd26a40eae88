"""The answers side by side: who said the same, and where the others part from what they are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from smoke.parity.gates import Check
from smoke.parity.parity import Difference
from smoke.report import wording
from smoke.report.page import sentences
from smoke.report.results import Report, Result

LIMIT_AT = 80.0
"""Percent of a gate's bar at which the limit of an upper bound stands; the bar goes down by powers of ten."""
_DECADES = 4.0


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer and who gave it: what is like the other's, the first word that differs, the rest; why."""

    names: list[str]
    same: str
    other: str = ""
    rest: str = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """A prompt and all answers to it, the reference's first."""

    text: str
    answers: list[Answer]


def of(report: Report) -> list[Prompt]:
    """Return the prompts of a report with their answers."""
    answered = [result for result in report.results if result.text]
    answered.sort(key=lambda result: not sentences.is_reference(result))
    return [
        Prompt(text=text, answers=_answers(number, answered))
        for number, text in enumerate(report.prompts)
        if any(number < len(result.text) for result in answered)
    ]


def _answers(number: int, answered: Sequence[Result]) -> list[Answer]:
    given = {result.name: result.text[number] for result in answered if number < len(result.text)}
    by_id = {f"{r.machine} {r.backend}:{r.variant}".strip(): r.name for r in answered}
    found: dict[tuple[str, str, str, str], list[str]] = {}
    for result in answered:
        if result.name not in given:
            continue
        other = given.get(by_id.get(result.against, ""), given[result.name])
        same, differs, rest = split(given[result.name], other)
        note = _note(result, number + 1, begins=not differs) if given[result.name] != other else ""
        found.setdefault((same, differs, rest, note), []).append(result.name)
    return [Answer(names=names, same=s, other=o, rest=r, note=n) for (s, o, r, n), names in found.items()]


def split(ours: str, theirs: str) -> tuple[str, str, str]:
    """Return our text as what both begin with, the first word that differs, and the rest."""
    at = next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), min(len(ours), len(theirs)))
    if at == len(ours):
        return ours, "", ""
    end = at + 1
    while end < len(ours) and not ours[end].isspace():
        end += 1
    return ours[:at], ours[at:end], ours[end:]


def _note(result: Result, prompt: int, *, begins: bool) -> str:
    """Say why an answer is unlike the other; `begins`: it is how the other begins."""
    found = next((each for each in result.metrics.differences if each.prompt == prompt), None)
    if found is None:
        equal = "the same as far as it was asked" if begins else "the same tokens, written differently"
        return equal if result.metrics.prefix else ""
    return f"{_parts(found)}, compared with {result.against}"


def _parts(found: Difference) -> str:
    got, expected = (repr(text) if text else "the end" for text in (found.got_text, found.expected_text))
    text = f"parts at token {found.position}: {got} instead of {expected}"
    if found.margin is None:
        return text
    second = "its runner-up" if found.to_runner_up else "not even its runner-up"
    return f"{text}, which is {second}; the golden choice led by {wording.number(found.margin, 2)} spreads"


def bar(check: Check) -> tuple[float, float]:
    """Return how far a measure's bar reaches and where its limit stands, both in percent of the bar's room."""
    import math

    if check.at_least:
        return 100 * min(max(check.value or 0.0, 0.0), 1.0), 100 * min(max(check.limit, 0.0), 1.0)
    if check.value is None:
        return 100.0, LIMIT_AT
    if check.value <= 0 or check.limit <= 0:
        return (0.0 if check.value <= check.limit else 100.0), LIMIT_AT
    decades = math.log10(check.value / check.limit)
    return min(max(LIMIT_AT * (1 + decades / _DECADES), 1.0), 100.0), LIMIT_AT
