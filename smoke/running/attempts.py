"""One worker of a run: what it is asked, where it writes, what its dump will be held to; or the dump that is kept."""

from __future__ import annotations

import datetime as dt
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from smoke.backends.selection import Planned
from smoke.environments.source import Environment
from smoke.models.model import Model
from smoke.parity import pace, verdicts
from smoke.parity.dumps import Dump
from smoke.parity.gates import IsGolden
from smoke.report.results import ModelInfo
from smoke.running import goldens, prompts, records, shorter, this_machine, token_room
from smoke.running.asked import long_prompt
from smoke.running.clock import Clock
from smoke.running.jobs import Questions, Worker
from smoke.running.judge_queue import Attempt
from smoke.running.records import RunRecord
from smoke.running.shorter import Share
from smoke.running.smoke_request import Request
from wheelhouse import manifests
from wheelhouse.console import remark, task
from wheelhouse.errors import InputError, WheelhouseError
from wheelhouse.files import remove_tree
from wheelhouse.process import Completed
from wheelhouse.steps import Step


@dataclass(frozen=True, kw_only=True)
class Attempts:
    """Makes the attempts of one run. `folder` is for dumps that nobody wants to keep."""

    request: Request
    model: Model
    environments: dict[str, Environment | WheelhouseError]
    exports: dict[str, Path | WheelhouseError]
    folder: Path
    clock: Clock
    described: ModelInfo

    def make(self, item: Planned, golden: Dump | None) -> Attempt:
        """Run a variant's worker and return how that went; `golden` is the reference's dump, None for itself.

        The reference's own dump, and those of twins, are taken from the cache where they are there.
        """
        environment, export = self._needs(item)
        questions = self._questions_to(item, golden)
        wanted = self.kept_as(item, golden)
        kept = goldens.cached(wanted) if wanted else None
        if kept is not None:
            return self._kept(item, kept)
        worker = Worker(
            engine=item.backend.engine,
            variant=item.variant,
            environment=environment,
            model=export,
            source=self.model.folder,
            trusts=bool(self.described.code),
            folder=self._place(item),
            log=self._log(item),
            timeout=shorter.time_limit(self.request, environment, golden),
        )
        done = self._run(worker, questions, f"{item.backend.name} {item.variant.name}")
        record = self._record(item, environment, done, golden)
        records.write(worker.folder, record)
        return replace(self._attempt(item, worker.folder, record, done, wanted), timeout=worker.timeout)

    def kept_as(self, item: Planned, golden: Dump | None) -> Step | None:
        """Return the step that a variant's dump is kept as between runs, and for its like; None: it is not kept."""
        if not (isinstance(item.variant.gate, IsGolden) or item.variant.is_base):
            return None
        environment, export = self._needs(item)
        return goldens.step(item, environment, self.model, export, self._questions_to(item, golden))

    def _needs(self, item: Planned) -> tuple[Environment, Path]:
        environment = self.environments[item.backend.name]
        export = self.exports.get(item.variant.export, self.model.folder)
        if not isinstance(environment, Environment) or not isinstance(export, Path):
            raise TypeError(f"{item.name} is run without what it needs")  # the caller has made sure of it
        return environment, export

    def share(self, item: Planned) -> Share:
        """Return how much of the questions a variant is asked."""
        environment = self.environments[item.backend.name]
        if not isinstance(environment, Environment):
            raise TypeError(f"{item.name} is asked without an environment")  # the caller has made sure of it
        return shorter.share(self.request, environment)

    def _questions_to(self, item: Planned, golden: Dump | None) -> Questions:
        (environment, _), share, timed = self._needs(item), self.share(item), not item.variant.is_base
        slow = environment.software_device or environment.seconds_per_token > 0
        limit = token_room.of(self.model.facts)
        most = None if limit is None else limit.tokens
        asked = Questions(
            prompts=share.messages(self.request),
            text=prompts.FIXED_TEXT,
            max_new_tokens=share.tokens,
            repeat=self.request.repeat if timed else 1,
            lengths=tuple(self.request.lengths) if timed else (),
            most=most,
            decode_steps=share.steps,
            context=long_prompt.question(self.model.facts, most, slow=slow or self.request.quick),
        )
        return asked if golden is None else replace(asked, golden=golden)

    def _run(self, worker: Worker, questions: Questions, title: str) -> Completed:
        timed = not (self.request.quick or worker.variant.is_base)
        with self.clock.part(f"worker {title}"), task(title) as shown:

            def hear(progress: str) -> None:
                shown.update(progress)
                if timed:
                    pace.heard(progress)

            try:
                done = worker.run(questions, hear)
                bad_end = verdicts.of_process(done, worker.timeout)
                if bad_end is not None:
                    shown.fail(bad_end.verdict.value)
                return done
            finally:
                if timed:
                    pace.ended()

    def _kept(self, item: Planned, folder: Path) -> Attempt:
        """Return the attempt that made a kept dump, perhaps that of its like, with its log among this run's."""
        remark(f"{item.backend.name} {item.variant.name}: from the cache, nothing changed")
        self._log(item).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / goldens.LOG, self._log(item))
        record = msgspec.structs.replace(records.read(folder), variant=item.variant.name)
        if self.request.dump is not None:
            place = self._place(item)
            place.mkdir(parents=True)
            for name in manifests.read(folder) or {}:
                shutil.copyfile(folder / name, place / name)
            records.write(place, record)
        done = replace(record.completed(), log=self._log(item))
        attempt = self._attempt(item, folder, record, done, None)
        return replace(attempt, measured=record.created, stays=True)

    def _place(self, item: Planned) -> Path:
        name = item.name.replace(":", "-")
        if self.request.dump is None:
            return self.folder / name
        place = self.request.dump / name
        if place.exists() and not (place / records.NAME).is_file():
            raise InputError(f"{place} is there and is not a dump.", remedy="Name another folder with --dump.")
        remove_tree(place)
        return place

    def _log(self, item: Planned) -> Path:
        return self.request.report / "logs" / f"{item.backend.name}-{item.variant.name}.log"

    def _record(self, item: Planned, environment: Environment, done: Completed, golden: Dump | None) -> RunRecord:
        share = self.share(item)
        record = records.begun(
            item,
            self.described,
            golden,
            messages=share.messages(self.request),
            max_new_tokens=share.tokens,
            environment=environment.label,
            host=this_machine.host({}),
        )
        return msgspec.structs.replace(
            record,
            remark=share.why,
            home=environment.home,
            timed=not self.request.quick,
            created=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            returncode=done.returncode,
            seconds=done.seconds,
            timed_out=done.timed_out,
            idle_seconds=done.idle_seconds,
            tail=done.tail,
        )

    def _attempt(self, item: Planned, folder: Path, record: RunRecord, done: Completed, golden: Step | None) -> Attempt:
        return Attempt(
            planned=item,
            done=done,
            timeout=self.request.timeout,
            folder=folder,
            log=f"logs/{self._log(item).name}",
            record=record,
            stays=self.request.dump is not None,
            golden=golden,
        )
