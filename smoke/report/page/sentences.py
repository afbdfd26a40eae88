"""What a run says in words: the sentence at the top, why something did not run, how to run it again, a bug report."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from smoke.parity import speeds
from smoke.parity.gates import IsGolden
from smoke.parity.verdicts import Verdict
from smoke.report import wording
from smoke.report.results import Report, Result
from wheelhouse.processes.quoting import own_shell, quote

MOST, LONGEST = 3, 160
"""Faults that are named at the top, and characters of what is said of each: all of it stands below."""
TWIN = "twin"
"""The backend that is the reference with rounded weights."""
DEVICES = {"NPU": "an NPU", "DirectML": "DirectML", "CUDA": "CUDA", "GPU": "a GPU", "WebGPU": "WebGPU"}
"""Devices that people ask about, and how they are called in a sentence."""


def listed(words: Sequence[str]) -> str:
    """Return "a, b and c"."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def named(results: Iterable[Result]) -> str:
    """Return results by backend, each with its variants: "ort-cpu (fp32, int4) and openvino (fp16)"."""
    variants: dict[str, list[str]] = {}
    for result in results:
        name = f"{result.machine} {result.called or result.backend}".strip()
        variants.setdefault(name, []).append(result.variant)
    return listed([f"{name} ({', '.join(dict.fromkeys(each))})" for name, each in variants.items()])


def is_reference(result: Result) -> bool:
    """Say whether a result is that of the reference."""
    return result.gate == IsGolden().name


def is_base(result: Result) -> bool:
    """Say whether a result is no way to run a model, but what others are compared with."""
    return is_reference(result) or result.backend == TWIN


def is_quantised(result: Result) -> bool:
    """Say whether a result's weights are rounded, so that its answers are others than the reference's."""
    return result.metrics.quality is not None or "int4" in result.gate


def summary(report: Report) -> list[str]:
    """Return what a customer wants to know, in sentences: who agrees, who drifts, who does not, what is missing."""
    ran = [result for result in report.results if result.verdict is not Verdict.SKIPPED and not is_base(result)]
    elsewhere = [r for r in ran if not r.is_fault and r.verdict is Verdict.FELL_BACK]
    exact = [r for r in ran if r.verdict is Verdict.PASS and not is_quantised(r)]
    drifting = [r for r in ran if r.verdict is Verdict.PASS and is_quantised(r)]
    wrong = [r for r in ran if r.is_fault]
    said = []
    if exact:
        here = "" if any(result.machine for result in exact) else "On this machine "
        said.append(f"{here}{named(exact)} {_verb(exact, 'gives', 'give')} the reference's answers.")
    if drifting:
        said.append(_drift(drifting))
    if wrong:
        shown = "; ".join(map(_fault, wrong[:MOST])) + (f"; and {len(wrong) - MOST} more" if len(wrong) > MOST else "")
        who = named(wrong) if len(wrong) <= MOST else f"{len(wrong)} others"
        said.append(f"{who} {_verb(wrong, 'does', 'do')} not: {shown}.")
    said += [f"{r.name} ran on {r.device}, as its name says, and is right there." for r in elsewhere]
    if not ran:
        said.append("Nothing but the reference ran." if report.results else "No model was run.")
    return said + _absent(report) + wording.model_remarks(report)


def _verb(results: Sequence[Result], one: str, many: str) -> str:
    return one if len(results) == 1 else many


def _fault(result: Result) -> str:
    reason = wording.first_sentence(result.reason)
    reason = reason if len(reason) <= LONGEST else f"{reason[:LONGEST]}…"
    return f"{result.backend} {result.variant} {result.verdict.value.lower().replace('_', ' ')}" + (
        f" ({reason.rstrip('.')})" if reason else ""
    )


def _drift(results: Sequence[Result]) -> str:
    text = f"{named(results)}, with rounded weights, {_verb(results, 'stays', 'stay')} within {_limits(results)}"
    shares = [share for result in results if (share := _equal_choices(result)) is not None]
    if shares:
        low, high = f"{min(shares):.0%}", f"{max(shares):.0%}"
        between = low if low == high else f"{low} to {high}"
        text += f": the next token is the reference's at {between} of the positions"
    return text + "."


def _equal_choices(result: Result) -> float | None:
    """Return at which share of the positions the reference's token is the best one, as far as that was measured."""
    if result.metrics.quality is not None:
        return result.metrics.quality.top1
    return result.metrics.logits.top1 if result.metrics.logits else None


def _limits(results: Sequence[Result]) -> str:
    return "its limits" if len(results) == 1 else "their limits"


