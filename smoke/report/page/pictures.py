"""Charts as pictures, drawn in a process of its own. One that fails costs its pictures, never the report."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from smoke.report.page.chart_data import Chart, Drawn
from wheelhouse import process, scratch
from wheelhouse.console import say
from wheelhouse.errors import WheelhouseError
from wheelhouse.paths import ROOT, cache_dir

SECONDS = 120.0


def draw(charts: Sequence[Chart]) -> list[Drawn]:
    """Return the charts with their pictures, which are "" where they cannot be drawn; then it is said why."""
    if not charts:
        return []
    try:
        with scratch.folder() as folder:
            return [Drawn(chart=c, svg=svg) for c, svg in zip(charts, _shared(charts, folder), strict=True)]
    except (OSError, WheelhouseError, msgspec.MsgspecError, ValueError) as error:
        say(f"The charts could not be drawn ({error}); their numbers are in the report all the same.", style="yellow")
        return [Drawn(chart=chart, svg="") for chart in charts]


def _shared(charts: Sequence[Chart], folder: Path) -> list[str]:
    """Return the pictures, drawn by two processes at once: half of a second's wait, where there are two processors."""
    half = (len(charts) + 1) // 2
    parts = [part for part in (charts[:half], charts[half:]) if part]
    with ThreadPoolExecutor(max_workers=len(parts)) as pool:
        drawn = pool.map(_drawn, parts, [folder / str(number) for number in range(len(parts))])
        return [svg for part in drawn for svg in part]


def _drawn(charts: Sequence[Chart], folder: Path) -> list[str]:
    folder.mkdir()
    asked, made = folder / "charts.json", folder / "pictures.json"
    asked.write_bytes(msgspec.json.encode(list(charts)))
    command = process.Command(
        argv=(sys.executable, "-m", "smoke.report.page.drawing", str(asked), str(made)),
        cwd=ROOT,
        env={"MPLCONFIGDIR": str(cache_dir("matplotlib"))},
        timeout=SECONDS,
    )
    done = process.run(command, log=folder / "log", check=False, echo=False)
    if done.returncode != 0:
        raise ValueError(done.tail[-1] if done.tail else f"exit code {done.returncode}")
    return msgspec.json.decode(made.read_bytes(), type=list[str])
