"""What a search has found, in words."""

from __future__ import annotations

from collections.abc import Iterator

from smoke.narrowing.errands import Tools
from smoke.narrowing.explaining import Explained
from smoke.narrowing.search import Found, Judged, Seen

PASSES = ("prefill", "a decode step")


def in_short(tools: Tools, found: Found) -> str:
    """Return the finding in a sentence."""
    culprit = found.culprit
    if culprit is None:
        return f"{tools.right.label} parts from {tools.left.label}, and no operator is wrong by itself."
    return f"{tools.right.label} parts from {tools.left.label} at {culprit.unit.operator} {culprit.unit.name}."


def told(tools: Tools, found: Found) -> list[str]:
    """Return the finding, a line each."""
    lines = [f"{len(found.samples)} texts of up to {tools.room} tokens, all but the last at once, the last alone."]
    lines += [_logits(found)]
    culprit = found.culprit
    if culprit is None:
        lines += [] if found.parts else ["These texts show no difference; `--prompts FILE` takes the one that does."]
        return [*lines, *([] if not found.tried else [f"{len(found.tried)} operators were run alone: none is wrong."])]
    lines.append(_where(found, culprit))
    lines += [f"  it differs: {text}" for text in culprit.unit.differences]
    lines += [f"  a block of OpenVINO's: {culprit.unit.made_of}"] if ", " in culprit.unit.made_of else []
    return lines


def _where(found: Found, culprit: Judged) -> str:
    seen = culprit.seen
    place = f" at {list(seen.apart.row)}" if seen.apart.row else ""
    return (
        f"{culprit.unit.operator} {culprit.unit.name} ({found.plan.called(culprit.unit.stage)}) is wrong "
        f"on right inputs: "
        f"off by {_number(seen)} of the largest number of a row{place}, {PASSES[seen.step]} of text {seen.sample + 1}; "
        f"{seen.tolerance:.2g} is allowed."
    )


def _logits(found: Found) -> str:
    tapped, plain = found.logits, found.untapped
    if tapped is None:
        return "No logits were compared."
    if plain is None:
        return f"The logits are off by {_number(tapped)} of the largest of a row."
    if plain.is_wrong and not tapped.is_wrong:
        return (
            f"The logits are off by {_number(plain)} of the largest of a row, but only by {_number(tapped)} when "
            "values between layers are outputs: what is wrong comes of fusing operators or of how memory is shared."
        )
    return f"The logits are off by {_number(plain)} of the largest of a row ({_number(tapped)} with outputs between)."


def _number(seen: Seen) -> str:
    return f"{seen.apart.error:.3g}"


def explained(tools: Tools, culprit: Judged, told: Explained) -> list[str]:
    """Return what is special about the operator, a line each."""
    wrong, right = told.wrong, told.right
    inputs = ", ".join(
        f"{name.rsplit('/', 2)[-2] if '/' in name else name} {shape}" for name, shape in told.shapes.items()
    )
    part = "one row is enough" if wrong.row is not None else "with all rows"
    lines = [f"  in: {inputs}; {part}, of numbers up to {wrong.largest:.4g}"]
    lines += [f"  {text}" for text in told.weights]
    if right is None:
        lines.append("  wrong at every size of its input that was tried")
    elif right is wrong:
        lines.append("  given the same input once more it is right: what is wrong comes and goes")
    else:
        lines.append(f"  the same input times {right.factor / wrong.factor:.3g} (up to {right.largest:.4g}) is right")
    if told.on_left is not None:
        where = "right" if told.on_left <= culprit.seen.tolerance else f"off by {told.on_left:.3g}, too"
        lines.append(f"  the same operator on {tools.left.label}: {where}")
    lines += _neighbours(told)
    said = ", ".join(f"{'wrong' if wrong else 'right'} on {name}" for name, wrong in told.reproduced.items())
    return [*lines, f"  {told.folder / 'repro.py'} says: {said}"]


def _neighbours(told: Explained) -> Iterator[str]:
    for near in told.neighbours:
        seen = near.judged.seen
        verdict = "wrong, too" if seen.is_wrong else "right"
        yield f"  {near.judged.unit.name}, of numbers up to {near.largest:.4g}: {verdict} ({_number(seen)})"
