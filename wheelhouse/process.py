"""The one way to run a process: an argument list, shown as typed, logged, limited in time, explained when it fails."""

from __future__ import annotations

import collections
import os
import shlex
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import IO

from wheelhouse import console, memory
from wheelhouse.errors import StepFailedError, ToolchainError
from wheelhouse.processes import exits, job_object, own_settings
from wheelhouse.processes.idling import Idling
from wheelhouse.processes.lifeline import die_with_parent
from wheelhouse.processes.orphans import end_session, end_with_descendants, ending_with_us
from wheelhouse.processes.quoting import Shell, own_shell, quote
from wheelhouse.streams import OR_CODE_PAGE, WRITES_UTF_8

TAIL_LINES = 15
OUT_OF_MEMORY = "was killed by the system, which had no memory left"
FREE_MEMORY = "End other programs or use a machine with more memory, then run the same again."
_running: set[subprocess.Popen[str]] = set()


@dataclass(frozen=True, kw_only=True)
class Command:
    """A process to start.

    `env` is added to this process's environment and `unset` removed from it; `timeout` is in seconds. `temporary` is
    where its temporary files go: what a killed one leaves there goes with the folder around it.
    """

    argv: tuple[str, ...]
    cwd: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    unset: tuple[str, ...] = ()
    timeout: float = 3600.0
    temporary: PurePath | None = None

    def environment(self) -> dict[str, str]:
        """Return the whole environment that the process will see."""
        kept = {name: value for name, value in own_settings.inherited(os.environ).items() if name not in self.unset}
        own = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(self.temporary)) if self.temporary else {}
        return kept | own | dict(self.env)


@dataclass(frozen=True, kw_only=True)
class Completed:
    """How a process ended: its exit code (negative: killed by that signal), its output's last lines, its seconds.

    `log`: the file with its whole output. `idle_seconds`: it did nothing for so long, and was ended. `out_of_memory`:
    it was killed, and the kernel has killed something for want of memory meanwhile.
    """

    returncode: int
    tail: tuple[str, ...]
    seconds: float
    timed_out: bool = False
    idle_seconds: float = 0.0
    out_of_memory: bool = False
    log: Path | None = None


def render(command: Command, shell: Shell = "posix") -> str:
    """Return the command as one line to type: directory, then variables, then the command itself."""
    line = " ".join(quote(a, shell) for a in command.argv)
    if shell == "posix":
        variables = [f"{k}={shlex.quote(v)}" for k, v in command.env.items()]
        line = " ".join([*variables, line])
        return f"cd {shlex.quote(str(command.cwd))} && {line}" if command.cwd else line
    if shell == "cmd":
        directory = [f"cd /d {quote(str(command.cwd), shell)}"] if command.cwd else []
        return " && ".join([*directory, *(f'set "{k}={v}"' for k, v in command.env.items()), line])
    directory = [f"cd {quote(str(command.cwd), shell)}"] if command.cwd else []
    variables = ["$env:{}='{}'".format(k, v.replace("'", "''")) for k, v in command.env.items()]
    return "; ".join([*directory, *variables, f"& {line}" if line.startswith("'") else line])


