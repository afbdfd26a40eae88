"""What the tasks `smoke`, `reference`, `export` and `model` do."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from wheelhouse import console
from wheelhouse.errors import ResourceError, UsageError
from wheelhouse.given_wheels import wheels_meant
from wheelhouse.paths import display

if TYPE_CHECKING:
    from smoke.report.results import Report
    from smoke.running.smoke_request import Request


def smoke(
    *,
    backends: Sequence[str],
    all_backends: bool,
    model: str,
    prompts: str,
    max_new_tokens: int,
    report: str,
    strict: bool,
    wheels: Sequence[str],
    timeout: float,
    stable_norms: str = "",
    repeat: int = 1,
    lengths: Sequence[str] = (),
    dump: str = "",
    operators: Sequence[str] = (),
    baseline: str = "",
    verify: bool = False,
    trust: bool = False,
    pairs: bool = False,
    bisect: bool = False,
    shard: str = "",
    quick: bool = False,
) -> None:
    """Prove backends, print the table, write the report.

    Raise ParityError when something that ran went wrong (with `strict`, when something did not run either),
    RegressionError when something got worse since the report `baseline`, UnsupportedError when a backend that was
    asked for by name could not run, and before anything runs UsageError or InputError for what cannot be asked for.
    """
    from smoke.backends import selection, sharding
    from smoke.comparing import shards, since
    from smoke.report import writing as reports
    from smoke.running import prompts as questions
    from smoke.running.smoke_request import Request, numbers, require_untimed
    from smoke.suites import all_suites

    if quick:
        require_untimed(repeat=repeat, lengths=lengths, baseline=baseline, pairs=pairs)
    if pairs:
        sharding.wanted(shard, {"--pairs": True})
        from smoke.suites.pairs.every_pair import prove

        prove(backends, given=wheels, model=model, prompts=prompts, max_new_tokens=max_new_tokens, report=report,
              timeout=timeout, run=_run, tell=_tell)  # fmt: skip
        return
    folder = reports.report_folder(report)
    given = wheels_meant(wheels)
    suite_names, models = all_suites.split(backends)
    all_suites.check_operators(suite_names, operators)
    share = sharding.wanted(shard, {"--baseline": bool(baseline), **dict.fromkeys(suite_names, True)})
    found = all_suites.empty_report()
    if models or all_backends or not suite_names:
        plan = selection.select(models, everything=all_backends, wheels=given)
        request = Request(
            plan=plan if share is None else sharding.part(plan, share),
            model=model,
            prompts=questions.load(Path(prompts).expanduser() if prompts else None)[: 1 if quick else None],
            max_new_tokens=max_new_tokens,
            report=folder,
            timeout=timeout,
            stable_norms=stable_norms,
            repeat=repeat,
            lengths=numbers("--lengths", lengths),
            dump=Path(dump).expanduser().resolve() if dump else None,
            trust=trust,
            quick=quick,
            options=(
                *_typed(model, prompts, max_new_tokens, repeat, lengths, stable_norms, wheels),
                *(["--trust-remote-code"] if trust else []),
                *(["--quick"] if quick else []),
            ),
        )
        before = since.wanted(baseline, request) if baseline else None
        reports.make_folder(folder)  # only now: what cannot be asked for leaves nothing behind
        if request.dump is not None:
            reports.make_folder(request.dump, what="dump")
        run = partial(_run, verify=verify)
        found = run(request) if before is None else since.compared(run(request), before, request, run)
        if share is not None and request.dump is not None:
            shards.write(request.dump, share, [item.name for item in plan], found)
    reports.make_folder(folder)
    found = all_suites.added(
        found, suite_names, wheels=given, folder=folder, timeout=timeout, model=model, operators=operators
    )
    _tell(found, folder)
    if bisect:
        from smoke.narrowing.bisecting import after

        after(found, model=model, prompts=prompts, stable_norms=stable_norms, folder=folder)
    since.require_no_regression(found.changes)
    reports.require_success(found, strict=strict)
    if share is None:  # what could be run of a backend may be another machine's part
        reports.require_named(found, backends)


def _tell(found: Report, folder: Path) -> None:
    from smoke.report import terminal
    from smoke.report import writing as reports

    reports.write(found, folder)
    terminal.show(found, folder)


def _typed(
    model: str,
    prompts: str,
    max_new_tokens: int,
    repeat: int,
    lengths: Sequence[str],
    stable_norms: str,
    wheels: Sequence[str],
) -> tuple[str, ...]:
    """Return the options that make a run like this one, as they are typed."""
    given = [("--model", model), ("--prompts", prompts), ("--max-new-tokens", str(max_new_tokens))]
    given += [("--repeat", str(repeat) if repeat > 1 else ""), ("--lengths", ",".join(lengths))]
    given += [("--stable-norms", stable_norms), *(("--wheel", wheel) for wheel in wheels)]
    return tuple(word for option, value in given if value for word in (option, value))


def reference(*, model: str, prompts: str, max_new_tokens: int, dump: str, timeout: float, trust: bool = False) -> str:
    """Compute the reference's dump unless it is in the cache, and put it into the folder `dump`; return where it is.

    Raise ParityError when the reference itself is no good, and what `smoke` raises.
    """
    from smoke.backends import selection
    from smoke.backends.variants import REFERENCE
    from smoke.report import writing as reports
    from smoke.running import prompts as questions
    from smoke.running.smoke_request import Request

    if not dump:
        raise UsageError("Where is the dump to go?", remedy="For instance: invoke reference --dump golden/")
    target = Path(dump).expanduser().resolve()
    request = Request(
        plan=selection.select([REFERENCE], everything=False),
        model=model,
        prompts=questions.load(Path(prompts).expanduser() if prompts else None),
        max_new_tokens=max_new_tokens,
        report=target,
        timeout=timeout,
        dump=target,
        trust=trust,
    )
    reports.make_folder(target, what="dump")
    reports.require_success(_run(request), strict=True)
    return f"reference: {display(target / REFERENCE.replace(':', '-'))}"


def _run(request: Request, *, verify: bool = False) -> Report:
    """Run the models. Raise ResourceError when the disk fills up, and what `run.smoke` raises."""
    from smoke import mending

    try:
        return mending.smoke(request, verify=verify)
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise ResourceError(
            f"The disk is full ({error.filename or 'while writing'}).",
            remedy="Free some space, or set DML_WHEELHOUSE_CACHE to a folder on a larger disk.",
        ) from error


def export(
    *,
    backends: Sequence[str],
    variant: str = "",
    model: str,
    stable_norms: str,
    ignore_memory: bool = False,
    trust: bool = False,
) -> list[str]:
    """Export a model for the named backends (NAME or NAME:VARIANT); return one line for each: kind and folder.

    `variant` is that of every backend that is named without one.

    Raise UsageError for a name that does not exist or that takes no export, and the first error of an export that
    failed, after the others have been made.
    """
    from smoke.backends import selection
    from smoke.exports.making import export_all
    from smoke.models.resolving import resolve

    if not backends:
        raise UsageError("Which backend is to be exported for?", remedy="For instance: invoke export --backend dml")
    backends = [f"{name}:{variant}" if variant and ":" not in name else name for name in backends]
    named = [
        item for item in selection.select(backends, everything=False) if {item.name, item.backend.name} & {*backends}
    ]
    kinds = tuple(dict.fromkeys(item.variant.export for item in named if item.variant.export))
    if not kinds:
        raise UsageError(f"{', '.join(backends)} runs the Hugging Face folder itself: there is nothing to export.")
    lines = []
    resolved = replace(resolve(model), trusted=trust)
    found = export_all(resolved, kinds, stable_norms=stable_norms, ignore_memory=ignore_memory)
    for kind, made in found.items():
        if not isinstance(made, Path):
            raise made
        lines.append(f"{kind}: {made}")
    return lines


def describe(model: str, *, as_json: bool) -> None:
    """Do what `invoke model` says: check the model, and print what is known about it."""
    from rich.table import Table

    from smoke.models import showing
    from smoke.models.resolving import resolve

    found = resolve(model)
    if as_json:
        console.show_json(showing.as_json(found))
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for word, what in showing.lines(found):
        table.add_row(word, what)
    console.result(table)
