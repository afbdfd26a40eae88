"""From what a worker left behind to a verdict, in an order in which a graver fault is never hidden by a lesser one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from smoke.parity import accounted, dumps, gates, matrices, parity, saying, textual
from smoke.parity.distances import ForeignModelError, NotFiniteError
from smoke.parity.dumps import Dump, DumpError
from smoke.parity.gates import Gate, IsGolden
from smoke.parity.parity import Golden, Metrics
from smoke.parity.verdicts import Judgement, Verdict, crashed, of_process
from wheelhouse.process import Completed

IN_ADDITION = "What it computed there is wrong, too:"


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """What a worker was asked to do: on which device, with which model, judged by which gate.

    `export` is the kind of the export that it was given ("": the Hugging Face folder itself, which carries no record).
    `libraries`: parts of file names of which the worker must have loaded at least one each. `announced`: that it runs
    on another device is known, so what is left to find out is whether it computes the right thing. `scored_only`: it
    was not asked for answers of its own. `ends`: the tokens that end an answer; `limit`: the most tokens of one.
    """

    gate: Gate
    device: str
    model_key: str
    export: str = ""
    libraries: tuple[str, ...] = ()
    tokens_only: bool = False
    scored_only: bool = False
    announced: bool = False
    prompts: int = 0
    home: str = ""
    ends: tuple[int, ...] = ()
    limit: int = 0


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A verdict, and the dump it is about; `golden`: what comparisons with a reference need of it."""

    judgement: Judgement
    dump: Dump | None = None
    golden: Golden | None = None


def judge(done: Completed, limit: float, folder: Path, expected: Expectation, base: Golden | None) -> Judged:
    """Judge a worker that ended as `done` within `limit` seconds and wrote to `folder`, against `base`.

    `base` is None for the reference only. Never raises for anything that a worker did.
    """
    try:
        dump = dumps.read(folder, prompts=expected.prompts, answers=not expected.scored_only)
    except DumpError as error:
        bad_end = of_process(done, limit)
        return Judged(judgement=bad_end or crashed(f"The worker ended well, but {error}."))
    if dump.status == "failed" and not (done.timed_out or done.idle_seconds):
        return Judged(judgement=crashed(dump.reason or "The worker failed without a reason.", done), dump=dump)
    bad_end = of_process(done, limit)
    if bad_end is not None:
        return Judged(judgement=bad_end, dump=dump)
    if dump.status == "unavailable":
        return Judged(judgement=Judgement(verdict=Verdict.SKIPPED, reason=dump.reason, remedy=dump.remedy), dump=dump)
    return _believed(dump, folder, expected, base)


def _believed(dump: Dump, folder: Path, expected: Expectation, base: Golden | None) -> Judged:
    if base is not None:
        return Judged(judgement=_compared(dump, folder, expected, base), dump=dump)
    try:
        itself = parity.golden(dump, folder, [prompt.tokens for prompt in dump.prompts])
        metrics = _alone(itself)
    except NotFiniteError as error:
        return Judged(judgement=_diverged(f"It computes nonsense: {error}."), dump=dump)
    except DumpError as error:
        return Judged(judgement=crashed(f"The worker ended well, but {error}."), dump=dump)
    wrong = wrong_device(dump, expected) or _not_greedy(dump, itself)
    reason = f"The reference that everything is compared with. {saying.sentence(dump.notes)}".rstrip()
    return Judged(
        judgement=wrong or Judgement(verdict=Verdict.PASS, reason=reason, metrics=metrics),
        dump=dump,
        golden=None if wrong is not None and wrong.verdict is Verdict.DIVERGED else itself,
    )


def _not_greedy(dump: Dump, itself: Golden) -> Judgement | None:
    found = accounted.not_greedy(dump, tie=gates.FP32.tie, spread=itself.spread)
    return _diverged(f"The reference itself is not greedy: {'; '.join(found)}.") if found else None


def _compared(dump: Dump, folder: Path, expected: Expectation, base: Golden) -> Judgement:
    wrong = wrong_model(dump, expected) or stray_library(dump, expected) or wrong_device(dump, expected)
    try:
        metrics = parity.compare(dump, folder, base)
    except NotFiniteError as error:
        return _diverged(saying.sentence([*matrices.violations(dump.weights), f"it computes nonsense: {error}"]))
    except ForeignModelError as error:
        return _diverged(f"It ran another model: {error}.")
    except DumpError as error:
        return crashed(f"The worker ended well, but {error}.")
    quality = gates.quality(metrics) if expected.scored_only else base.quality
    metrics = msgspec.structs.replace(metrics, quality=quality)
    problems = [
        *_tokenization(dump, base),
        *gates.violations(expected.gate, metrics),
        *_answer_problems(dump, expected, base),
        *_context_problems(dump),
        *textual.violations(dump.texts),
        *matrices.violations(dump.weights),
        *([f"its weights are at fault: {base.flaw}"] if base.flaw and base.dump.weights else []),
    ]
    if metrics.logits is None and not expected.tokens_only:
        problems.append("it shows no logits, although this runtime can")
    announced = expected.announced and wrong is not None and wrong.verdict is Verdict.FELL_BACK
    if wrong is not None and not announced:
        also = f" {IN_ADDITION} {saying.sentence([*problems, *accounted.loops(dump)])}" if problems else ""
        return Judgement(verdict=wrong.verdict, reason=wrong.reason + also, remedy=wrong.remedy, metrics=metrics)
    if problems:
        return _diverged(saying.sentence([*problems, *accounted.loops(dump)]), metrics)
    if wrong is not None:
        passed = f"{wrong.reason} That is what this variant is for; its numbers pass the gate."
        return Judgement(verdict=Verdict.FELL_BACK, reason=passed, metrics=metrics)
    return Judgement(verdict=Verdict.PASS, reason=saying.remarks(dump, expected.gate, metrics, base), metrics=metrics)


