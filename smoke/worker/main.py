"""Runs one model in one runtime and dumps what came out: `<python of an environment> main.py JOB.json`.

A process of its own in an environment of its own, so it imports nothing of this project from outside this folder and
works on Python 3.9. The job (written by smoke/running/jobs.py):

- `engine`: an engine file; `model`: folder; `source`: the Hugging Face folder that it was made of; `device`,
  `options`: for the engine; `output`: folder for the dump
- `prompts`: for the reference `{"message"}`, for all others `{"text", "ids", "continuation", "probes"}`
- `text`: the fixed text for perplexity; `text_ids`: its token ids, except for the reference
- `texts`: for the reference what to make ids and conversations of, for all others what the reference made of it
- `most`: tokens that the model takes, where it names a limit; the fixed text is cut to them
- `context`: a long text (`ids` of it, except for the reference), how much of it is looked at, and where
- `max_new_tokens`; `decode_steps`: how many of the last positions are scored one at a time
- `repeat`: how often each answer is generated, for its speed; `lengths`: prompts of how many tokens are timed, too
- `scored_only`: no answers of its own, only the logits after given tokens

Everything that is compared is computed from the ids of the reference, so one wrong token does not shift the rest; what
this runtime's own tokenizer makes of the text is recorded beside it. Exit code: 0 when dump.json is there (with a
status), 3 when it holds an error.
"""

from __future__ import annotations

import importlib.util
import json
import platform
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import worker_answers
import worker_context
import worker_dump
import worker_engine
import worker_host
import worker_speed
import worker_texts


