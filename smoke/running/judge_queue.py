"""Judging beside the next worker, in a thread of its own, so that a run lasts no longer than its workers."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from smoke.backends.selection import Planned
from smoke.parity import dumps, parity
from smoke.parity.distances import NotFiniteError
from smoke.parity.dumps import Dump, DumpError
from smoke.parity.gates import IsGolden
from smoke.parity.judge import Judged, judge
from smoke.parity.parity import Golden
from smoke.parity.verdicts import Judgement, Verdict
from smoke.report.results import Result
from smoke.running import goldens, records
from smoke.running.clock import Clock
from smoke.running.records import RunRecord
from wheelhouse.process import Completed
from wheelhouse.steps import Step

USABLE = (Verdict.PASS, Verdict.DIVERGED)
"""Verdicts on what others are compared with, after which they still are."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A worker that has ended: how, where its dump lies, its log's name in the report."""

    planned: Planned
    done: Completed
    timeout: float
    folder: Path
    log: str
    record: RunRecord
    stays: bool = False
    """Its dump is kept, or belongs to the cache."""
    golden: Step | None = None
    """Where the reference's dump is kept for other runs, once it has passed."""
    measured: str = ""
    """When it was made, unless in this run."""


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A result; `dump` and `golden` where others need them, and what it computed can be compared with."""

    result: Result
    dump: Dump | None = None
    golden: Golden | None = None


class Bench:
    """Judges attempts one after the other in a thread; `clock` notes when."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="judge")

    def submit(self, attempt: Attempt, base: Golden | None, *, keep: bool) -> Future[Finished]:
        """Judge an attempt soon. With `keep`, its logits stay, because others are compared with it."""
        return self._pool.submit(self._judge, attempt, base, keep=keep)

    def _judge(self, attempt: Attempt, base: Golden | None, *, keep: bool) -> Finished:
        with self.clock.part(f"judging {attempt.planned.backend.name} {attempt.planned.variant.name}"):
            return _finish(attempt, base, keep=keep)

    def close(self) -> None:
        """Wait for what is being judged and end the thread."""
        self._pool.shutdown(cancel_futures=True)


def _finish(attempt: Attempt, base: Golden | None, *, keep: bool) -> Finished:
    try:
        judged = judge(attempt.done, attempt.timeout, attempt.folder, attempt.record.expectation(), base)
        result = records.described(attempt.record, judged, log=attempt.log, measured=attempt.measured)
        finished = Finished(result=result, dump=judged.dump)
        verdict = judged.judgement.verdict
        passed = verdict is Verdict.PASS
        if attempt.golden is not None and passed and attempt.done.log is not None:
            goldens.keep(attempt.golden, attempt.folder, attempt.done.log)
        if not keep or judged.dump is None or verdict not in USABLE:
            return finished
        golden = judged.golden if base is None else golden_of(attempt.folder, judged, base.continuations)
        return Finished(result=finished.result, dump=judged.dump, golden=golden)
    finally:
        if not keep and not attempt.stays:
            for logits in attempt.folder.glob(dumps.LOGITS):
                logits.unlink(missing_ok=True)


def golden_of(folder: Path, judged: Judged, continuations: Sequence[Sequence[int]]) -> Golden | None:
    """Return what comparisons with a judged dump need, with what is wrong with it; None where it has no logits."""
    judgement = judged.judgement
    if judged.dump is None:
        return None
    try:
        found = parity.golden(judged.dump, folder, continuations)
    except (DumpError, NotFiniteError):  # a runtime without logits passes its gate, but is nothing to compare with
        return None
    flaw = "" if judgement.verdict is Verdict.PASS else judgement.reason.rstrip(".")
    return replace(found, flaw=flaw, quality=judgement.metrics.quality)


def no_base(against: Result, name: str, *, twin: bool) -> Judgement:
    """Return the verdict on a variant whose base, a twin perhaps, left nothing to compare with."""
    if twin and against.verdict is Verdict.DIVERGED:
        return Judgement(verdict=Verdict.DIVERGED, reason=f"Its weights are at fault: {against.reason}")
    return Judgement(
        verdict=Verdict.SKIPPED,
        reason=f"There is nothing to compare it with: {name} is {against.verdict}.",
        remedy=f"See what happened to {name}.",
    )


def not_run(planned: Planned, judgement: Judgement) -> Result:
    """Return the result of a variant that could not be run."""
    gate = planned.variant.gate
    return Result(
        backend=planned.backend.name,
        variant=planned.variant.name,
        gate=gate.name,
        against="" if isinstance(gate, IsGolden) else planned.variant.against,
        requested_device=planned.variant.device,
        device="",
        verdict=judgement.verdict,
        reason=judgement.reason,
        remedy=judgement.remedy,
        announced=planned.variant.announced,
        called=planned.backend.called,
    )
