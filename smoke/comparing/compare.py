"""Judging dumps of several machines, drivers or versions with the gates of a run: same verdicts, same report."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from smoke.comparing import known_shapes, shards
from smoke.comparing.kept import Kept, find
from smoke.parity import gates, parity
from smoke.parity.distances import NotFiniteError
from smoke.parity.dumps import DumpError
from smoke.parity.gates import IsGolden
from smoke.parity.judge import Expectation, Judged, judge
from smoke.parity.parity import Golden
from smoke.parity.verdicts import Judgement, Verdict
from smoke.report.results import Report, Result, Section, Timing
from smoke.running import records
from smoke.running.judge_queue import USABLE
from wheelhouse import scratch
from wheelhouse.errors import UsageError


def compare(given: Sequence[Path]) -> Report:
    """Judge all dumps in the given folders and archives: each as in a run, and each against the first of its name.

    Raise UsageError for fewer than one and InputError for what cannot be compared.
    """
    if not given:
        raise UsageError("Which dumps are to be compared?", remedy="For instance: invoke compare here/ there.zip")
    started = time.monotonic()
    with scratch.folder() as work:
        foreign = [path for path in given if known_shapes.is_one(path)]
        dumps = shards.spread(path for path in given if path not in foreign)
        if not dumps:
            raise UsageError("There is no dump among these files.", remedy=known_shapes.REMEDY)
        groups = find(dumps, work)
        sheets = shards.read([path if path.is_dir() else work / str(n) for n, path in enumerate(dumps)])
        others = known_shapes.section(foreign, _answers(groups))
        table = Table(groups=groups)
        judged = [result for group in groups for kept in group for result in table.results(kept)]
        results = shards.joined(judged, sheets, [group[0].machine for group in groups])
    first = groups[0][0].record
    seconds = time.monotonic() - started
    return Report(
        schema=3,
        created=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        model=first.model,
        host=first.host,
        prompts=first.messages,
        max_new_tokens=first.max_new_tokens,
        passed=not any(result.is_fault for result in results),
        results=tuple(results),
        timings=(Timing(part="comparing", seconds=seconds, start_s=0.0),),
        seconds=seconds,
        sections=(_machines(groups), *((others,) if others else ())),
    )


@dataclass(kw_only=True)
class Table:
    """All dumps of a comparison, and what has been read of those that others are compared with."""

    groups: Sequence[Sequence[Kept]]
    _goldens: dict[Path, Golden | None] = field(default_factory=dict)
    _judged: dict[Path, Result] = field(default_factory=dict)

    def results(self, kept: Kept) -> list[Result]:
        """Return the verdict on a dump as in a run, and the one against the first machine's dump of the same name."""
        found = [self._as_in_a_run(kept)]
        twin = self._first(kept.record.name)
        if twin is not None and twin.machine != kept.machine:
            other = self._against_twin(kept, twin)
            found += [other] if other is not None else []
        return found

    def _first(self, name: str, machine: str = "") -> Kept | None:
        """Return the dump of that name: of the machine, else of the first that has one."""
        everything = [kept for group in self.groups for kept in group if kept.record.name == name]
        return next((kept for kept in everything if kept.machine == machine), next(iter(everything), None))

    def _as_in_a_run(self, kept: Kept) -> Result:
        if kept.folder not in self._judged:
            self._judged[kept.folder] = self._judge_as_in_a_run(kept)
        return self._judged[kept.folder]

    def _judge_as_in_a_run(self, kept: Kept) -> Result:
        record, expected = kept.record, kept.record.expectation()
        if isinstance(expected.gate, IsGolden):
            return records.described(record, self._judge(kept, expected, None), machine=kept.machine)
        base = self._first(record.against, kept.machine)
        golden = self._base(base) if base is not None else None
        if base is None or golden is None:
            judged = Judged(judgement=_nothing_to_compare_with(record.against), dump=kept.dump)
        else:
            judged = self._judge(kept, expected, golden)
        found = records.described(record, judged, machine=kept.machine)
        elsewhere = base is not None and base.machine != kept.machine
        return (
            msgspec.structs.replace(found, against=f"{base.machine} {record.against}") if base and elsewhere else found
        )

    def _base(self, kept: Kept) -> Golden | None:
        """Return what a dump's comparisons need, with what is wrong with it itself; None where nothing can be done."""
        result = self._as_in_a_run(kept)
        golden = self.golden(kept) if result.verdict in USABLE else None
        if golden is None or (result.verdict is not Verdict.PASS and not kept.record.against):
            return None
        flaw = "" if result.verdict is Verdict.PASS else result.reason.rstrip(".")
        return replace(golden, flaw=flaw, quality=result.metrics.quality)

    def _against_twin(self, kept: Kept, twin: Kept) -> Result | None:
        """Judge a dump against the same variant elsewhere: one graph, so the same weights, whatever their precision."""
        golden = self.golden(twin)
        if golden is None:
            return None
        same = gates.FP32 if kept.record.gate in {gates.GOLDEN.name, gates.FP32.name} else gates.FP16
        expected = replace(kept.record.expectation(), gate=same)
        found = records.described(kept.record, self._judge(kept, expected, golden), machine=kept.machine)
        return msgspec.structs.replace(found, gate=same.name, against=f"{twin.machine} {twin.record.name}")

    def _judge(self, kept: Kept, expected: Expectation, base: Golden | None) -> Judged:
        done = kept.record.completed()
        return judge(done, done.seconds, kept.folder, expected, base)

    def golden(self, kept: Kept) -> Golden | None:
        """Return what comparisons with a dump need of it; None where it has no logits that can be used."""
        if kept.folder not in self._goldens:
            self._goldens[kept.folder] = _golden(kept)
        return self._goldens[kept.folder]


def _golden(kept: Kept) -> Golden | None:
    if kept.dump is None or kept.dump.status != "ok":
        return None
    own = tuple(prompt.tokens for prompt in kept.dump.prompts)
    try:
        return parity.golden(kept.dump, kept.folder, kept.record.continuations or own)
    except (DumpError, NotFiniteError, ValueError):  # ValueError: as many answers as prompts, or it is not its own
        return None


def _nothing_to_compare_with(name: str) -> Judgement:
    return Judgement(
        verdict=Verdict.SKIPPED,
        reason=f"There is nothing to compare it with: no dump of {name} that passed is among those given.",
        remedy=f"Give a folder that holds {name}, too: `invoke smoke --dump DIR`, `invoke reference --dump DIR`.",
    )


def _answers(groups: Sequence[Sequence[Kept]]) -> dict[str, str]:
    """Return the reference's answers by prompt, where its dump is among those given."""
    for kept in (kept for group in groups for kept in group):
        if isinstance(kept.record.expectation().gate, IsGolden) and kept.dump is not None:
            answers = (prompt.answer for prompt in kept.dump.prompts)
            return dict(zip(kept.record.messages, answers, strict=False))
    return {}


def _machines(groups: Sequence[Sequence[Kept]]) -> Section:
    rows = []
    for group in groups:
        record = group[0].record
        host = record.host
        seen = sorted({name for kept in group if kept.dump for name in kept.dump.devices.values()})
        rows.append(
            (
                group[0].machine,
                host.system,
                host.machine,
                host.cpu,
                host.cores,
                ", ".join(seen),
                record.created,
                len(group),
            )
        )
    columns = ("machine", "system", "processor", "CPU", "cores", "devices", "first dump (UTC)", "dumps")
    return Section(title="Machines", columns=columns, rows=tuple(rows))