def _absent(report: Report) -> list[str]:
    """Return why nothing ran on a device that was asked for."""
    by_reason: dict[str, list[str]] = {}
    for device, name in DEVICES.items():
        asked = [result for result in report.results if result.requested_device.split(".")[0] == device]
        if not asked or any(_ran_on(result, device) for result in asked):
            continue
        reason = min((wording.first_sentence(result.reason) for result in asked if result.reason), key=len, default="")
        by_reason.setdefault(reason, []).append(name)
    missing = [" or ".join(names) + (f" ({_inside(reason)})" if reason else "") for reason, names in by_reason.items()]
    return [f"Nothing ran on {' or on '.join(missing)}."] if missing else []


def _inside(sentence: str) -> str:
    """Return a sentence as it stands in brackets: without its own, and in lower case unless it begins with a name."""
    bare = re.sub(r" \([^()]*\)$", "", sentence.rstrip("."))
    word = bare.partition(" ")[0]
    return bare if word[1:] != word[1:].lower() else bare[:1].lower() + bare[1:]


def _ran_on(result: Result, device: str) -> bool:
    names = [name.strip().split(".")[0] for name in result.device.split(",")]
    return result.verdict is not Verdict.SKIPPED and device in names


def skipped(report: Report) -> list[tuple[str, str, list[Result]]]:
    """Return the results that did not run, by reason: reason, remedy, results."""
    groups: dict[str, list[Result]] = {}
    for result in report.results:
        if result.verdict is Verdict.SKIPPED:
            groups.setdefault(result.reason, []).append(result)
    return [(reason, results[0].remedy, results) for reason, results in groups.items()]


def command(report: Report, result: Result) -> str:
    """Return the command that runs one result again."""
    if result.machine:
        return ""  # a dump of another machine: it is made there
    options = report.options or ("--model", report.model.name, "--max-new-tokens", str(report.max_new_tokens))
    words = ("invoke", "smoke", "--backend", f"{result.backend}:{result.variant}", *options)
    shell = own_shell()  # of who made the report: it is looked at there first
    return " ".join(quote(word, shell) for word in words)


def title(report: Report) -> str:
    """Return the outcome in a few words."""
    ran = [r for r in report.results if r.verdict is not Verdict.SKIPPED and not is_base(r)]
    judged = [r for r in ran if r.is_fault or r.verdict is Verdict.PASS]
    wrong = [r for r in judged if r.is_fault]
    if not judged:
        return wording.headline(report)
    if len(judged) == 1:
        return f"The one way to run {report.model.name} that was tried {'fails' if wrong else 'passes'}"
    if not wrong:
        return f"All {len(judged)} ways to run {report.model.name} pass"
    return f"{len(wrong)} of {len(judged)} ways to run {report.model.name} {_verb(wrong, 'fails', 'fail')}"


def facts(report: Report) -> list[tuple[str, str]]:
    """Return what was run where, by name."""
    host = report.host
    asked = f"{len(report.prompts)}, answers of up to {report.max_new_tokens} tokens" if report.prompts else ""
    repeated = f"{report.repeat} times" if report.repeat > 1 else "once"
    found = [
        ("Processor", f"{host.cpu}, {host.cores} cores"),
        ("Memory", wording.memory(host.memory_bytes)),
        ("System", f"{host.system}, {host.machine}"),
        ("Prompts", asked),
        ("Speed measured", repeated if report.prompts else ""),
        ("Run", f"{report.created[:16].replace('T', ' ')} UTC, {report.seconds:.0f} s"),
    ]
    return [(name, value) for name, value in found if value]


def noise(report: Report) -> str:
    """Return how far this machine's speed can be trusted."""
    share = report.host.noise
    if share is None:
        return "How much this machine's speed varies was not measured."
    trust = (
        "so smaller differences of speed mean nothing"
        if share < _BUSY
        else "so it was busy with something else, and its speeds are no measure of the backends"
    )
    return f"While this ran, the same piece of work varied by {share:.0%} in time on this machine, {trust}."


_BUSY = 0.5


def spread(samples: Sequence[float], shown: Callable[[float], str]) -> str:
    """Return the interval of samples as it stands beside their median; "" where there is none."""
    found = speeds.interval(samples)
    return "" if found is None else f"{shown(found[0])} to {shown(found[1])}"


def equal(result: Result) -> str:
    """Return how many of all golden tokens are equal from the start, prompt by prompt."""
    golden = sum(result.metrics.golden_tokens)
    return f"{sum(result.metrics.prefix)} of {golden}" if golden else ""


def equal_share(result: Result) -> float | None:
    """Return the share of the golden tokens that are equal from the start."""
    golden = sum(result.metrics.golden_tokens)
    return sum(result.metrics.prefix) / golden if golden else None