def run(
    command: Command,
    *,
    log: Path,
    check: bool = True,
    remedy: str = "",
    echo: bool = True,
    on_line: Callable[[str], None] | None = None,
    idling: Idling | None = None,
) -> Completed:
    """Run a command with its output in `log`; return how it ended.

    `on_line` receives each line of the output as it comes. With `check`, a failure raises StepFailedError with the
    output's tail. A missing program raises ToolchainError; a time-out ends the process and everything it started, and
    so does `idling` as long as it watches.
    """
    typed = render(command, own_shell())
    if echo:
        console.command(typed)
    for folder in (log.parent, *filter(None, [command.temporary])):
        Path(folder).mkdir(parents=True, exist_ok=True)
    started, kills = time.monotonic(), memory.kills()
    tail: collections.deque[str] = collections.deque(maxlen=TAIL_LINES)
    with log.open("w", encoding="utf-8", errors="replace") as stream:
        stream.write(f"+ {typed}\n")
        with (
            _start(command) as process,
            ending_with_us(process),
            _deadline(process, command.timeout) as expired,
        ):
            _running.add(process)
            if idling is not None:
                idling.begin(process, lambda: end_process_tree(process))
            try:
                _pump(process.stdout, stream, tail, on_line)
                returncode = process.wait()
            except BaseException:  # Ctrl-C as well: nothing that we started survives us
                end_process_tree(process)
                raise
            finally:
                _running.discard(process)
                if idling is not None:
                    idling.stop()
    done = Completed(
        returncode=returncode,
        tail=tuple(tail),
        seconds=time.monotonic() - started,
        timed_out=expired.is_set(),
        idle_seconds=idling.seconds if idling is not None and idling.ended else 0.0,
        out_of_memory=not expired.is_set() and memory.explains(returncode, kills),
        log=log,
    )
    if check and (returncode != 0 or done.timed_out):
        raise _failure(command, done, log, remedy)
    return done


def _start(command: Command) -> subprocess.Popen[str]:
    try:
        process = subprocess.Popen(
            command.argv,
            cwd=command.cwd,
            env=command.environment() | WRITES_UTF_8 | dict(command.env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors=OR_CODE_PAGE,
            start_new_session=os.name == "posix",
            preexec_fn=die_with_parent(),  # noqa: PLW1509 - makes system calls only
            creationflags=job_object.CREATION_FLAGS,
        )
    except FileNotFoundError as error:
        raise ToolchainError(
            f"'{command.argv[0]}' was not found{'' if command.cwd is None else f' (started in {command.cwd})'}.",
            remedy="Install it or put it on PATH; `invoke doctor` lists what this machine has.",
        ) from error
    except OSError as error:
        raise ToolchainError(f"'{command.argv[0]}' could not be started: {error.strerror}.") from error
    job_object.adopt(process)
    return process


def _pump(
    source: IO[str] | None, log: IO[str], tail: collections.deque[str], on_line: Callable[[str], None] | None
) -> None:
    if source is None:
        return
    for line in source:
        log.write(line)
        tail.append(line.rstrip())
        if on_line is not None:
            on_line(line.rstrip())


class _deadline:  # noqa: N801 - used as a context manager, like a function
    """Ends the process tree when the time is over; the event says whether it had to."""

    def __init__(self, process: subprocess.Popen[str], seconds: float) -> None:
        self._expired = threading.Event()
        self._timer = threading.Timer(seconds, self._expire, [process])
        self._timer.daemon = True

    def _expire(self, process: subprocess.Popen[str]) -> None:
        self._expired.set()
        end_process_tree(process)

    def __enter__(self) -> threading.Event:
        self._timer.start()
        return self._expired

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()


def end_all() -> None:
    """End every process that `run` has started in any thread: Ctrl-C reaches the main thread only."""
    for process in list(_running):
        end_process_tree(process)


def end_process_tree(process: subprocess.Popen[str]) -> None:
    """Kill a process that `run` started and everything it started in turn."""
    if os.name == "posix":
        end_session(process.pid)
    elif not job_object.end(process):
        end_with_descendants(process)


def _failure(command: Command, done: Completed, log: Path, remedy: str) -> StepFailedError:
    from wheelhouse.known_failures import recognise_in

    name = Path(command.argv[0]).name
    if done.timed_out:
        how = f"did not finish within {command.timeout:.0f} s and was ended"
    elif done.out_of_memory:
        how, remedy = OUT_OF_MEMORY, FREE_MEMORY
    else:
        how = exits.describe_exit(done.returncode)
    tail = "\n".join(f"  | {line}" for line in done.tail)
    known = recognise_in(log, done.tail)
    if known is not None:
        how, remedy = f"{how}: {known.cause.rstrip('.')}", known.advice
    return StepFailedError(f"{name} {how}.\n{tail}\n", remedy=remedy, log=log)
