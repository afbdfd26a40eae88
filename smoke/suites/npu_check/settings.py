"""What is tried: the settings that OpenVINO documents for NPUs, and after a refusal what is most likely to help."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from smoke.backends.npu import PLATFORMS
from wheelhouse.errors import UsageError, nearest

PROMPT = 1024
"""Tokens that OpenVINO GenAI reserves for the prompt on an NPU by default (MAX_PROMPT_LEN)."""
RESPONSE = 128
"""Tokens that it reserves for the answer (MIN_RESPONSE_LEN)."""
SHORT_PROMPT = 256
LONGEST = 32_768

GROUPS = "openvino-npu-int4"
CHANNELS = "openvino-npu-int4-channel"
HALF = "openvino-fp16"

WEIGHTS = {
    GROUPS: "int4 symmetric, groups of 128",
    CHANNELS: "int4 symmetric, channel-wise",
    HALF: "fp16",
}
"""The exports that are tried, as people call them."""
BACKENDS = {GROUPS: "npu:int4", CHANNELS: "npu:int4-channel", HALF: "npu:fp16"}
"""What runs them where there is an NPU."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One compilation: for which platform, of which export, for prompts of how many tokens."""

    platform: str
    export: str = GROUPS
    prompt: int = PROMPT

    @property
    def settings(self) -> str:
        """Return the settings in words."""
        return f"{WEIGHTS[self.export]}, prompts up to {self.prompt} tokens"


def remedies(first: Attempt) -> Iterator[Attempt]:
    """Yield what to try after `first` was refused, the least costly change first; stop at the first that compiles.

    Another prompt length needs no other export. It need not be a shorter one: shapes change with it, and what the
    compiler of 3720 refuses of SmolLM2 for 128 tokens, it takes for 1024.
    """
    other = SHORT_PROMPT if first.prompt > SHORT_PROMPT else PROMPT
    for export in (first.export, CHANNELS, HALF):
        if export != first.export:
            yield replace(first, export=export)
        yield replace(first, export=export, prompt=other)


def platforms(given: str) -> tuple[str, ...]:
    """Return the platforms of a list such as "3720,4000", or all. Raise UsageError for an unknown one."""
    names = tuple(dict.fromkeys(part.strip() for part in given.split(",") if part.strip())) or tuple(PLATFORMS)
    for name in names:
        if name not in PLATFORMS:
            listed = ", ".join(f"{number} ({product})" for number, product in PLATFORMS.items())
            raise UsageError(
                f"There is no NPU platform '{name}'. {nearest(name, PLATFORMS)}", remedy=f"Known: {listed}."
            )
    return names


def prompt_length(given: int) -> int:
    """Return the longest prompt in tokens. Raise UsageError unless it is possible."""
    if not 1 <= given <= LONGEST:
        raise UsageError(f"--max-prompt-len is {given}; it must be between 1 and {LONGEST}.")
    return given


_WORDS = (
    (
        r"UnrollPermuteDMA",
        "it cannot break a transposition of these shapes into transfers; another prompt length may do",
    ),
    (r"Unsupported platform", "it does not know this platform"),
    (r"[Oo]ut of memory|bad.?alloc|does not fit|CMX", "something does not fit into the NPU's memory"),
    (r"Failed to compile (\S+) for all devices", "it refuses a part of the model"),
    (r"compiler loading failed", "the compiler could not be loaded"),
)
"""What the compiler's messages mean. What is not here is shown as it is."""
_NOISE = re.compile(r"^Exception from |^\s*$|^Check .* failed at ")
_LOGGED = re.compile(r"^\[ERROR\] \S+ \[[^\]]+\] (.+)$", re.MULTILINE)


def explained(message: str, log: str = "") -> str:
    """Return the compiler's refusal for people: what it means where that is known, and its own words.

    `message` is what was raised, `log` what the compiler printed before: its first error there is the reason, where
    the exception only says that there was one.
    """
    logged = _LOGGED.search(log)
    lines = [line.strip() for line in message.splitlines() if not _NOISE.search(line)]
    last = logged[1] if logged else lines[-1] if lines else "no reason given"
    last = " ".join(last.split())[:200] or "no reason given"
    for pattern, words in _WORDS:
        if re.search(pattern, f"{last}\n{message}"):
            return f"{words} ({last})"
    return last