def _answer_problems(dump: Dump, expected: Expectation, base: Golden) -> list[str]:
    if expected.scored_only or isinstance(expected.gate, IsGolden):
        return []
    tie, ends, limit = expected.gate.tie, expected.ends, expected.limit
    return accounted.violations(dump, tie=tie, spread=base.spread, ends=ends, limit=limit)


def _context_problems(dump: Dump) -> list[str]:
    context = dump.context
    return [f"it fails in a context of {context.tokens} tokens: {context.error}"] if context.error else []


def wrong_model(dump: Dump, expected: Expectation) -> Judgement | None:
    """Return DIVERGED when the folder that the worker loaded says it is of another model or of another kind."""
    if not expected.export:
        return None
    key, kind = dump.origin.get("model_key", ""), dump.origin.get("kind", "")
    if key == expected.model_key and kind == expected.export:
        return None
    said = f"model {key[:12]}, export '{kind}'" if key else "nothing about its origin"
    return Judgement(
        verdict=Verdict.DIVERGED,
        reason=f"It ran another model: its folder says {said}, not model {expected.model_key[:12]}, "
        f"export '{expected.export}'.",
        remedy="Remove the export's folder in the cache; the next run makes it again.",
    )


def stray_library(dump: Dump, expected: Expectation) -> Judgement | None:
    """Return DIVERGED when a library that counts was not loaded from the environment: System32 has old ones, too."""
    if not expected.home:
        return None
    home = expected.home.replace("\\", "/").rstrip("/").lower() + "/"
    for library in dump.loaded:
        path = library.path.replace("\\", "/").lower()
        name = path.rsplit("/", 1)[-1]
        if any(part in name for part in ("onnxruntime", *expected.libraries)) and not path.startswith(home):
            return Judgement(
                verdict=Verdict.DIVERGED,
                reason=f"It ran another library than the wheels': {library.path} (SHA-256 {library.sha256[:12]}), "
                f"not one below {expected.home}.",
                remedy="Remove that file, or keep its folder out of where this process looks for DLLs.",
            )
    return None


def wrong_device(dump: Dump, expected: Expectation) -> Judgement | None:
    """Return FELL_BACK unless everything that the runtime reports is the device asked for ("GPU" means any GPU.n)."""
    names = [name.strip() for name in dump.device.name.split(",") if name.strip()]
    reported = f"the runtime reports {dump.device.name} ({dump.device.evidence})"
    if not names:
        return _fell_back(f"It was asked for {expected.device}, but the runtime does not tell where it ran.")
    if any(expected.device not in {name, name.split(".", maxsplit=1)[0]} for name in names):
        return _fell_back(f"It was asked for {expected.device}, but {reported}.")
    loaded = [library.path.replace("\\", "/").rsplit("/", 1)[-1].lower() for library in dump.loaded]
    for needed in expected.libraries:
        if not any(needed in name for name in loaded):
            return _fell_back(f"It was asked for {expected.device}, but it never loaded a library named {needed}*.")
    return None


def _alone(itself: Golden) -> Metrics:
    lengths = tuple(len(prompt.tokens) for prompt in itself.dump.prompts)
    own, _, _ = parity.perplexity(itself.dump, itself)
    unit = itself.spread or 1.0
    margins = tuple(tuple(float(f"{margin / unit:.3g}") for margin in prompt) for prompt in itself.margins)
    return Metrics(prefix=lengths, golden_tokens=lengths, spread=itself.spread, margins=margins, perplexity=own)


def _tokenization(dump: Dump, base: Golden) -> list[str]:
    pairs = [
        (f"prompt {number}", ours.ids, theirs.ids)
        for number, (ours, theirs) in enumerate(zip(dump.prompts, base.dump.prompts, strict=True), 1)
    ]
    pairs.append(("the fixed text", dump.text_ids, base.dump.text_ids))
    return [_first_id(name, ours, theirs) for name, ours, theirs in pairs if ours != theirs]


def _first_id(name: str, ours: Sequence[int], theirs: Sequence[int]) -> str:
    position = next(
        (i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), min(len(ours), len(theirs))
    )
    lengths = f"{len(ours)} instead of {len(theirs)}"
    return f"its tokenizer makes other ids of {name}: {lengths}, different from number {position}"


def _diverged(reason: str, metrics: Metrics | None = None) -> Judgement:
    return Judgement(verdict=Verdict.DIVERGED, reason=reason, metrics=metrics or Metrics())


def _fell_back(reason: str) -> Judgement:
    return Judgement(
        verdict=Verdict.FELL_BACK,
        reason=reason,
        remedy="Install or update the device's driver; `invoke doctor` lists the devices of this machine.",
    )
