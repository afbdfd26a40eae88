"""Compiling a model for NPUs that are not here: one process per attempt, because a compiler can crash or hang."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from smoke.backends.npu import PLATFORMS
from smoke.backends.registry import WORKER
from smoke.environments.source import Environment
from smoke.exports import making as exporting
from smoke.models.model import Model
from smoke.parity.verdicts import of_process
from smoke.suites.npu_check import settings
from smoke.suites.npu_check.settings import Attempt
from wheelhouse import process, scratch
from wheelhouse.console import task
from wheelhouse.errors import WheelhouseError
from wheelhouse.files import require_space, write_atomic

SCRIPT = WORKER / "npu_compile.py"
SECONDS = 1800.0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How an attempt ended: `message` says in words why it did not compile; sizes in bytes, times in seconds."""

    attempt: Attempt
    compiled: bool
    message: str = ""
    seconds: float = 0.0
    blob_bytes: int = 0
    version: str = ""
    blob: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One platform: the first attempt, and those that followed until one compiled."""

    platform: str
    outcomes: tuple[Outcome, ...]

    @property
    def product(self) -> str:
        """Return the name of the products with this NPU."""
        return PLATFORMS[self.platform]

    @property
    def compiled(self) -> Outcome | None:
        """Return the attempt that compiled, if one did."""
        return next((outcome for outcome in self.outcomes if outcome.compiled), None)

    @property
    def advice(self) -> str:
        """Say what to change, in words; "" when the first attempt compiled."""
        found = self.compiled
        if found is None:
            return "Nothing that was tried helps: use another backend for this model on this NPU."
        if found is self.outcomes[0]:
            return ""
        return f"Use {found.attempt.settings} (--backend {settings.BACKENDS[found.attempt.export]})."


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What all attempts share: the compiler's environment, and folders for jobs, logs and (optionally) blobs."""

    environment: Environment
    folder: Path
    logs: Path
    save: Path | None
    timeout: float

    def run(self, attempt: Attempt, model: Path) -> Outcome:
        """Compile the export in the folder `model` as `attempt` says. Whatever the compiler does becomes an Outcome."""
        name = f"{attempt.platform}-{attempt.export}-{attempt.prompt}"
        output, job = self.folder / f"{name}.result.json", self.folder / f"{name}.json"
        blob = self.save / f"{name}.blob" if self.save else None
        named = self.environment.host_path
        asked = {
            "model": named(model / "openvino_model.xml"),
            "platform": attempt.platform,
            "prompt": attempt.prompt,
            "response": settings.RESPONSE,
            "blob": named(blob) if blob else "",
            "output": named(output),
        }
        write_atomic(job, json.dumps(asked))
        command = self.environment.command(named(SCRIPT), named(job), timeout=self.timeout)
        with task(f"{PLATFORMS[attempt.platform]}: {attempt.settings}") as shown:
            done = process.run(command, log=self.logs / f"npu-{name}.log", check=False, on_line=shown.update)
            found = _outcome(attempt, done, output, blob, self.timeout)
            if not found.compiled:
                shown.fail("refused")
        return found


def _outcome(attempt: Attempt, done: process.Completed, output: Path, blob: Path | None, limit: float) -> Outcome:
    bad_end = of_process(done, limit)
    if bad_end is not None:
        return Outcome(attempt=attempt, compiled=False, message=f"the compiler's process failed: {bad_end.reason}")
    try:
        said = json.loads(output.read_text(encoding="utf-8"))
        return Outcome(
            attempt=attempt,
            compiled=bool(said["compiled"]),
            message="" if said["compiled"] else settings.explained(str(said["message"]), "\n".join(done.tail)),
            seconds=float(said["seconds"]),
            blob_bytes=int(said["blob_bytes"]),
            version=str(said["version"]),
            blob=blob if said["compiled"] else None,
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        return Outcome(attempt=attempt, compiled=False, message=f"the compiler left no readable answer: {error}")


def check(
    model: Model,
    platforms: Sequence[str],
    *,
    prompt: int,
    environment: Environment,
    logs: Path,
    save: Path | None,
    timeout: float = SECONDS,
) -> list[Finding]:
    """Compile `model` for each platform; where it is refused, try what may help until something compiles.

    `save` is a folder for the blobs, `timeout` the seconds that one attempt may take. Raise what making the first
    export may raise; a later export that cannot be made is an outcome.
    """
    first_export = exporting.export(model, settings.GROUPS)
    exports: dict[str, Path | WheelhouseError] = {settings.GROUPS: first_export}

    def exported(kind: str) -> Path | WheelhouseError:
        if kind not in exports:
            exports.update(exporting.export_all(model, (kind,)))
        return exports[kind]

    if save is not None:
        save.mkdir(parents=True, exist_ok=True)
        weights = sum(path.stat().st_size for path in first_export.glob("*.bin"))
        require_space(save, 2 * weights * len(platforms), "Keeping the blobs")
    with scratch.folder() as folder:
        bench = Bench(environment=environment, folder=folder, logs=logs, save=save, timeout=timeout)
        return [_one(platform, prompt, bench.run, exported) for platform in platforms]


def _one(
    platform: str,
    prompt: int,
    run: Callable[[Attempt, Path], Outcome],
    exported: Callable[[str], Path | WheelhouseError],
) -> Finding:
    first = Attempt(platform=platform, prompt=prompt)
    outcomes: list[Outcome] = []
    for attempt in (first, *settings.remedies(first)):
        export = exported(attempt.export)
        if isinstance(export, WheelhouseError):
            outcomes.append(Outcome(attempt=attempt, compiled=False, message=f"its export failed: {export.message}"))
            continue
        outcomes.append(run(attempt, export))
        if outcomes[-1].compiled:
            break
    return Finding(platform=platform, outcomes=tuple(outcomes))


def as_json(findings: Sequence[Finding]) -> list[Mapping[str, object]]:
    """Return the findings as JSON values."""
    return [
        {
            "platform": finding.platform,
            "product": finding.product,
            "compiles": finding.compiled is not None,
            "advice": finding.advice,
            "attempts": [
                {
                    "export": outcome.attempt.export,
                    "max_prompt_len": outcome.attempt.prompt,
                    "compiled": outcome.compiled,
                    "message": outcome.message,
                    "seconds": outcome.seconds,
                    "blob_bytes": outcome.blob_bytes,
                    "blob": str(outcome.blob or ""),
                    "compiler": outcome.version,
                }
                for outcome in finding.outcomes
            ],
        }
        for finding in findings
    ]