class Run:
    """One job: its engine, and what has been found out so far (`dump`)."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.job = job
        self.dump: dict[str, Any] = {"status": "failed", "seconds": {}, "prompts": []}
        self.cuts: list[str] = []
        self.stage = "start"
        self._since = time.perf_counter()

    def enter(self, stage: str, note: str = "") -> None:
        """Begin a stage: the time so far belongs to the one before; the parent shows the line as progress."""
        now = time.perf_counter()
        seconds = self.dump["seconds"]
        seconds[self.stage] = seconds.get(self.stage, 0.0) + now - self._since
        self.stage, self._since = stage, now
        print(f"@progress {stage} {note}".rstrip(), flush=True)

    def whole(self) -> None:
        """Do the job."""
        module = _engine_module(self.job["engine"])
        self.enter("load")
        self.dump["origin"] = worker_dump.origin(self.job["model"])
        engine = module.load(self.job)
        self.dump["device"] = engine.device()
        prompts = [self._tokenized(engine, prompt) for prompt in self.job["prompts"]]
        self.enter("warm-up")
        # The first inference compiles kernels and fills caches; the times that follow are those of a program in use.
        first = engine.generate(prompts[0]["ids"], 2)
        self.dump["first_run"] = [first.first_seconds, first.seconds, len(first.tokens)]
        for number, prompt in enumerate(prompts):
            which = f"prompt {number + 1} of {len(prompts)}"
            if not self.job.get("scored_only"):
                self.enter("generate", which)
                self._generate(engine, prompt, which)
            self.enter("score", which)
            self._score(engine, prompt, number)
        self._perplexity(engine)
        self._texts(engine)
        self.dump["peak_memory"] = worker_host.peak_memory()  # before the long context, whose logits are many
        if "context" in self.job:
            self.enter("long context")
            self.dump["context"] = worker_context.measured(engine, self.job)
        unlike = self._speed(engine, prompts)
        self.enter("end")
        engine.close()
        self.dump.update(
            device=engine.device(),  # once more: some runtimes tell only at the end where they ran
            settings={**engine.settings(), "network": worker_host.network()},
            notes=[*engine.notes(), *self.cuts, *unlike],
            weights=engine.matrices(),
            end_ids=engine.end_ids(),
            devices=engine.devices(),
            versions={"python": platform.python_version(), **worker_engine.versions(*module.VERSIONS)},
            loaded=worker_host.loaded_libraries(module.LIBRARIES),
            cpu_seconds=time.process_time(),
            status="ok",
        )

    def _tokenized(self, engine: worker_engine.Engine, prompt: dict[str, Any]) -> dict[str, Any]:
        text = prompt["text"] if "text" in prompt else engine.template(prompt["message"])
        own = engine.encode(text)
        if not own:
            raise ValueError("The tokenizer made no tokens of a prompt.")
        most = self.job.get("most")
        if "message" in prompt and most is not None and len(own) + self.job["max_new_tokens"] > most:
            raise ValueError(f"A prompt has {len(own)} tokens; with its answer that is more than the model takes.")
        entry = {**prompt, "text": text, "own_ids": own, "ids": prompt.get("ids", own)}
        self.dump["prompts"].append({"text": text, "ids": own})
        return entry

    def _generate(self, engine: worker_engine.Engine, prompt: dict[str, Any], which: str) -> None:
        limit = self.job["max_new_tokens"]
        counter = worker_engine.Counter(f"generate {which}", limit) if engine.counts else None
        done = engine.generate(prompt["ids"], limit, counter)
        entry = next(e for e in self.dump["prompts"] if "tokens" not in e)
        entry.update(
            tokens=done.tokens,
            pieces=[engine.decode([token]) for token in done.tokens],
            answer=engine.decode(done.tokens),
            first_seconds=done.first_seconds,
            seconds=done.seconds,
        )
        prompt.setdefault("continuation", done.tokens)

    def _score(self, engine: worker_engine.Engine, prompt: dict[str, Any], number: int) -> None:
        ids, continuation = prompt["ids"], prompt["continuation"]
        entry = self.dump["prompts"][number]
        if not engine.scores:
            positions = prompt.get("probes", [])
            chosen = [(k, *engine.next_choice([*ids, *continuation[:k]])) for k in positions]
            entry["probes"] = [[k, token] for k, token, _ in chosen]
            entry["chances"] = [chance for _, _, chance in chosen]
            if "tokens" in entry:
                known = entry["probes"]
                entry.update(worker_answers.rechecked_by_choices(engine, ids, entry["tokens"], continuation, known))
            return
        steps = min(self.job["decode_steps"], len(continuation) - 1)
        blocks = engine.score([*ids, *continuation[:-1]], steps)
        rows = worker_dump.collect_rows(blocks, len(ids) - 1)
        entry["stepped"] = max(steps, 0)
        entry["logits"] = f"logits-{number}.safetensors"
        worker_dump.write_rows(Path(self.job["output"], entry["logits"]), rows)
        if "tokens" in entry:
            entry.update(worker_answers.rechecked(engine, ids, entry["tokens"], continuation, rows))

    def _perplexity(self, engine: worker_engine.Engine) -> None:
        whole = engine.encode(self.job["text"])
        own = whole[: self.job.get("most")]
        if len(own) < len(whole) and "text_ids" not in self.job:
            self.cuts.append(f"the fixed text is cut to {len(own)} of {len(whole)} tokens, which the model takes")
        self.dump["text_ids"] = own
        if not engine.scores:
            return
        self.enter("perplexity")
        ids = self.job.get("text_ids") or own
        rows = worker_dump.collect_rows(engine.score(ids[:-1], 0), 0)
        self.dump["nll"] = worker_dump.finite(worker_dump.negative_log_likelihood(rows, ids[1:]))

    def _texts(self, engine: worker_engine.Engine) -> None:
        if self.job.get("scored_only") or "texts" not in self.job:
            return
        self.enter("texts")
        if "text_ids" in self.job:
            self.dump["texts"] = worker_texts.differences(engine, self.job)
        else:
            self.dump["made"] = worker_texts.made(engine, self.job)

    def _speed(self, engine: worker_engine.Engine, prompts: list[dict[str, Any]]) -> list[str]:
        if self.job.get("repeat", 1) > 1:
            self.enter("speed", "repetitions")
        unlike = worker_speed.repeat(engine, prompts, self.dump["prompts"], self.job)
        ids = self.job.get("text_ids") or self.dump["text_ids"]
        self.dump["lengths"] = worker_speed.lengths(engine, ids, self.job, self.enter)
        return unlike


def _engine_module(path: str) -> Any:
    spec = importlib.util.spec_from_file_location("job_engine", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(f"{path} is not an engine file.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main(arguments: list[str]) -> int:
    """Do the job of the file `arguments[0]`; return the exit code."""
    with Path(arguments[0]).open(encoding="utf-8") as stream:
        job = json.load(stream)
    run = Run(job)
    try:
        run.whole()
    except Exception as error:  # noqa: BLE001 - whatever a runtime throws belongs into the report
        _failed(run, error)
    worker_dump.write(job["output"], run.dump)
    return 3 if run.dump["status"] == "failed" else 0


def _failed(run: Run, error: Exception) -> None:
    absent = worker_engine.absent(error)
    if absent is not None:
        run.dump.update(status="unavailable", reason=absent.reason, remedy=absent.remedy)
    else:
        traceback.print_exc()
        words = str(error).replace("\r", "").strip()  # Windows ends its messages with both
        run.dump.update(status="failed", reason=f"{type(error).__name__} in stage {run.stage!r}: {words}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
