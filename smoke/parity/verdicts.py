"""What can be said about a backend after its run. A verdict never flatters: PASS is what no check objected to."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from smoke.parity.parity import Metrics
from wheelhouse.errors import NetworkError, ToolchainError, UnsupportedError, WheelhouseError
from wheelhouse.known_failures import recognise, recognise_in
from wheelhouse.process import FREE_MEMORY, OUT_OF_MEMORY, Completed
from wheelhouse.processes import exits


class Verdict(enum.StrEnum):
    """The outcomes, as they appear in every report."""

    PASS = "PASS"  # noqa: S105 - not a password
    """Ran on the device it was asked for and agrees with what it is compared with."""
    DIVERGED = "DIVERGED"
    """Ran, and computed something else: other tokens, other logits, NaN, or another model altogether."""
    FELL_BACK = "FELL_BACK"
    """Ran, but not on the device it was asked for, or the device could not be read back."""
    CRASHED = "CRASHED"
    """Ended with an error or a signal, or left no usable dump."""
    TIMED_OUT = "TIMED_OUT"
    """Did not end within its time and was killed."""
    SKIPPED = "SKIPPED"
    """Was not run, or could not be judged; the reason and the remedy say why and what would change it."""

    @property
    def is_fault(self) -> bool:
        """Whether something that ran went wrong, so that the whole run fails."""
        return self not in {Verdict.PASS, Verdict.SKIPPED}


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """A verdict with its reason (one or two sentences for people), the remedy, and what was measured."""

    verdict: Verdict
    reason: str = ""
    remedy: str = ""
    metrics: Metrics = field(default_factory=Metrics)


def of_process(done: Completed, limit: float) -> Judgement | None:
    """Return the verdict on a process that did not end well; None when it did. `limit` is its time in seconds."""
    last = "\n".join(line for line in done.tail[-6:] if not line.startswith("@progress"))
    said = f" Its last words:\n{last}" if last.strip() else ""
    if done.idle_seconds:
        nothing = f"it did nothing for {done.idle_seconds:.0f} s when its model was to be loaded"
        known = recognise([nothing])
        return Judgement(
            verdict=Verdict.TIMED_OUT,
            reason=f"The worker hung: {nothing}, and was ended.{f' {known.cause}' if known else ''}{said}",
            remedy=f"More time would not help. {known.advice if known else ''}".rstrip(),
        )
    if done.timed_out:
        return Judgement(
            verdict=Verdict.TIMED_OUT,
            reason=f"The worker did not end within {limit:.0f} s and was killed.{said}",
            remedy="Give it more time with --timeout SECONDS if the machine is slow; otherwise it hangs.",
        )
    if done.out_of_memory:
        return Judgement(verdict=Verdict.CRASHED, reason=f"The worker {OUT_OF_MEMORY}.{said}", remedy=FREE_MEMORY)
    if done.returncode != 0:
        return crashed(f"The worker {exits.describe_exit(done.returncode)}.{said}", done)
    return None


def crashed(reason: str, done: Completed | None = None) -> Judgement:
    """Return the verdict on a crash; when the reason, or what the process said, is a known one, say what helps."""
    tail, log = (done.tail, done.log) if done is not None else ((), None)
    known = recognise_in(log, [*reason.splitlines(), *tail])
    if known is None:
        return Judgement(verdict=Verdict.CRASHED, reason=reason)
    return Judgement(verdict=Verdict.CRASHED, reason=f"{reason}\n{known.cause}", remedy=known.advice)


def not_made(error: WheelhouseError, what: str) -> Judgement:
    """Return the verdict on a variant whose environment or model could not be made.

    What this machine lacks is a reason to skip; anything else is a fault that must not look like success.
    """
    lacking = isinstance(error, NetworkError | ToolchainError | UnsupportedError)
    return Judgement(
        verdict=Verdict.SKIPPED if lacking else Verdict.CRASHED,
        reason=f"{what} could not be made: {error.message}",
        remedy=error.remedy,
    )
