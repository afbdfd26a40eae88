"""What the user asked `invoke smoke` for, with numbers that can be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from smoke.backends.selection import Planned
from wheelhouse.errors import UsageError

TIMEOUT = 900.0
"""Seconds that one worker may take unless the user says otherwise."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the user asked for. `report` is the folder for logs, `timeout` the seconds that a worker may take."""

    plan: Sequence[Planned]
    model: str
    prompts: Sequence[str]
    max_new_tokens: int
    report: Path
    timeout: float
    repeat: int = 1
    """How often each answer is generated, for its speed."""
    lengths: Sequence[int] = ()
    """Prompts of how many tokens are timed, too."""
    dump: Path | None = None
    """Folder to keep every worker's dump in."""
    stable_norms: str = ""
    """How norms that overflow in fp16 are treated in exports for DirectML; "": as the model's recipe says."""
    trust: bool = False
    """Whether code that the model brings may be run."""
    quick: bool = False
    """Nothing is timed, and the context is short: whether backends agree at all, soon."""
    options: tuple[str, ...] = ()
    """The command line's options that decide what is measured, the backends aside."""

    def __post_init__(self) -> None:
        if not 1 <= self.max_new_tokens <= 4096:
            raise UsageError(f"--max-new-tokens is {self.max_new_tokens}; it must be between 1 and 4096.")
        if not 1 <= self.repeat <= 1000:
            raise UsageError(f"--repeat is {self.repeat}; it must be between 1 and 1000.")
        if any(not 1 <= length <= 1_000_000 for length in self.lengths):
            raise UsageError("--lengths takes numbers of tokens between 1 and 1000000, with commas.")
        if not self.timeout > 0:
            raise UsageError(f"--timeout is {self.timeout:g}; it must be a number of seconds above 0.")


def numbers(option: str, values: Sequence[str]) -> tuple[int, ...]:
    """Return the whole numbers that an option was given, in order, each once. Raise UsageError."""
    try:
        return tuple(sorted({int(value) for value in values}))
    except ValueError:
        raise UsageError(f"{option} takes whole numbers, with commas: not '{','.join(values)}'.") from None


def require_untimed(*, repeat: int, lengths: Sequence[str], baseline: str, pairs: bool) -> None:
    """Raise UsageError for what --quick does not do: it measures no speed and asks one prompt."""
    asked = {"--repeat": repeat > 1, "--lengths": bool(lengths), "--baseline": bool(baseline), "--pairs": pairs}
    for option in (option for option, given in asked.items() if given):
        raise UsageError(
            f"--quick asks one prompt and times nothing, which {option} is about.",
            remedy=f"Leave out --quick or {option}.",
        )
