"""Workers that nobody times run beside each other, as memory and processors allow; whoever is timed runs alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from smoke.environments.source import Environment
from smoke.exports import needs
from smoke.models.check.folder_facts import Facts
from wheelhouse import process

MOST = 4
"""Workers at a time, however many processors there are: their results are kept on the disk meanwhile."""
TIMES, FIXED = 4, 1_000_000_000
"""Bytes of memory that a worker takes at its peak: so many times the weights in float32, and its libraries (measured
with 135 million parameters: up to 1.7 GB for OpenVINO's NPU pipeline, this comes to 3.2)."""

T = TypeVar("T")


def at_once(facts: Facts) -> int:
    """Return how many workers for a model may run at a time: one for each processor and for each one's memory."""
    largest = TIMES * needs.FLOAT32 * facts.parameters + FIXED
    return needs.at_once(largest, min(MOST, os.cpu_count() or 1))


def fits(environment: Environment) -> bool:
    """Say whether an environment's memory is what `at_once` assumes: not where a graphics card is a processor."""
    return not environment.software_device and not environment.seconds_per_token


class Beside(Generic[T]):
    """Starts work beside other work, at most so much at a time."""

    def __init__(self, most: int) -> None:
        self._pool = ThreadPoolExecutor(max_workers=most, thread_name_prefix="worker")
        self.started: dict[str, Future[T]] = {}

    def start(self, name: str, work: Callable[[], T]) -> None:
        """Start `work` soon; in the order of calls, so that it may wait for what was started before it."""
        self.started[name] = self._pool.submit(work)

    def wait(self) -> None:
        """Return when nothing that was started still runs, so that whoever comes next is alone."""
        for future in self.started.values():
            future.result()

    def close(self) -> None:
        """End the threads after their work."""
        self._pool.shutdown()

    def give_up(self) -> None:
        """End what runs, and start nothing any more: Ctrl-C arrives in the main thread only."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        process.end_all()
