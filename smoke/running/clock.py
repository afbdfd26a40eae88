"""Where the time of a run goes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(kw_only=True)
class Clock:
    """Adds up where the time goes."""

    started: float = field(default_factory=time.monotonic)
    seconds: dict[str, float] = field(default_factory=dict)
    begun: dict[str, float] = field(default_factory=dict)
    """When each part first began, in seconds from the start."""

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count the time inside as that of `name`."""
        started = time.monotonic()
        self.begun.setdefault(name, started - self.started)
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - started
