"""`invoke bisect`: prepares the two sides, searches, and tells."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from smoke.backends import with_graphs
from smoke.models.resolving import resolve
from smoke.narrowing import sides, what_was_found
from smoke.narrowing.errands import Tools
from smoke.narrowing.explaining import Explaining
from smoke.narrowing.search import Found, Search
from smoke.parity.verdicts import Verdict
from smoke.report.results import Report
from smoke.running import prompts as questions
from smoke.running.asked import long_prompt
from wheelhouse import scratch
from wheelhouse.console import result, task, warn
from wheelhouse.errors import ParityError, UsageError, WheelhouseError
from wheelhouse.paths import cache_dir

LONGEST, SLOW = 320, 24
"""Tokens of the longest sample; on a graphics card in software."""
FEW = 2
"""Samples for such a one."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is compared: a model, two variants (or NAME=FOLDER), own prompts, and the folder for the repro."""

    model: str
    left: str
    right: str
    prompts: Path | None = None
    stable_norms: str = ""
    out: Path | None = None

    def __post_init__(self) -> None:
        if self.left.strip() == self.right.strip():
            raise UsageError("Left and right are the same.", remedy="Name what is right, and what is wrong beside it.")
        for name in (self.left, self.right):
            sides.named(name.partition("=")[0].lower(), is_right=name is self.right)


def bisect(request: Request) -> None:
    """Search for the operator by which the right side parts from the left one, and tell.

    Raise ParityError when one was found, or none that explains why they part; what preparing may raise as well.
    """
    with searched(request) as (search, found):
        tools = search.tools
        result("\n".join(what_was_found.told(tools, found)))
        if found.culprit is not None:
            with task(f"what is special about {found.culprit.unit.name}") as shown:
                tools.shown = shown
                out = request.out or cache_dir("bisections", f"{dt.datetime.now(dt.UTC):%Y%m%d-%H%M%S}")
                explaining = Explaining(search=search, found=found, culprit=found.culprit, out=out.absolute())
                explained = explaining.explain()
            result("\n".join(what_was_found.explained(tools, found.culprit, explained)))
        if found.culprit is not None or found.parts:
            raise ParityError(what_was_found.in_short(tools, found))


@contextmanager
def searched(request: Request) -> Iterator[tuple[Search, Found]]:
    """Search, and keep what was made for it until the end of the block."""
    model = resolve(request.model)
    asked = questions.load(request.prompts)
    left = sides.prepare(request.left, model, stable_norms=request.stable_norms)
    right = sides.prepare(request.right, model, stable_norms=request.stable_norms, is_right=True)
    slow = left.slow or right.slow
    texts = asked[:FEW] if slow else (*asked, long_prompt.text())
    with scratch.folder() as work:
        with task(f"compare {right.label} with {left.label}") as shown:
            tools = Tools(left=left, right=right, work=work, shown=shown)
            search = Search(tools=tools, texts=texts, most=SLOW if slow else LONGEST)
            found = search.run()
        yield search, found


def after(report: Report, *, model: str, prompts: str, stable_norms: str, folder: Path) -> None:
    """Search in each result of a smoke run that DIVERGED and has a graph; the repros go to its report."""
    for found in report.results:
        beside = with_graphs.held_to(found.backend, found.variant) if found.verdict is Verdict.DIVERGED else ""
        if not beside:
            continue
        asked = Request(
            model=model,
            left=beside,
            right=f"{found.backend}:{found.variant}",
            prompts=Path(prompts) if prompts else None,
            stable_norms=stable_norms,
            out=folder / "bisect" / f"{found.backend}-{found.variant}",
        )
        try:
            bisect(asked)
        except WheelhouseError as error:  # the run's own verdict ends the command
            warn(f"{error.message} {error.remedy}".strip())
