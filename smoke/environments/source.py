"""What an environment is (how to start one Python), and what can offer one to a backend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Protocol

from wheelhouse.process import Command

NO_TELEMETRY = {"ORT_DISABLE_TELEMETRY": "1"}
"""What every worker runs with: Microsoft's builds of GenAI from 0.15 on send telemetry, and hang over it in Wine."""

_FOREIGN = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "VIRTUAL_ENV")


@dataclass(frozen=True, kw_only=True)
class Environment:
    """How to start one Python: `python` is its argv prefix, `env` the variables its processes need.

    `key` identifies its content (two environments with the same key hold the same packages). `home`, where known, is
    the folder that all its packages are in, as its own Python names it: what it loads from elsewhere is not its own.
    `seconds_per_token`, unless 0, says that its device is slow: it is asked less and given more time.
    """

    name: str
    python: tuple[str, ...]
    env: Mapping[str, str]
    label: str
    key: str = ""
    home: str = ""
    seconds_per_token: float = 0.0
    software_device: bool = False
    """Whether its graphics card is a processor: a long context would take hours, so it is asked about a short one."""

    @property
    def reads_terminal(self) -> bool:
        """Whether a program started here can read lines from a terminal itself; otherwise they go through a pipe."""
        return True

    def host_path(self, path: Path) -> str:
        """Return how this Python names a path of the host; the same, except for a Windows Python in Wine."""
        return str(path)

    def command(
        self,
        *arguments: str,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        temporary: Path | None = None,
        timeout: float = 3600.0,
    ) -> Command:
        """Return the command that starts this Python with `arguments`, shielded from the user's Python settings.

        `env` is added to the environment's own variables; `timeout` is in seconds. `temporary` is the folder for
        temporary files: torch, for one, leaves some in the system's.
        """
        return Command(
            argv=(*self.python, *arguments),
            cwd=cwd,
            env={**NO_TELEMETRY, **self.env, **(env or {})},
            unset=_FOREIGN,
            timeout=timeout,
            temporary=PurePath(self.host_path(temporary)) if temporary else None,
        )


@dataclass(frozen=True, kw_only=True)
class Readiness:
    """Whether an environment can be used at once; if not, why, and what to do.

    `makeable` says that `prepare` can make it here (given a network): then nothing has to be done by hand.
    """

    ready: bool
    makeable: bool
    reason: str = ""
    remedy: str = ""


class Source(Protocol):
    """Where a backend's environment comes from."""

    def status(self) -> Readiness:
        """Say whether it can be used, without making anything."""

    def prepare(self, wheels: Sequence[Path]) -> Environment:
        """Make it if needed, with `wheels` in place of the pinned ones. Raise WheelhouseError."""

    def takes(self, wheel: Path) -> bool:
        """Say whether a wheel that the user gave belongs into this environment."""
