"""Which worker of a run begins when: after what it is compared with, alone when it is timed, else beside others."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

from smoke.backends import selection
from smoke.backends.selection import Planned
from smoke.backends.variants import REFERENCE
from smoke.environments.source import Environment
from smoke.heal import reporting
from smoke.parity import gates
from smoke.parity.dumps import Dump
from smoke.parity.gates import IsGolden
from smoke.parity.parity import Golden
from smoke.parity.verdicts import Judgement, Verdict, not_made
from smoke.report.results import Result
from smoke.running import explanations
from smoke.running.attempts import Attempts
from smoke.running.beside import Beside, fits
from smoke.running.clock import Clock
from smoke.running.judge_queue import Bench, Finished, no_base, not_run
from smoke.running.smoke_request import Request
from wheelhouse.console import Task
from wheelhouse.errors import WheelhouseError


def why_not(item: Planned) -> Judgement | None:
    """Return the verdict on a variant that is not run here; None: it is."""
    reason = item.variant.unasked() if item.variant.unasked and not item.asked else ""
    if reason:
        remedy = f"`invoke smoke --backend {item.name}` runs it all the same."
        return Judgement(verdict=Verdict.SKIPPED, reason=reason, remedy=remedy)
    status = item.backend.source.status()
    if status.ready or status.makeable:
        return None
    return Judgement(verdict=Verdict.SKIPPED, reason=status.reason, remedy=status.remedy)


@dataclass(kw_only=True)
class Run:
    """One run: the goldens so far, the devices that were seen, and what is still being judged."""

    request: Request
    attempts: Attempts
    clock: Clock
    bench: Bench
    beside: Beside[Future[Finished] | Finished]
    devices: dict[str, str] = field(default_factory=dict)
    _futures: dict[str, Future[Finished] | Finished] = field(default_factory=dict)

    def all(self, shown: Task) -> list[Result]:
        """Run everything that is planned, and what turns out to be possible here; return the results in order."""
        try:
            return self._all(shown)
        except BaseException:
            self.beside.give_up()
            raise
        finally:
            self.beside.close()
            self.bench.close()

    def _all(self, shown: Task) -> list[Result]:
        plan = list(self.request.plan)
        waiting = list(plan)
        while waiting:
            item = waiting.pop(0)
            self._start(item, plan, shown)
            if not waiting:
                self._note_devices()
                waiting = selection.present(plan, self.devices) + selection.explaining(plan, self._diverged())
                plan += waiting
        exports = self.attempts.exports
        results = [
            reporting.advised(self._finished(item.name).result, exports.get(item.variant.export)) for item in plan
        ]
        return explanations.added(results, plan, self.request.model)

    def _start(self, item: Planned, plan: Sequence[Planned], shown: Task) -> None:
        if self._untimed(item):
            self.beside.start(item.name, lambda: self._one(item, plan, shown))
            return
        self.beside.wait()
        self._futures[item.name] = self._one(item, plan, shown)

    def _untimed(self, item: Planned) -> bool:
        environment = self.attempts.environments.get(item.backend.name)
        if not isinstance(environment, Environment) or isinstance(item.variant.gate, IsGolden):
            return False
        return (self.request.quick or item.variant.is_base) and fits(environment)

    def _begun(self) -> list[str]:
        return [*self._futures, *self.beside.started]

    def _diverged(self) -> list[str]:
        return [name for name in self._begun() if self._finished(name).result.verdict is Verdict.DIVERGED]

    def _note_devices(self) -> None:
        for name in self._begun():
            dump = self._finished(name).dump
            self.devices.update(dump.devices if dump else {})

    def _finished(self, name: str) -> Finished:
        beside = self.beside.started.get(name)
        found = self._futures[name] if beside is None else beside.result()
        if isinstance(found, Finished):
            return found
        with self.clock.part("comparing, beyond the workers"):
            return found.result()

    def _one(self, item: Planned, plan: Sequence[Planned], shown: Task) -> Future[Finished] | Finished:
        skipped = why_not(item)
        if skipped is not None:
            return Finished(result=not_run(item, skipped))
        is_golden = isinstance(item.variant.gate, IsGolden)
        item, base = self._with_base(item)
        obstacle = self._obstacle(item, base)
        if obstacle is not None:
            return Finished(result=not_run(item, obstacle))
        keep = any(other.variant.against == item.name for other in plan if other is not item)
        golden = None if is_golden else self._finished(REFERENCE).dump
        share = self.attempts.share(item)
        asked = golden and share.dump(golden)
        if item.variant.is_base:
            self._wait_for_likes(item, plan, asked, base)
        attempt = self.attempts.make(item, asked)
        shown.advance()
        return self.bench.submit(attempt, base and share.golden(base), keep=keep)

    def _wait_for_likes(self, item: Planned, plan: Sequence[Planned], asked: Dump | None, base: Golden | None) -> None:
        """Return when twins before this one that compute the same are kept: two devices' exports may be one graph."""
        own = self.attempts.kept_as(item, asked)
        for other in plan[: [each.name for each in plan].index(item.name)]:
            if other.variant.is_base and self._obstacle(other, base) is None:
                like = self.attempts.kept_as(other, asked)
                if own and like and like.output == own.output:
                    self._finished(other.name)

    def _with_base(self, item: Planned) -> tuple[Planned, Golden | None]:
        """Return a variant and what it is compared with: the reference, where its export can have no twin."""
        if isinstance(item.variant.gate, IsGolden):
            return item, None
        name = item.variant.against
        wanted = self._finished(name)
        if wanted.result.verdict is not Verdict.SKIPPED:
            return item, wanted.golden
        if name not in self._bases():
            return self._with_twin_of(name, item)
        golden = self._finished(REFERENCE).golden
        remark = f"it could only be compared with the reference, whose weights it rounds: {wanted.result.reason}"
        variant = replace(item.variant, against=REFERENCE, gate=gates.QUANTISED)
        return replace(item, variant=variant), golden and replace(golden, remark=remark)

    def _with_twin_of(self, name: str, item: Planned) -> tuple[Planned, Golden | None]:
        """Return a variant and, as `name` cannot run here, the twin that `name` would have been held to."""
        twin = next((other.variant.against for other in self.request.plan if other.name == name), "")
        golden = self._finished(twin).golden if twin in self._bases() else None
        if golden is None:
            return item, None
        remark = f"it could only be compared with {twin}, because {name} does not run here"
        return replace(item, variant=replace(item.variant, against=twin)), replace(golden, remark=remark)

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
