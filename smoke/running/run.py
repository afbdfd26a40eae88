"""`invoke smoke`: from names on the command line to a report, one worker after the other."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
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
from smoke.parity.gates import IsGolden
from smoke.report.results import ModelInfo, Report
from smoke.running import this_machine, token_room
from smoke.running.attempts import Attempts
from smoke.running.beside import Beside, at_once
from smoke.running.clock import Clock
from smoke.running.judge_queue import Bench
from smoke.running.order import Run, why_not
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
    request = without_idle(request)
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
        run = Run(
            request=request,
            attempts=attempts,
            clock=clock,
            bench=Bench(Clock(started=clock.started)),
            beside=Beside(at_once(model.facts)),
        )
        with phase("workers", sum(why_not(item) is None for item in request.plan)) as shown:
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
        choice="" if request.quick else advise.choice(results),
        quick=request.quick,
    )


def without_idle(request: Request) -> Request:
    """Return the request without variants that only serve to judge others of which none can run here."""
    return replace(request, plan=selection.without_idle_bases(request.plan, lambda item: why_not(item) is None))


def prepared(
    request: Request, clock: Clock
) -> tuple[dict[str, Environment | WheelhouseError], Model, dict[str, Path | WheelhouseError]]:
    """Return what the workers run on, made first where it is not there: environments, the model, its exports."""
    runnable = [item for item in request.plan if why_not(item) is None]
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
