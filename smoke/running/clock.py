"""Where the time of a run goes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from smoke.report.results import Timing


@dataclass(kw_only=True)
class Clock:
    """Adds up where the time goes."""

    started: float = field(default_factory=time.monotonic)
    seconds: dict[str, float] = field(default_factory=dict)
    spans: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    """From when to when each part went on, in seconds from the start."""

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count the time inside as that of `name`."""
        started = time.monotonic()
        try:
            yield
        finally:
            ended = time.monotonic()
            self.seconds[name] = self.seconds.get(name, 0.0) + ended - started
            self.spans.setdefault(name, []).append((started - self.started, ended - self.started))

    def timings(self, *, beside: bool = False) -> tuple[Timing, ...]:
        """Return the parts for the report; `beside`: they went on while something else was being waited for."""
        return tuple(
            Timing(
                part=part, seconds=seconds, start_s=self.spans[part][0][0], spans=tuple(self.spans[part]), beside=beside
            )
            for part, seconds in self.seconds.items()
        )
