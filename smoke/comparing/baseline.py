"""What changed since an earlier report: verdicts, the numbers of gates, speed. Noise is no change.

Two runs are never equally fast. A backend counts as slower where both its median and its best time are, by more than
TOLERANCE and by more than the machine itself was slower at a fixed piece of work; `smoke` measures such a one again
before it says so.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from smoke.parity.verdicts import Verdict
from smoke.report import wording
from smoke.report.results import Change, Report, Result
from smoke.running.records import numbers_of
from wheelhouse.errors import InputError

TOLERANCE = 0.15
"""Share of the time that a repetition may take longer than before; runs on a quiet machine are within a third of it."""
BUSY = 0.5
"""From this noise on (Host.noise) the machine did something else, too: then only what takes twice as long is named."""
DRIFT = 0.2
"""Share by which a gate's number may grow; and, beside that, FLOOR of its limit: far below it, numbers are rounding."""
FLOOR = 0.0005
AGREEMENT = 0.01
"""By how much a share of equal choices may fall."""
MEMORY = 0.2
REMEDY = "--baseline takes a report.json of `invoke smoke`, or the folder that it lies in."


def read(path: Path) -> Report:
    """Read a report, of this version or an older one. Raise InputError."""
    file = path / "report.json" if path.is_dir() else path
    try:
        return msgspec.json.decode(file.read_bytes(), type=Report)
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror}).", remedy=REMEDY) from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{file} is no report that this version can read ({error}).", remedy=REMEDY) from error


def require_alike(before: Report, *, prompts: Sequence[str], max_new_tokens: int, model: str = "") -> None:
    """Raise InputError where a report is about other prompts, answers of another length or another model."""
    unlike = [
        *(["another model"] if model and model != before.model.name else []),
        *(["other prompts"] if tuple(prompts) != before.prompts else []),
        *(["answers of another length"] if max_new_tokens != before.max_new_tokens else []),
    ]
    if unlike:
        raise InputError(
            f"The report of {before.created} is about {' and '.join(unlike)}, so there is nothing to compare.",
            remedy="Run the same `invoke smoke` as then, or make a new baseline.",
        )


def changes(now: Report, before: Report) -> tuple[Change, ...]:
    """Return what got worse, what got better and what else is to be known, in this order."""
    old = {result.name: result for result in before.results}
    found: list[Change] = []
    if now.model.key != before.model.key:
        found.append(
            Change(kind="note", name=now.model.name, about="model", text="the model's files are others than then")
        )
    room = _room(now, before)
    same_machine = (now.host.cpu, now.host.cores) == (before.host.cpu, before.host.cores)
    if not same_machine:
        text = f"speeds are not compared: that was {before.host.cpu} with {before.host.cores} cores"
        found.append(Change(kind="note", name=now.host.cpu, about="speed", text=text))
    for result in now.results:
        if result.name not in old:
            found += [Change(kind="note", name=result.name, about="verdict", text=f"is new: {_said(result)}")]
            continue
        found += _verdict(result, old[result.name])
        if _judged(result) and _judged(old[result.name]):
            found += _drift(result, old[result.name])
            found += _speed(result, old[result.name], room) if same_machine else []
    if same_machine and room.busy:
        most = f"only what takes {room.times:.2g} times as long is named"
        text = f"it was busy, its own speed varied by {room.noise:.0%}: {most}"
        found.append(Change(kind="note", name=now.host.cpu, about="speed", text=text))
    found += _gone(sorted(old.keys() - {result.name for result in now.results}))
    return tuple(sorted(found, key=lambda change: ("worse", "better", "note").index(change.kind)))


def _gone(names: list[str]) -> list[Change]:
    """Name what this run was not asked for in one line: a run of one backend held to a run of all leaves out many."""
    if not names:
        return []
    text = "was not asked for" if len(names) == 1 else "were not asked for"
    return [Change(kind="note", name=", ".join(names), about="verdict", text=text)]


def _judged(result: Result) -> bool:
    return result.verdict is not Verdict.SKIPPED and bool(result.text)


def _said(result: Result) -> str:
    return wording.verdict(result.verdict)


def _rank(result: Result) -> int:
    return 2 if result.is_fault else 1 if result.verdict is Verdict.SKIPPED else 0


def _verdict(now: Result, before: Result) -> list[Change]:
    text = f"was {_said(before)}, is {_said(now)}"
    if _rank(now) > _rank(before):
        reason = now.reason.split("\n", 1)[0]
        return [Change(kind="worse", name=now.name, about="verdict", text=f"{text}: {reason}" if reason else text)]
    if _rank(now) < _rank(before):
        return [Change(kind="better", name=now.name, about="verdict", text=text)]
    return [Change(kind="note", name=now.name, about="verdict", text=text)] if now.verdict is not before.verdict else []


