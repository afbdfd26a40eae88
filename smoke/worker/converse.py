"""Answers one prompt, or several in turn, and shows each answer as it is written: `python converse.py JOB.json`.

The job is that of main.py with `turns` (prompts), `chat` (further ones are read from standard input, line by line),
`max_new_tokens`, `most` (tokens that the model takes, or null), `begin` (what stands before a prompt that is continued
as plain text; null: there is a chat template) and `output`, a folder for answer.json. Standard output gets the answers
and nothing else: whatever libraries print goes to standard error. Ctrl-C ends the answer, in a chat not the
conversation.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

import main as worker
import worker_engine
from worker_stream import Writer

INTERRUPTED = 130
CANNOT_RENDER = "This runtime's template engine cannot render the model's chat template"


class CtrlC:
    """Hears of Ctrl-C in any thread, also while the main one is inside a library and runs no Python.

    Python calls its signal handlers in the main thread only, once that runs Python again: with a pipeline in C++, after
    the last token. The interpreter writes the signal's number to a socket at once.
    """

    def __enter__(self) -> CtrlC:
        self._ours, self._theirs = socket.socketpair()
        self._ours.settimeout(0)
        self._theirs.settimeout(0)
        self._former = signal.set_wakeup_fd(self._theirs.fileno(), warn_on_full_buffer=False)
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(self._former)
        self._ours.close()
        self._theirs.close()

    def heard(self) -> bool:
        """Say whether Ctrl-C was pressed since the last question."""
        try:
            return signal.SIGINT in self._ours.recv(64)
        except BlockingIOError:
            return False


def answer(engine: worker_engine.Engine, ids: Sequence[int], limit: int, stream: TextIO) -> dict[str, Any]:
    """Continue `ids`; return the text, and how long it took. An interrupted answer counts as far as it got."""
    with CtrlC() as pressed:
        writer = Writer(engine.decode, stream, pressed.heard)
        started = time.perf_counter()
        interrupted = False
        former = signal.signal(signal.SIGINT, writer.stop)
        try:
            engine.generate(ids, limit, writer.add)
            interrupted = writer.stopping
        except KeyboardInterrupt:
            interrupted = True
        finally:
            signal.signal(signal.SIGINT, former)
    ended = time.perf_counter()
    rest = writer.finish()
    stream.write("\n")
    stream.flush()
    first = (writer.first or ended) - started
    after = len(writer.tokens) - 1
    return {
        "text": rest,
        "tokens": len(writer.tokens),
        "prompt_tokens": len(ids),
        "first_s": first,
        "tokens_per_s": after / (ended - started - first) if after > 0 else None,
        "interrupted": interrupted,
    }


def rendered(engine: worker_engine.Engine, messages: Sequence[dict[str, str]]) -> str:
    """Return a conversation in the model's chat template, before anything is generated."""
    try:
        return engine.conversation(messages)
    except Exception as error:
        raise RuntimeError(f"{CANNOT_RENDER}: {error}") from error


def asked(turns: Sequence[str], source: TextIO | None, stream: TextIO) -> Iterator[str]:
    """Yield what the user says: the given turns, then lines of `source` (if any) until its end."""
    yield from turns
    while source is not None:
        stream.write("> ")
        stream.flush()
        line = source.readline()
        if not line:
            stream.write("\n")
            return
        if line.strip():
            yield line.strip()


def converse(job: dict[str, Any], stream: TextIO, source: TextIO | None) -> dict[str, Any]:
    """Load the engine and hold the conversation; return what is to be known about it."""
    engine = worker._engine_module(job["engine"]).load(job)  # noqa: SLF001 - one folder, one worker
    engine.wish = job.get("asks") or {}
    messages: list[dict[str, str]] = []
    answers: list[dict[str, Any]] = []
    notes: list[str] = []
    for said in asked(job["turns"], source, stream):
        messages.append({"role": "user", "content": said})
        begin, most = job.get("begin"), job.get("most")
        ids = engine.encode(rendered(engine, messages) if begin is None else begin + said)
        room = job["max_new_tokens"] if most is None else min(job["max_new_tokens"], most - len(ids))
        if room < 1:
            notes.append(f"the conversation has {len(ids)} tokens and the model takes {most}: begin another one")
            break
        answers.append(answer(engine, ids, room, stream))
        messages.append({"role": "assistant", "content": answers[-1]["text"]})
    return {"status": "ok", "device": engine.device(), "notes": [*engine.notes(), *notes], "answers": answers}


def main(arguments: list[str]) -> int:
    """Do the job of the file `arguments[0]`; return 0, 3 when it failed, 130 when it was interrupted."""
    job = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace", newline="\n")
    os.dup2(2, 1)  # from here on, libraries that print do not print into the answer
    try:
        found = converse(job, stream, sys.stdin if job["chat"] else None)
    except worker_engine.UnavailableError as absent:
        found = {"status": "unavailable", "reason": absent.reason, "remedy": absent.remedy}
    except KeyboardInterrupt:
        found = {"status": "interrupted", "answers": []}
    except Exception as error:  # noqa: BLE001 - whatever a runtime throws belongs into the report
        traceback.print_exc()
        found = {"status": "failed", "reason": f"{type(error).__name__}: {error}"}
    Path(job["output"], "answer.json").write_text(json.dumps(found), encoding="utf-8")
    if found["status"] == "failed":
        return 3
    last = (found.get("answers") or [{}])[-1]
    return INTERRUPTED if found["status"] == "interrupted" or last.get("interrupted") else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
