"""Which backend to use for a model on this machine: by what was measured here, else by what its devices make likely.

Nothing is loaded, downloaded or run: the facts about the machine, the size of the model and the last smoke report are
all there is. A row says which of them it rests on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import msgspec

from smoke.advice.guesses import RUNTIME, Advice, Basis, Need, guesses
from smoke.backends import npu
from smoke.backends.npu import Npu
from smoke.parity.verdicts import Verdict
from smoke.report.results import Report, Result
from wheelhouse.console import Column, Table
from wheelhouse.files import human_size
from wheelhouse.machine.facts import Facts
from wheelhouse.paths import cache_dir


def advise(facts: Facts, npus: Sequence[Npu], need: Need, report: Report | None) -> list[Advice]:
    """Return the ways to run the model, the best first: what was measured, what is expected, what is not possible."""
    guessed = guesses(facts, npus, need)
    measured = {f"{result.backend}:{result.variant}": result for result in report.results} if report else {}
    windows = facts.windows is not None
    source = f"smoke report of {report.created[:10]}" if report else ""
    found = [
        a if a.backend not in measured else _measured(measured[a.backend], a, source, windows=windows) for a in guessed
    ]
    found += [
        _measured(result, None, source, windows=windows)
        for name, result in measured.items()
        if name not in {a.backend for a in guessed} and _counts(result)
    ]
    order = list(Basis)
    return sorted(found, key=lambda a: (order.index(a.basis), -(a.tokens_per_s or 0.0), a.rank, a.backend))


ELSEWHERE = ("dml-", "webgpu-")


def _counts(result: Result) -> bool:
    """Say whether a result is about a way to run the model: not the reference, nor a GPU's graph on the processor."""
    check = result.backend == "reference" or (result.backend == "ort-cpu" and result.variant.startswith(ELSEWHERE))
    return not check and result.verdict not in {Verdict.SKIPPED, Verdict.FELL_BACK}


def _place(result: Result, *, windows: bool) -> str:
    """Return what a device is where it only proves results: a program that runs on the processor."""
    if result.backend == "dml" and not windows:
        return " in Wine, by software Direct3D on the processor"
    described = result.device_details.description if result.device_details else ""
    return " in software, on the processor" if "software" in described else ""


def _measured(result: Result, guess: Advice | None, source: str, *, windows: bool) -> Advice:
    """Return what a smoke result says about a way; one that was not run leaves the guess as it was."""
    name = f"{result.backend}:{result.variant}"
    if not _counts(result) and guess is not None:
        return guess
    rate = result.performance.tokens_per_s
    rank = guess.rank if guess else 99
    if result.verdict is Verdict.PASS:
        memory = human_size(result.performance.peak_memory_bytes or 0)
        why = f"PASS on {result.device}{_place(result, windows=windows)}; {memory} of memory"
        return Advice(backend=name, basis=Basis.MEASURED, why=why, rank=rank, tokens_per_s=rate, source=source)
    why = f"{result.verdict.value} here: {result.reason.splitlines()[0] if result.reason else 'see the report'}"
    return Advice(backend=name, basis=Basis.IMPOSSIBLE, why=why, rank=rank, source=source)


def choice(results: Sequence[Result]) -> str:
    """Return which backend a run's results speak for, in a sentence; "" where none that counts passed."""
    passed = [_measured(result, None, "", windows=False) for result in results if _counts(result)]
    passed = [found for found in passed if found.basis is Basis.MEASURED]
    return _fastest(max(passed, key=lambda found: found.tokens_per_s or 0.0)) if passed else ""


def _fastest(best: Advice) -> str:
    rate = f", {best.tokens_per_s:.1f} tokens/s" if best.tokens_per_s else ""
    return f"Use {best.backend}: the fastest that passed here{rate}."


def last_report(model: str, folder: Path | None = None) -> Report | None:
    """Return the newest smoke report about `model` in the cache, or None."""
    files = sorted(
        (folder or cache_dir("reports")).glob("*/report.json"), key=lambda p: p.stat().st_mtime, reverse=True
    )
    for file in files:
        try:
            report = msgspec.json.decode(file.read_bytes(), type=Report)
        except (OSError, msgspec.MsgspecError, ValueError, RecursionError):  # of an older version, or cut off
            continue
        if report.model.name == model and not report.quick:
            return report
    return None


def conclusion(found: Sequence[Advice], need: Need, npus: Sequence[Npu]) -> str:
    """Return what to do, in one sentence or two."""
    best = found[0]
    if best.basis is Basis.IMPOSSIBLE:
        return f"Nothing here can run {need.name}: take a smaller model."
    if best.basis is Basis.MEASURED:
        return _fastest(best)
    hint = " An NPU saves power rather than time." if npus else ""
    measure = f"`invoke smoke --all-backends --model {need.name}` measures."
    if best.backend in RUNTIME:
        return f"Only the processor is left here; which of its backends is the fastest, {measure}{hint}"
    return f"{best.backend} is likely the best; nothing was measured here yet: {measure}{hint}"


def need_of(model: str) -> Need:
    """Return what a model needs, by its recipe or else its folder. Raise UsageError or InputError."""
    from smoke.models import catalogue
    from smoke.models.catalogue import HubModel
    from smoke.models.resolving import resolve

    if model in catalogue.model_names():
        recipe = catalogue.model(model)
        return Need(name=model, parameters=recipe.size // (2 if isinstance(recipe.source, HubModel) else 4))
    return Need(name=model, parameters=resolve(model).facts.parameters)


def tell(model: str, *, as_json: bool = False) -> None:
    """Do what `invoke advise` says: print the conclusion, then the table; or both as JSON."""
    from smoke.advice import successor, survey
    from wheelhouse import console
    from wheelhouse.machine import host

    need, npus = need_of(model), npu.devices()
    facts = msgspec.structs.replace(host.gather(), webgpu=survey.webgpu_adapter())
    report = last_report(model)
    found = advise(facts, npus, need, report)
    said = conclusion(found, need, npus)
    if as_json:
        ways = [{**asdict(way), "command": _command(way, model)} for way in found]
        console.show_json(console.as_json({"model": model, "conclusion": said, "ways": ways}))
        return
    table = Table(
        columns=(
            Column(name="backend"),
            Column(name="basis"),
            Column(name="tokens/s", right=True),
            Column(name="why", wraps=True),
            Column(name="command", wraps=True, drop=2),
            Column(name="source", wraps=True, drop=1),
        )
    )
    for way in found:
        rate = f"{way.tokens_per_s:.1f}" if way.tokens_per_s else ""
        table.add(way.backend, way.basis.value, rate, way.why, _command(way, model), way.source)
    console.result(said)
    console.result(table)
    console.result(successor.table(report))


def _command(way: Advice, model: str) -> str:
    return "" if way.basis is Basis.IMPOSSIBLE else way.command(model)
