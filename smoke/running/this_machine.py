"""The machine as the report names it, and the memory that this program took itself."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from smoke.report.results import Host

_ROUNDS, _WORK = 30, 100_000


@dataclass(frozen=True)
class Steadiness:
    """How much the time of the same work varied (from the 10th to the 90th percentile, as a share), and its median."""

    noise: float
    work_s: float


def host(devices: Mapping[str, str], steadiness: Sequence[Steadiness] = ()) -> Host:
    """Describe this machine; `devices` are those that a runtime reported, `steadiness` what was measured meanwhile."""
    import psutil

    return Host(
        system=f"{platform.system()} {platform.release()}",
        machine=platform.machine(),
        cpu=cpu(),
        cores=os.cpu_count() or 1,
        memory_bytes=psutil.virtual_memory().total,
        devices=dict(devices),
        parent_peak_memory_bytes=peak_memory(),
        noise=max((each.noise for each in steadiness), default=None),
        work_s=max((each.work_s for each in steadiness), default=None),
    )


def steadiness() -> Steadiness:
    """Do the same small piece of work again and again for a tenth of a second."""
    import statistics
    import time

    samples = []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        sum(range(_WORK))
        samples.append(time.perf_counter() - started)
    deciles = statistics.quantiles(samples, n=10)
    middle = statistics.median(samples)
    return Steadiness((deciles[-1] - deciles[0]) / middle, middle)


def cpu() -> str:
    """Return the name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor()


def peak_memory() -> int:
    """Return the largest resident size of this process so far, in bytes."""
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return 1024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
