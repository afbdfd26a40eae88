"""What a smoke run costs beside its workers, and what comparing two dumps costs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator

from front.benching.timing import INVOKE, Part, Row, once, run
from wheelhouse import scratch
from wheelhouse.paths import ROOT

_SMOKE = ("smoke", "--backend", "ort-cpu", "--model", "tiny-phi3")


def runs() -> Iterator[Row]:
    """A second smoke run against the sum of its workers, and the comparison of its dumps with a copy of them."""
    with scratch.folder() as name:
        here, there, report = (name / part for part in ("here", "there", "report"))
        run((*INVOKE, *_SMOKE, "--report", str(report)), ROOT)  # makes what is not there
        again = (*INVOKE, *_SMOKE, "--report", str(report), "--dump", str(here))
        spent = once(lambda: run(again, ROOT))
        timings = json.loads((report / "report.json").read_text(encoding="utf-8"))["timings"]
        workers = [timing["seconds"] for timing in timings if timing["part"].startswith("worker ")]
        shutil.copytree(here, there)
        dumps = len(list(here.rglob("dump.json")))
        compared = once(lambda: run((*INVOKE, "compare", str(here), str(there)), ROOT))
    yield Row(
        name="smoke",
        what=f"a second `invoke {' '.join(_SMOKE)}` against the sum of its {len(workers)} workers",
        unit="times",
        value=spent.wall / sum(workers),
        cpu_s=spent.cpu,
        parts=(Part("run", spent.wall), Part("workers", sum(workers))),
        note="the reference and the twins come from the cache",
    )
    yield Row(
        name="compare",
        what=f"`invoke compare` of two folders with {dumps} dumps each",
        unit="s",
        value=compared.wall,
        cpu_s=compared.cpu,
        note=f"{compared.wall / (3 * dumps):.2f} s for each comparison",
    )
