"""What `invoke bundle` does: the reference's answers first, then the archive for the other machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from smoke.backends import selection
from smoke.backends.variants import REFERENCE
from smoke.comparing import bundling
from smoke.models.resolving import resolve
from smoke.parity import dumps
from smoke.parity.dumps import Dump
from smoke.report import writing
from smoke.running import prompts as questions
from smoke.running import run
from smoke.running.smoke_request import Request, numbers
from wheelhouse import console, scratch
from wheelhouse.errors import InputError, UsageError
from wheelhouse.files import human_size
from wheelhouse.paths import display


def bundle(
    *,
    backends: Sequence[str],
    model: str,
    prompts: str,
    max_new_tokens: int,
    timeout: float,
    repeat: int,
    lengths: Sequence[str],
    wheels: Sequence[Path],
    out: str,
    no_model: bool,
) -> None:
    """Write the archive and say where. Raise UsageError and InputError for what cannot be bundled."""
    if not backends:
        raise UsageError("Which backend is to be bundled?", remedy="For instance: invoke bundle --backend dml:fp16")
    target = Path(out or "bundle.zip").expanduser().resolve()
    if target.is_dir() or target.suffix != ".zip":
        raise InputError(f"{target} is not the name of a .zip archive.", remedy="For instance: --out bundle.zip")
    request = Request(
        plan=selection.select(backends, everything=False, wheels=wheels),
        model=model,
        prompts=questions.load(Path(prompts).expanduser() if prompts else None),
        max_new_tokens=max_new_tokens,
        report=target.parent,
        timeout=timeout,
        repeat=repeat,
        lengths=numbers("--lengths", lengths),
        options=("--prompts", prompts) * bool(prompts) + ("--max-new-tokens", str(max_new_tokens)),
    )
    plan = bundling.wanted(request, backends)
    target.parent.mkdir(parents=True, exist_ok=True)
    with scratch.folder() as made:
        golden = _golden(request, made)
        bundling.write(target, request, plan, resolve(model), golden, with_model=not no_model)
    names = ", ".join(item.name for item in plan)
    console.result(f"{display(target)}: {names}, {human_size(target.stat().st_size)}")


def _golden(request: Request, work: Path) -> Dump:
    """Return the reference's dump, out of the cache where it is there."""
    plan = selection.select([REFERENCE], everything=False)
    asked = replace(request, plan=plan, repeat=1, lengths=(), report=work / "report", dump=work / "golden")
    writing.require_success(run.smoke(asked), strict=True)
    return dumps.read(work / "golden" / REFERENCE.replace(":", "-"), prompts=len(request.prompts))