def _drift(now: Result, before: Result) -> list[Change]:
    found = []
    then = {check.name: check for check in numbers_of(before)}
    for check in numbers_of(now):
        old = then.get(check.name)
        if old is None or old.value is None or check.value is None or old.limit != check.limit:
            continue
        # An agreement's distance from 1 is a drift like the others.
        loss, was = (1 - check.value, 1 - old.value) if check.at_least else (check.value, old.value)
        room = AGREEMENT if check.at_least else FLOOR * check.limit
        text = f"{check.name} was {wording.number(old.value, 3)}, is {wording.number(check.value, 3)}"
        if loss > was * (1 + DRIFT) + room:
            found.append(Change(kind="worse", name=now.name, about="drift", text=text))
        elif was > loss * (1 + DRIFT) + room:
            found.append(Change(kind="better", name=now.name, about="drift", text=text))
    if not found and now.text != before.text:
        found.append(Change(kind="note", name=now.name, about="drift", text="its answers are others than then"))
    return found


@dataclass(frozen=True)
class _Room:
    """How much longer something may take: the machine's noise, and by which factor it was itself slower than then."""

    noise: float
    pace: float

    @property
    def busy(self) -> bool:
        return self.noise > BUSY

    @property
    def times(self) -> float:
        """How many times as long is named on a busy machine: half way, in factors, to its own worst."""
        return max(2.0, math.sqrt(1 + self.noise))

    @property
    def slower(self) -> float:
        return (self.times if self.busy else 1 + TOLERANCE) * self.pace

    @property
    def faster(self) -> float:
        return 0.5 if self.busy else 1 / (1 + TOLERANCE)


def _room(now: Report, before: Report) -> _Room:
    work = (now.host.work_s, before.host.work_s)
    pace = 1.0 if work[0] is None or work[1] is None else max(1.0, work[0] / work[1])
    return _Room(noise=max(now.host.noise or 0.0, before.host.noise or 0.0), pace=pace)


def _speed(now: Result, before: Result, room: _Room) -> list[Change]:
    if now.measured or before.measured:
        return []  # the reference's speed is that of the run that made it
    found = []
    for what, samples, old in (
        ("first token", _times(now, first=True), _times(before, first=True)),
        ("time per token", _times(now, first=False), _times(before, first=False)),
    ):
        if not samples or not old or min(*samples, *old) <= 0:
            continue
        ratios = statistics.median(samples) / statistics.median(old), min(samples) / min(old)
        text = (
            f"{what} was {wording.seconds(statistics.median(old))}, is {wording.seconds(statistics.median(samples))} "
            f"({statistics.median(samples) / statistics.median(old) - 1:+.0%})"
        )
        if min(ratios) > room.slower:
            found.append(Change(kind="worse", name=now.name, about="speed", text=text))
        elif max(ratios) < room.faster:
            found.append(Change(kind="better", name=now.name, about="speed", text=text))
    return [*found, *_memory(now, before)]


def _times(result: Result, *, first: bool) -> tuple[float, ...]:
    speed = result.performance
    if first:
        one = (speed.first_token_s,) if speed.first_token_s is not None else ()
        return speed.first_token_samples or one
    rates = speed.tokens_per_s_samples or ((speed.tokens_per_s,) if speed.tokens_per_s else ())
    return tuple(1 / rate for rate in rates if rate > 0)


def _memory(now: Result, before: Result) -> list[Change]:
    new, old = now.performance.peak_memory_bytes, before.performance.peak_memory_bytes
    if not new or not old or abs(new - old) <= MEMORY * old:
        return []
    text = f"memory was {wording.memory(old)}, is {wording.memory(new)}"
    return [Change(kind="note", name=now.name, about="memory", text=text)]


def slower(found: Sequence[Change]) -> set[str]:
    """Return the names of the results that got slower."""
    return {change.name for change in found if change.kind == "worse" and change.about == "speed"}


def pooled(first: Result, again: Result) -> Result:
    """Return a result with the samples of its speed from two measurements."""
    one, two = first.performance, again.performance
    firsts = (*_times(first, first=True), *_times(again, first=True))
    rates = tuple(1 / time for time in (*_times(first, first=False), *_times(again, first=False)))
    speed = msgspec.structs.replace(
        one if (one.tokens_per_s or 0) >= (two.tokens_per_s or 0) else two,
        first_token_samples=firsts,
        first_token_s=statistics.median(firsts) if firsts else None,
        tokens_per_s_samples=rates,
        tokens_per_s=statistics.median(rates) if rates else None,
    )
    return msgspec.structs.replace(first, performance=speed)
