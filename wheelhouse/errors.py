"""The error tree: every failure a user can cause or cure, each class with its own exit code.

An error carries the cause as its message and, separately, the remedy: what to type or change next. `tasks.py`
prints both as one paragraph and exits with `exit_code`; anything that is not a `WheelhouseError` is a bug of ours.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path


class WheelhouseError(Exception):
    """Base of all expected failures."""

    exit_code = 1

    def __init__(self, message: str, *, remedy: str = "", log: Path | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.log = log

    def __str__(self) -> str:
        parts = [self.message]
        if self.log is not None:
            parts.append(f"The full log is {self.log}.")
        if self.remedy:
            parts.append(self.remedy)
        return " ".join(parts)


class UsageError(WheelhouseError):
    """An option or a name on the command line that does not exist."""

    exit_code = 2


class RecipeError(WheelhouseError):
    """A recipe, environment or model file that cannot be decoded, or that contradicts itself."""

    exit_code = 3


class InputError(WheelhouseError):
    """A file or folder that the user gave cannot be used: missing, truncated, of the wrong kind."""

    exit_code = 4


class NetworkError(WheelhouseError):
    """Something outside this machine could not be reached."""

    exit_code = 5


class IntegrityError(WheelhouseError):
    """Content is not what was pinned or recorded."""

    exit_code = 6


class ToolchainError(WheelhouseError):
    """A compiler, an SDK or a tool is missing or too old."""

    exit_code = 7


class StepFailedError(WheelhouseError):
    """A process that a step started failed, hung or was killed."""

    exit_code = 8


class ResourceError(WheelhouseError):
    """Not enough disk or memory."""

    exit_code = 9


class UnsupportedError(WheelhouseError):
    """This host can never do what was asked; the remedy says what it can do instead."""

    exit_code = 10


class BusyError(WheelhouseError):
    """Another run of this program holds the output."""

    exit_code = 11


class AuditError(WheelhouseError):
    """An audit found something that must not be shipped."""

    exit_code = 12


class ParityError(WheelhouseError):
    """A backend that ran diverged, crashed, fell back or timed out."""

    exit_code = 13


class RegressionError(WheelhouseError):
    """Something got worse since the report that was given as a baseline."""

    exit_code = 14


def nearest(name: str, known: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the closest of `known`, or a list of all of them when none is close."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f"Did you mean '{close[0]}'?"
    return f"Known: {', '.join(names)}." if names else ""
