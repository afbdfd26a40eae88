"""How many tokens a model takes, and whether what is asked of it fits: said in numbers, before anything is exported."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from smoke.backends.registry import WORKER
from smoke.environments.source import Environment
from smoke.models.check.folder_facts import Facts
from smoke.models.model import Model
from wheelhouse import process, scratch
from wheelhouse.errors import InputError, StepFailedError
from wheelhouse.files import write_atomic
from wheelhouse.paths import log_dir

SCRIPT = WORKER / "count_tokens.py"
TIMED_ANSWER = 16
"""Tokens that follow a prompt of `--lengths` (worker_speed.LENGTH_ANSWER)."""
_EXPANDED = 11
"""Bytes that normalising may make of one byte that is not ASCII (the longest: one sign of three bytes becomes 33)."""
_SECONDS = 300.0
_SWITCHED = ("longrope", "dynamic")
"""Scalings that compute every position otherwise as soon as a text is longer than the original window."""


@dataclass(frozen=True, kw_only=True)
class Limit:
    """The most tokens, prompt and answer together; `why` says in words where the number comes from."""

    tokens: int
    why: str


def of(facts: Facts) -> Limit | None:
    """Return the most tokens on which all runtimes compute the same model; None where the model names no limit."""
    found = []
    if facts.context is not None:
        found.append(Limit(tokens=facts.context, why="its context (config.json)"))
    if facts.rope.kind in _SWITCHED and facts.rope.original is not None:
        window = int(facts.rope.original)
        why = f"what its positions were made for; beyond, {facts.rope.kind} computes all of them otherwise"
        found.append(Limit(tokens=window, why=why))
    if facts.sliding_window is not None:
        found.append(Limit(tokens=facts.sliding_window, why="its sliding window, beyond which runtimes differ"))
    return min(found, key=lambda limit: limit.tokens, default=None)


def require(
    model: Model,
    prompts: Sequence[str],
    max_new_tokens: int,
    environment: Callable[[], Environment],
    *,
    lengths: Sequence[int] = (),
) -> int:
    """Return a number of tokens that no prompt exceeds. Raise InputError for what is longer than the model takes.

    `environment` returns one with transformers; it is asked only where the prompts' bytes leave the answer open.
    """
    limit = of(model.facts)
    rough = max(most_tokens(model.facts, prompt) for prompt in prompts)
    if limit is None:
        return rough
    too_long = next((length for length in lengths if length + TIMED_ANSWER > limit.tokens), None)
    if too_long is not None:
        raise InputError(
            f"--lengths {too_long}: with an answer of {TIMED_ANSWER} that is {too_long + TIMED_ANSWER} tokens, and "
            f"{model.name} takes {limit.tokens}: {limit.why}.",
            remedy=f"Ask for {limit.tokens - TIMED_ANSWER} at most.",
        )
    if max_new_tokens >= limit.tokens:
        raise InputError(
            f"An answer of {max_new_tokens} tokens leaves no room for a prompt: {model.name} takes {limit.tokens}, "
            f"{limit.why}.",
            remedy="Ask for shorter answers with --max-new-tokens.",
        )
    if rough + max_new_tokens <= limit.tokens:
        return rough
    counted = count(model, prompts, environment())
    longest = max(counted)
    if longest + max_new_tokens > limit.tokens:
        which = counted.index(longest)
        what = f"Prompt {which + 1} (“{_start(prompts[which])}”)"
        raise _too_long(model, limit, what, longest, max_new_tokens)
    return longest


def _too_long(model: Model, limit: Limit, what: str, tokens: int, answer: int) -> InputError:
    rest = limit.tokens - tokens
    shorter = f"Ask for shorter answers (--max-new-tokens {rest}), or shorten it." if rest > 0 else "Shorten it."
    return InputError(
        f"{what} has {tokens} tokens in the model's chat template; with an answer of {answer} that is "
        f"{tokens + answer}, and {model.name} takes {limit.tokens}: {limit.why}.",
        remedy=shorter,
    )


def _start(prompt: str) -> str:
    return prompt if len(prompt) <= 30 else f"{prompt[:30]}…"


def most_tokens(facts: Facts, prompt: str) -> int:
    """Return a number of tokens that a prompt in the chat template cannot exceed: no token is less than a byte."""
    plain = sum(1 for character in prompt if character.isascii())
    others = len(prompt.encode("utf-8", "surrogatepass")) - plain
    return plain + _EXPANDED * others + facts.template_size + len(facts.begin) + 1


def count(model: Model, prompts: Sequence[str], environment: Environment) -> tuple[int, ...]:
    """Return how many tokens each prompt has in the model's chat template, by the reference's own tokenizer."""
    with scratch.folder() as folder:
        job = {
            "model": environment.host_path(model.folder),
            "trust": bool(model.facts.own_code) and model.trusted,
            "messages": list(prompts),
            "output": environment.host_path(folder / "counts.json"),
        }
        write_atomic(folder / "job.json", json.dumps(job, ensure_ascii=False))
        script, job_file = environment.host_path(SCRIPT), environment.host_path(folder / "job.json")
        command = environment.command(script, job_file, temporary=folder, timeout=_SECONDS)
        log = log_dir() / "models" / "count_tokens.log"
        process.run(command, log=log)
        return _counts(folder / "counts.json", len(prompts), log)


def _counts(path: Path, expected: int, log: Path) -> tuple[int, ...]:
    try:
        found = msgspec.json.decode(path.read_bytes(), type=tuple[int, ...])
    except (OSError, msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise StepFailedError(f"The prompts' tokens could not be counted: {error}.", log=log) from error
    if len(found) != expected:
        raise StepFailedError(f"{len(found)} of {expected} prompts were counted.", log=log)
    return found
