"""`invoke smoke`: from names on the command line to a report, one worker after the other."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path

from smoke.advice import advise
from smoke.backends import selection
from smoke.backends.selection import Planned
from smoke.backends.variants import REFERENCE
from smoke.environments.source import Environment
from smoke.exports import own_code
from smoke.exports.making import export_all
from smoke.heal import reporting
from smoke.models.loading import require_agreement
from smoke.models.model import Model
from smoke.models.resolving import is_at_hand, resolve
from smoke.parity import gates
from smoke.parity.gates import IsGolden
from smoke.parity.parity import Golden
from smoke.parity.verdicts import Judgement, Verdict, not_made
from smoke.report.results import ModelInfo, Report, Result
from smoke.running import explanations, this_machine, token_room
from smoke.running.attempts import Attempts
from smoke.running.clock import Clock
from smoke.running.judge_queue import Bench, Finished, no_base, not_run
from smoke.running.smoke_request import Request
from wheelhouse import scratch
from wheelhouse.console import Task, phase, say
from wheelhouse.errors import WheelhouseError
from wheelhouse.files import require_space

KEPT_AT_ONCE = 4
"""Dumps that lie on the disk at a time: golden ones, the one being written, the one being judged."""


def smoke(request: Request) -> Report:
    """Run everything that was asked for and return the report. Only what concerns the whole run raises."""
    clock, before = Clock(), this_machine.steadiness()
    plan = selection.without_idle_bases(request.plan, lambda item: _why_not(item) is None)
    request = replace(request, plan=plan)
    environments, model, made = prepared(request, clock)
    described = _described(model, environments)
    with scratch.folder() as folder:
        require_space(folder, _dump_size(request, model) * KEPT_AT_ONCE, "Comparing logits")
        attempts = Attempts(
            request=request,
            model=model,
            environments=environments,
            exports=made,
            folder=folder,
            clock=clock,
            described=described,
        )
        run = Run(request=request, attempts=attempts, clock=clock, bench=Bench(Clock(started=clock.started)))
        with phase("workers", sum(_why_not(item) is None for item in plan)) as shown:
            results = run.all(shown)
    norms, after = reporting.section(made), this_machine.steadiness()
    return Report(
        schema=3,
        created=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        model=described,
        host=this_machine.host(run.devices, steadiness=(before, after)),
        prompts=tuple(request.prompts),
        max_new_tokens=request.max_new_tokens,
        passed=not any(result.is_fault for result in results),
        results=tuple(results),
        timings=(*clock.timings(), *run.bench.clock.timings(beside=True)),
        seconds=time.monotonic() - clock.started,
        sections=() if norms is None else (norms,),
        repeat=request.repeat,
        options=request.options,
        choice=advise.choice(results),
    )


def prepared(
    request: Request, clock: Clock
) -> tuple[dict[str, Environment | WheelhouseError], Model, dict[str, Path | WheelhouseError]]:
    """Return what the workers run on, made first where it is not there: environments, the model, its exports."""
    runnable = [item for item in request.plan if _why_not(item) is None]
    if is_at_hand(request.model):
        with clock.part("model"):
            resolve(request.model)  # what cannot be right is told before minutes of installing
    with clock.part("environments"), phase("environments", len({item.backend.name for item in runnable})) as shown:
        environments = _prepare(runnable, shown)
    with clock.part("model"), phase(f"model {request.model}"):
        model = replace(resolve(request.model), trusted=request.trust)
    _require_fit(request, model, environments)
    wanted = (item.variant.export for item in runnable if item.variant.export and _has(environments, item))
    kinds = tuple(dict.fromkeys(wanted))
    with clock.part("exports"), phase("exports", len(kinds)) as shown:
        made = export_all(model, kinds, stable_norms=request.stable_norms, each=shown.advance) if kinds else {}
    return environments, model, made


def _require_fit(request: Request, model: Model, environments: Mapping[str, Environment | WheelhouseError]) -> None:
    """Say what a person should know of the model.

    Raise InputError when it does not take what is asked, UnsupportedError for code of its own that nobody trusts.
    """
    for note in model.facts.notes:
        say(f"{model.name}: {note}")
    main = environments.get(REFERENCE.partition(":")[0])
    if isinstance(main, Environment):
        require_agreement(model, main, runs_code=own_code.runs(model, Path(main.python[0])))
        token_room.require(model, request.prompts, request.max_new_tokens, lambda: main, lengths=request.lengths)


def _described(model: Model, environments: Mapping[str, Environment | WheelhouseError]) -> ModelInfo:
    main, facts = environments.get(REFERENCE.partition(":")[0]), model.facts
    runs = isinstance(main, Environment) and own_code.runs(model, Path(main.python[0]))
    code = own_code.identity(model) if runs else {}
    return ModelInfo(name=model.name, label=model.label, key=model.key, asks=facts.asks, notes=facts.notes, code=code)


def _dump_size(request: Request, model: Model) -> int:
    """Return the most bytes that one dump's logits can take."""
    return 4 * model.facts.sizes.vocabulary * request.max_new_tokens * len(request.prompts)


