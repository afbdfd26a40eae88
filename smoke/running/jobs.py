"""Running one worker: writes its job, starts it in its environment, reads its progress, returns how it ended."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from smoke.backends.registry import WORKER
from smoke.backends.variants import Variant
from smoke.environments.source import Environment
from smoke.parity.dumps import Dump
from smoke.running.asked import corpus
from wheelhouse import process
from wheelhouse.errors import BusyError
from wheelhouse.files import remove_tree, write_atomic
from wheelhouse.paths import cache_dir
from wheelhouse.process import Completed
from wheelhouse.processes import alone
from wheelhouse.processes.idling import Idling

MAIN = WORKER / "main.py"
PROGRESS = "@progress "
_TEMPORARY = "tmp"
DECODE_STEPS = 8
"""Last positions of each prompt that are scored one at a time, through the cache, as in generation."""
PROBE_EVERY = 8
"""A runtime that shows no logits is asked for its choice after every so many golden tokens, and for the last."""


START_SECONDS = 120.0
"""How long a worker may do nothing at all until its model is loaded: less than a slow disk or driver ever needs, for
those keep it busy, and what hangs (GenAI waiting for its telemetry, say) ends long before the time limit."""
STARTING = ("start", "load")


@dataclass(frozen=True, kw_only=True)
class Questions:
    """What every worker of a run is asked. `golden` is the reference's dump; None for the reference itself.

    `most` are the tokens that the model takes; None: it names no limit.
    """

    prompts: Sequence[str]
    text: str
    max_new_tokens: int
    repeat: int = 1
    lengths: Sequence[int] = ()
    most: int | None = None
    decode_steps: int = DECODE_STEPS
    golden: Dump | None = None
    context: dict[str, Any] = field(default_factory=dict)
    """See long_prompt.question."""

    def as_json(self) -> dict[str, Any]:
        """Return the part of the job that is the same for all workers."""
        common: dict[str, Any] = {
            "text": self.text,
            "max_new_tokens": self.max_new_tokens,
            "decode_steps": self.decode_steps,
            "repeat": self.repeat,
            "lengths": list(self.lengths),
            **({} if self.most is None else {"most": self.most}),
        }
        if self.golden is None or self.golden.made is None:
            chats = [{"name": n, "messages": list(c), "plain": n in corpus.PLAIN} for n, c in corpus.CHATS.items()]
            common["texts"] = {"corpus": corpus.TEXTS, "chats": chats}
        else:
            common["texts"] = msgspec.to_builtins(self.golden.made)
        ids = self.golden.context.ids if self.golden is not None else ()
        if self.context and (ids or self.golden is None):
            common["context"] = {**self.context, "ids": list(ids)}
        if self.golden is None:
            return {**common, "prompts": [{"message": prompt} for prompt in self.prompts]}
        asked = [
            {
                "text": prompt.text,
                "ids": prompt.ids,
                "continuation": prompt.tokens,
                "answer": prompt.answer,
                "probes": sorted({*range(0, len(prompt.tokens), PROBE_EVERY), len(prompt.tokens) - 1}),
            }
            for prompt in self.golden.prompts
        ]
        return {**common, "prompts": asked, "text_ids": self.golden.text_ids}


@dataclass(frozen=True, kw_only=True)
class Worker:
    """One worker to start: with which engine, in which environment, on which model (made of `source`)."""

    engine: Path
    variant: Variant
    environment: Environment
    model: Path
    source: Path
    folder: Path
    log: Path
    timeout: float
    trusts: bool = False
    """Whether the model's own code is run."""

    def run(self, questions: Questions, on_progress: Callable[[str], None]) -> Completed:
        """Run the worker to its end, to its time limit, or until it does nothing for START_SECONDS while it starts.

        `on_progress` receives the stage it is in. It has no network, where the system lets us take it away: its
        environment and its model are there already.

        Raise ToolchainError when its Python cannot be started, OSError when the job cannot be written.
        """
        name = self.environment.host_path
        job = {
            **questions.as_json(),
            "engine": name(self.engine),
            "model": name(self.model),
            "source": name(self.source),
            "trust": self.trusts,
            "scored_only": self.variant.is_base,
            "device": self.variant.device,
            "options": dict(self.variant.options),
            "output": name(self.folder),
        }
        self.folder.mkdir(parents=True)
        write_atomic(self.folder / "job.json", json.dumps(job, ensure_ascii=False))
        env = {"HF_MODULES_CACHE": name(cache_dir("modules"))} if self.trusts else {}
        temporary = self.folder / _TEMPORARY
        temporary.mkdir()
        command = self.environment.command(
            name(MAIN), name(self.folder / "job.json"), env=env, temporary=temporary, timeout=self.timeout
        )
        if name(self.folder) == str(self.folder):  # a Windows Python in Wine has namespaces already
            command = replace(command, argv=(*alone.prefix(), *command.argv))
        idling = Idling(START_SECONDS)

        def hear(line: str) -> None:
            if line.startswith(PROGRESS):
                stage = line.removeprefix(PROGRESS)
                if stage.split(" ")[0] not in STARTING:
                    idling.stop()
                on_progress(stage)

        try:
            return process.run(command, log=self.log, check=False, on_line=hear, idling=idling)
        finally:
            with suppress(BusyError):  # a process that is just ending may still have something open in it
                remove_tree(temporary)
