"""What a slow device is asked: the beginning of the default prompts and of their answers, and within which time.

A graphics card in software takes seconds for a token. What the user asked for by name (`--prompts`) is never cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import msgspec

from smoke.environments.source import Environment
from smoke.parity.dumps import Dump
from smoke.parity.parity import Golden
from smoke.running import prompts
from smoke.running.asked.long_prompt import SLOW
from smoke.running.jobs import DECODE_STEPS
from smoke.running.smoke_request import TIMEOUT, Request

PROMPTS = 2
TOKENS = 8
"""Enough for the first prompt's answer to end, as it should."""
STEPS = 4
"""Of them, how many are also scored one at a time; the long context is looked at in that way, too."""

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Share:
    """The first `prompts` prompts and the first `tokens` tokens of each answer, the last `steps` of them one by one.

    `why` in words, "" for everything.
    """

    prompts: int
    tokens: int
    steps: int = DECODE_STEPS
    why: str = ""

    def messages(self, request: Request) -> tuple[str, ...]:
        """Return the prompts that are asked."""
        return tuple(request.prompts[: self.prompts])

    def dump(self, golden: Dump) -> Dump:
        """Return this share of a golden dump."""
        asked = tuple(
            msgspec.structs.replace(
                prompt,
                tokens=prompt.tokens[: self.tokens],
                pieces=prompt.pieces[: self.tokens],
                answer=prompt.answer if len(prompt.tokens) <= self.tokens else "",
                probes=tuple(probe for probe in prompt.probes if probe[0] < self.tokens),
            )
            for prompt in golden.prompts[: self.prompts]
        )
        return msgspec.structs.replace(golden, prompts=asked)

    def golden(self, base: Golden) -> Golden:
        """Return this share of what dumps are compared with; its spread stays that of the whole."""
        logits = tuple(replace(file, rows=min(file.rows, self.tokens)) for file in base.logits[: self.prompts])
        return replace(
            base,
            dump=self.dump(base.dump),
            logits=logits,
            continuations=_first(base.continuations, self),
            choices=_first(base.choices, self),
            runners_up=_first(base.runners_up, self),
            margins=_first(base.margins, self),
        )


def _first(values: Sequence[Sequence[T]], share: Share) -> tuple[tuple[T, ...], ...]:
    return tuple(tuple(row[: share.tokens]) for row in values[: share.prompts])


def share(request: Request, environment: Environment) -> Share:
    """Return what a run's questions come to in `environment`."""
    whole = Share(prompts=len(request.prompts), tokens=request.max_new_tokens)
    if not environment.seconds_per_token or tuple(request.prompts) != prompts.DEFAULT:
        return whole
    cut = Share(prompts=min(PROMPTS, whole.prompts), tokens=min(TOKENS, whole.tokens), steps=STEPS)
    if (cut.prompts, cut.tokens) == (whole.prompts, whole.tokens):
        return whole
    why = (
        f"asked {cut.prompts} of the {whole.prompts} prompts, {cut.tokens} of {whole.tokens} tokens each and a context "
        f"of {SLOW} tokens, because this device takes seconds for one; `--prompts FILE` asks everything"
    )
    return replace(cut, why=why)


def time_limit(request: Request, environment: Environment, golden: Dump | None) -> float:
    """Return the seconds that a worker may take: what was asked for, or by default what a slow device needs."""
    if golden is None or request.timeout != TIMEOUT:
        return request.timeout
    # Each prompt is computed twice, once for its answer and once for the logits.
    tokens = min(SLOW, golden.context.tokens) + sum(
        2 * (len(prompt.ids) + len(prompt.tokens)) * request.repeat for prompt in golden.prompts
    )
    return max(request.timeout, environment.seconds_per_token * (tokens + len(golden.text_ids)))
