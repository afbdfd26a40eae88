"""`invoke generate`: one prompt, or a chat, on any backend; the answer appears as it is written."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, TextIO

import msgspec
from msgspec import MsgspecError, Struct

from smoke.backends import selection
from smoke.backends.registry import BACKENDS, WORKER
from smoke.backends.variants import Backend, Variant
from smoke.environments.source import Environment
from smoke.exports.making import export
from smoke.models.resolving import resolve
from smoke.parity.dumps import Device
from smoke.running import generation_job
from wheelhouse import console, scratch
from wheelhouse.console import say, warn
from wheelhouse.errors import ParityError, StepFailedError, UnsupportedError, UsageError
from wheelhouse.files import write_atomic
from wheelhouse.known_failures import recognise_in
from wheelhouse.paths import log_dir
from wheelhouse.process import render
from wheelhouse.processes.orphans import start_with_us
from wheelhouse.processes.quoting import own_shell

SCRIPT = WORKER / "converse.py"
LONGEST = 4096
GRACE_SECONDS = 20.0
"""How long a worker may take to end its answer after Ctrl-C."""
INSISTENCE, INSISTENCE_SECONDS = 3, 3.0
"""So many times Ctrl-C in so many seconds are meant for the whole chat."""
INTERRUPTED = 130


class Answer(Struct, frozen=True, kw_only=True):
    """One answer, as the worker describes it; times in seconds."""

    text: str
    tokens: int
    prompt_tokens: int
    first_s: float
    tokens_per_s: float | None
    interrupted: bool


class Told(Struct, frozen=True, kw_only=True):
    """What the worker leaves behind."""

    status: str
    reason: str = ""
    remedy: str = ""
    device: Device = Device(name="")
    notes: tuple[str, ...] = ()
    answers: tuple[Answer, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Request:
    """What was asked; with `chat`, further prompts are read from the terminal after the first answer."""

    prompt: str
    backend: str
    model: str
    max_new_tokens: int
    chat: bool = False
    trust: bool = False
    """Whether code that the model brings may be run."""

    @classmethod
    def asked(
        cls, prompt: str, *, backend: str, model: str, max_new_tokens: int, chat: bool, trust: bool = False
    ) -> Request:
        """Return the request, with all of standard input as its prompt where the prompt is `-`."""
        if prompt == "-":
            if chat:
                raise UsageError(
                    "A chat reads its further prompts from standard input, so its first cannot be all of it.",
                    remedy='Give the first prompt in quotation marks: invoke generate "Hello" --chat.',
                )
            prompt = sys.stdin.read()
        return cls(prompt=prompt, backend=backend, model=model, max_new_tokens=max_new_tokens, chat=chat, trust=trust)

    def __post_init__(self) -> None:
        if not 1 <= self.max_new_tokens <= LONGEST:
            raise UsageError(f"--max-new-tokens is {self.max_new_tokens}; it must be between 1 and {LONGEST}.")
        if not self.prompt.strip():
            raise UsageError("There is no prompt.", remedy='Give it in quotation marks: invoke generate "Hello".')


def generate(request: Request) -> None:
    """Answer, streaming to standard output; then say on standard error how fast, and on which device.

    Raise UsageError, InputError, UnsupportedError (the backend cannot run here), StepFailedError (the worker failed),
    ParityError (it ran on another device than asked for), and what making environment, model or export may raise.
    """
    backend, variant = chosen(request.backend)
    status = backend.source.status()
    if not status.ready and not status.makeable:
        raise UnsupportedError(status.reason, remedy=status.remedy)
    if variant.unasked is not None and (doubt := variant.unasked()):
        warn(doubt)  # before minutes of exporting: the runtime has the last word
    model = replace(resolve(request.model), trusted=request.trust)  # first: what it is called may be mistyped
    environment = backend.source.prepare(())
    asked = generation_job.asked(model, request.prompt, request.max_new_tokens, chat=request.chat)
    folder = export(model, variant.export) if variant.export else model.folder
    with scratch.folder() as work:
        told, code = _run(asked, backend, variant, environment, (folder, model.folder), work)
    _report(told, code, f"{backend.name}:{variant.name}", variant)


def chosen(name: str, known: Sequence[Backend] = BACKENDS) -> tuple[Backend, Variant]:
    """Return the backend and variant of a name such as "openvino:int4"; BACKEND alone means its first variant."""
    backend_name, _, variant_name = name.partition(":")
    selection.select([name], everything=False, known=known)  # for its errors
    backend = next(b for b in known if b.name == backend_name)
    return backend, next(v for v in backend.variants if variant_name in {"", v.name})


def _run(
    asked: Mapping[str, Any],
    backend: Backend,
    variant: Variant,
    environment: Environment,
    folders: tuple[Path, Path],
    work: Path,
) -> tuple[Told, int]:
    named = environment.host_path
    job = {
        **asked,
        "engine": named(backend.engine),
        "model": named(folders[0]),
        "source": named(folders[1]),
        "device": variant.device,
        "options": dict(variant.options),
        "output": named(work),
    }
    write_atomic(work / "job.json", json.dumps(job, ensure_ascii=False))
    command = environment.command(named(SCRIPT), named(work / "job.json"), cwd=work, temporary=work)
    log = log_dir() / "generate" / f"{backend.name}-{variant.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    console.command(render(command, own_shell()))
    say(f"… {asked['name']} on {backend.name}:{variant.name}", style="dim")
    # Not process.run: the answer goes to the terminal as it comes, and the chat's lines come from there.
    with log.open("wb") as noise:
        direct = None if environment.reads_terminal else subprocess.PIPE
        source = direct if asked["chat"] else subprocess.DEVNULL
        worker = start_with_us(command.argv, cwd=command.cwd, env=command.environment(), stdin=source, stderr=noise)
        if worker.stdin is not None:
            threading.Thread(target=_forward, args=[sys.stdin, worker.stdin], daemon=True).start()
        code = _wait(worker, chat=bool(asked["chat"]))
    return _told(work / "answer.json", code, log), code


def _forward(source: TextIO, target: IO[bytes]) -> None:
    """Pass on each line of the chat as it is typed, and its end."""
    with contextlib.suppress(OSError, ValueError), target:  # the worker may end while a line is being typed
        for line in source:
            target.write(line.encode())
            target.flush()


def _wait(worker: subprocess.Popen[bytes], *, chat: bool) -> int:
    """Wait for a worker. Ctrl-C reaches it as well (it is in the terminal's foreground): give it time to finish.

    In a chat Ctrl-C ends an answer, after which the worker asks for the next prompt: only insistence ends it.
    """
    pressed: list[float] = []
    while True:
        patient = chat and len(pressed) < INSISTENCE
        try:
            return worker.wait(None if patient or not pressed else GRACE_SECONDS)
        except KeyboardInterrupt:
            now = time.monotonic()
            pressed = [*(before for before in pressed if now - before < INSISTENCE_SECONDS), now]
            if chat or len(pressed) == 1:
                continue
        except subprocess.TimeoutExpired:
            pass
        worker.kill()
        return worker.wait()


def _told(path: Path, code: int, log: Path) -> Told:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Told)
    except (OSError, MsgspecError, ValueError, RecursionError):
        if code in {INTERRUPTED, -2}:
            return Told(status="interrupted")
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-8:]
        tail = "\n".join(f"  | {line}" for line in lines)
        raise _failed(f"The worker ended with exit code {code} and no answer.\n{tail}\n", log) from None


def _failed(what: str, log: Path) -> StepFailedError:
    known = recognise_in(log, what.splitlines())
    if known is None:
        return StepFailedError(what, log=log)
    return StepFailedError(f"{what} {known.cause}", remedy=known.advice, log=log)


def _report(told: Told, code: int, name: str, variant: Variant) -> None:
    if told.status == "unavailable":
        raise UnsupportedError(told.reason, remedy=told.remedy)
    if told.status == "failed":
        raise _failed(f"{name} failed: {told.reason}", log_dir() / "generate" / f"{name.replace(':', '-')}.log")
    for answer in told.answers:
        say(line(answer, told.device), style="dim")
    for note in told.notes:
        say(f"note: {note}", style="dim")
    if code == INTERRUPTED or told.status == "interrupted":
        raise KeyboardInterrupt
    device = told.device.name.split(".", maxsplit=1)[0]
    if device != variant.device and variant.announced:
        warn(f"{name} ran on {told.device.name}, as its name says")
    elif device != variant.device:
        raise ParityError(
            f"{name} was asked for {variant.device} and ran on {told.device.name} ({told.device.evidence}).",
            remedy="`invoke advise` says which backends suit this machine.",
        )


def line(answer: Answer, device: Device) -> str:
    """Return how fast an answer came, and on which device, in one line."""
    rate = f"{answer.tokens_per_s:.1f} tokens/s" if answer.tokens_per_s is not None else "too short for a rate"
    where = f"{device.name} ({device.description})" if device.description else device.name
    count = f"{answer.tokens} token{'' if answer.tokens == 1 else 's'}"
    stopped = ", interrupted" if answer.interrupted else ""
    return f"{count}{stopped}, {rate}, first token after {answer.first_s:.2f} s, device {where}"
