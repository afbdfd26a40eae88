"""Exports: one model in the format of each backend, made once and kept until an input changes or a file is harmed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from smoke.environments import pinned
from smoke.environments.source import Environment
from smoke.exports import needs, own_code
from smoke.exports.exporters import EXPORTERS, Exporter
from smoke.heal.hook import mode_for, stabilise
from smoke.models.loading import require_agreement
from smoke.models.model import Model
from wheelhouse import manifests, process, steps
from wheelhouse.console import remark, task
from wheelhouse.errors import ResourceError, StepFailedError, UnsupportedError, UsageError, WheelhouseError, nearest
from wheelhouse.files import disk_full, remove_tree, write_atomic
from wheelhouse.paths import cache_dir, log_dir
from wheelhouse.steps import Step

EXPORTS = tuple(EXPORTERS)
"""cpu-fp32, cpu-int4, dml-fp16, dml-int4 (for ONNX Runtime GenAI), openvino-fp16, openvino-int4, openvino-npu-int4…"""

DIRECTML = "dml-"
"""What the names of exports for DirectML begin with."""
AT_ONCE = 2
INFO = "export.json"
_SECONDS = 3600.0
_VARIABLES = {"OMP_NUM_THREADS": "1"}
"""Exporting is tracing and writing, on one thread; idle OpenMP threads of two exports at once only wait busily."""
_VERSION = re.compile(
    r"version of Transformers does not allow for the export of the model\. "
    r"(Minimum|Maximum) required is (\S+), got: (\S+)"
)
"""How optimum-intel says that a model's kind is not for the transformers beside it."""
_BOUND = {"Minimum": "from", "Maximum": "up to"}
_TEMPORARY = ".cache"
"""In the folder that an export is written to: the system's own may be small, or in memory."""


class ExportInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What `export.json` in an export's folder says about it: its origin and the settings that were really used."""

    kind: str
    model: str
    model_key: str
    environment: str
    settings: tuple[str, ...]


def export(model: Model, kind: str, *, stable_norms: str = "", ignore_memory: bool = False) -> Path:
    """Return the folder with `model` exported as `kind`, making it first unless it is there and whole.

    For DirectML, norms that overflow in fp16 are then rewritten, as `stable_norms` says ("": as the model's recipe
    says; see docs/directml-norms.md). `ignore_memory` begins even where the memory is too small by all estimates.
    Raise UsageError (unknown kind or way), ResourceError (disk, memory), StepFailedError (the exporter failed; the log
    and its last lines are named), and what making the main environment may raise.
    """
    exporter = _exporter(kind)
    exporter.require_able(model.facts)
    environment = pinned.prepare(pinned.MAIN)
    settings = exporter.settings(model.facts)
    runs_code = own_code.runs(model, Path(environment.python[0]))
    require_agreement(model, environment, runs_code=runs_code)
    plain = bool(model.facts.own_code) and not runs_code
    step = Step(
        name=f"export {model.name} as {kind}",
        output=cache_dir("exports", f"{_plain(model.name)}-{model.key[:8]}", kind),
        inputs={
            "model": model.key,
            "environment": environment.key,
            "settings": " ".join(settings),
            **({"code": "transformers' own"} if plain else {}),
        },
    )

    def make(partial: Path) -> None:
        title = f"Export {model.name} as {kind}"
        needs.require(needs.of(model.facts, exporter), partial, title, ignore_memory=ignore_memory)
        if plain:
            remark(f"{model.name} brings code of its own; transformers' class is newer and is used instead.")
        source = own_code.without(model.folder, partial) if plain else model.folder
        _export(model, source, exporter, settings, environment, partial)

    steps.ensure(step, make, quiet_when_fresh=True, damage=manifests.damage)
    if not kind.startswith(DIRECTML):
        return step.output
    return stabilise(step.output, model=_plain(model.name), mode=mode_for(model.name, stable_norms))