def _why_not(item: Planned) -> Judgement | None:
    reason = item.variant.unasked() if item.variant.unasked and not item.asked else ""
    if reason:
        remedy = f"`invoke smoke --backend {item.name}` runs it all the same."
        return Judgement(verdict=Verdict.SKIPPED, reason=reason, remedy=remedy)
    status = item.backend.source.status()
    if status.ready or status.makeable:
        return None
    return Judgement(verdict=Verdict.SKIPPED, reason=status.reason, remedy=status.remedy)


def _prepare(plan: Sequence[Planned], shown: Task) -> dict[str, Environment | WheelhouseError]:
    """Make the environments of all backends. Raise the error of the reference's: without it nothing can be judged."""
    made: dict[str, Environment | WheelhouseError] = {}
    for item in plan:
        name = item.backend.name
        if name in made:
            continue
        try:
            made[name] = item.backend.source.prepare(item.wheels)
        except WheelhouseError as error:
            if isinstance(item.variant.gate, IsGolden):
                raise
            made[name] = error
        shown.advance()
    return made


def _has(environments: dict[str, Environment | WheelhouseError], item: Planned) -> bool:
    return isinstance(environments.get(item.backend.name), Environment)


@dataclass(kw_only=True)
class Run:
    """One run: the goldens so far, the devices that were seen, and what is still being judged."""

    request: Request
    attempts: Attempts
    clock: Clock
    bench: Bench
    devices: dict[str, str] = field(default_factory=dict)
    _futures: dict[str, Future[Finished] | Finished] = field(default_factory=dict)

    def all(self, shown: Task) -> list[Result]:
        """Run everything that is planned, and what turns out to be possible here; return the results in order."""
        try:
            return self._all(shown)
        finally:
            self.bench.close()

    def _all(self, shown: Task) -> list[Result]:
        plan = list(self.request.plan)
        waiting = list(plan)
        while waiting:
            item = waiting.pop(0)
            self._futures[item.name] = self._one(item, plan, shown)
            if not waiting:
                self._note_devices()
                waiting = selection.present(plan, self.devices) + selection.explaining(plan, self._diverged())
                plan += waiting
        exports = self.attempts.exports
        results = [
            reporting.advised(self._finished(item.name).result, exports.get(item.variant.export)) for item in plan
        ]
        return explanations.added(results, plan, self.request.model)

    def _diverged(self) -> list[str]:
        return [name for name in self._futures if self._finished(name).result.verdict is Verdict.DIVERGED]

    def _note_devices(self) -> None:
        for name in self._futures:
            dump = self._finished(name).dump
            self.devices.update(dump.devices if dump else {})

    def _finished(self, name: str) -> Finished:
        found = self._futures[name]
        if isinstance(found, Finished):
            return found
        with self.clock.part("comparing, beyond the workers"):
            return found.result()

    def _one(self, item: Planned, plan: Sequence[Planned], shown: Task) -> Future[Finished] | Finished:
        why_not = _why_not(item)
        if why_not is not None:
            return Finished(result=not_run(item, why_not))
        is_golden = isinstance(item.variant.gate, IsGolden)
        item, base = self._with_base(item)
        obstacle = self._obstacle(item, base)
        if obstacle is not None:
            return Finished(result=not_run(item, obstacle))
        keep = any(other.variant.against == item.name for other in plan if other is not item)
        golden = None if is_golden else self._finished(REFERENCE).dump
        share = self.attempts.share(item)
        attempt = self.attempts.make(item, golden and share.dump(golden))
        shown.advance()
        return self.bench.submit(attempt, base and share.golden(base), keep=keep)

    def _with_base(self, item: Planned) -> tuple[Planned, Golden | None]:
        """Return a variant and what it is compared with: the reference, where its export can have no twin."""
        if isinstance(item.variant.gate, IsGolden):
            return item, None
        wanted = self._finished(item.variant.against)
        if item.variant.against not in self._bases() or wanted.result.verdict is not Verdict.SKIPPED:
            return item, wanted.golden
        golden = self._finished(REFERENCE).golden
        remark = f"it could only be compared with the reference, whose weights it rounds: {wanted.result.reason}"
        variant = replace(item.variant, against=REFERENCE, gate=gates.QUANTISED)
        return replace(item, variant=variant), golden and replace(golden, remark=remark)

    def _bases(self) -> set[str]:
        return {other.name for other in self.request.plan if other.variant.is_base}

    def _obstacle(self, item: Planned, base: Golden | None) -> Judgement | None:
        environment = self.attempts.environments[item.backend.name]
        if not isinstance(environment, Environment):
            return not_made(environment, "Its environment")
        export = self.attempts.exports.get(item.variant.export)
        if isinstance(export, WheelhouseError):
            return not_made(export, f"Its export '{item.variant.export}'")
        if base is None and not isinstance(item.variant.gate, IsGolden):
            name = item.variant.against
            return no_base(self._finished(name).result, name, twin=name in self._bases())
        return None