def export_all(
    model: Model,
    kinds: Sequence[str],
    *,
    stable_norms: str = "",
    ignore_memory: bool = False,
    each: Callable[[], object] = lambda: None,
) -> dict[str, Path | WheelhouseError]:
    """Export `model` as every kind, two at a time where the memory allows; a failure is the value, not the end.

    `stable_norms` and `ignore_memory` are as for `export`; `each` is called after every one. Raise only what concerns
    all of them: UsageError for an unknown kind, and what making the environment may raise.
    """
    for kind in kinds:
        _exporter(kind)
    mode_for(model.name, stable_norms)
    pinned.prepare(pinned.MAIN)  # before the threads, so that it fails once or is made once

    def attempt(kind: str) -> Path | WheelhouseError:
        try:
            return export(model, kind, stable_norms=stable_norms, ignore_memory=ignore_memory)
        except WheelhouseError as error:
            return error
        finally:
            each()

    largest = max((needs.of(model.facts, EXPORTERS[kind]).memory for kind in kinds), default=0)
    pool = ThreadPoolExecutor(max_workers=needs.at_once(largest, AT_ONCE))
    try:
        return dict(zip(kinds, pool.map(attempt, kinds), strict=True))
    except BaseException:  # Ctrl-C arrives in this thread only
        pool.shutdown(wait=False, cancel_futures=True)
        process.end_all()
        raise
    finally:
        pool.shutdown()


def info(folder: Path) -> ExportInfo:
    """Return what an export's folder says about itself. Raise OSError or msgspec.MsgspecError when it says nothing."""
    return msgspec.json.decode((folder / INFO).read_bytes(), type=ExportInfo)


def _exporter(kind: str) -> Exporter:
    if kind not in EXPORTERS:
        raise UsageError(f"There is no export '{kind}'. {nearest(kind, EXPORTS)}")
    return EXPORTERS[kind]


def _export(
    model: Model,
    source: Path,
    exporter: Exporter,
    settings: tuple[str, ...],
    environment: Environment,
    partial: Path,
) -> None:
    """Export the folder `source`, which is the model's or a copy of it, into the folder `partial`."""
    title = f"export {model.name} as {exporter.kind}"
    log = log_dir() / "exports" / f"{_plain(model.name)}-{exporter.kind}.log"
    arguments = exporter.arguments(source, partial, settings)
    temporary = partial / _TEMPORARY
    temporary.mkdir()
    variables = {**_VARIABLES, "HF_MODULES_CACHE": str(temporary / "modules")}
    command = environment.command(*arguments, cwd=partial, env=variables, temporary=temporary, timeout=_SECONDS)
    with task(title) as shown:
        try:
            process.run(command, log=log, on_line=shown.update)
        except StepFailedError as error:
            raise _explained(error, log, title) from error
        remove_tree(temporary)
        remove_tree(partial / own_code.FOLDER)
        missing = [name for name in exporter.files if not (partial / name).is_file()]
        if missing:
            raise StepFailedError(
                f"{title} ended well but wrote no {', '.join(missing)}.",
                remedy="The log says why; a tokenizer that cannot be converted is the usual cause.",
                log=log,
            )
        described = ExportInfo(
            kind=exporter.kind,
            model=model.name,
            model_key=model.key,
            environment=environment.label,
            settings=settings,
        )
        write_atomic(partial / INFO, msgspec.json.format(msgspec.json.encode(described)))
        manifests.write(partial)


def _explained(error: StepFailedError, log: Path, title: str) -> WheelhouseError:
    output = log.read_text(encoding="utf-8", errors="replace")
    if "No space left on device" in output:
        return disk_full(title, log=log)
    if "SIGKILL" in error.message or "MemoryError" in output or "bad_alloc" in output:
        return ResourceError(
            f"'{title}' was ended, most likely for lack of memory.",
            remedy="Close other programs or take a smaller model, and run the same again: what is finished is kept.",
            log=log,
        )
    version = _VERSION.search(output)
    if version:
        return UnsupportedError(
            f"optimum-intel exports models of this kind with transformers {_BOUND[version[1]]} {version[2]}; "
            f"{version[3]} is pinned.",
            remedy="Other backends run it: `invoke backends` lists them.",
            log=log,
        )
    return error


def _plain(name: str) -> str:
    return "".join(c if c.isalnum() or c in "._-" else "-" for c in name)
