"""`invoke smoke --backend dml --pairs`: one run over every pair, its report, and the table in docs/."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from smoke.report import writing as reports
from smoke.report.results import Report
from smoke.running import prompts as questions
from smoke.running.smoke_request import Request
from smoke.suites.pairs import matrix
from smoke.suites.pairs.halves import pairings
from wheelhouse import console
from wheelhouse.errors import UsageError
from wheelhouse.paths import display


def prove(
    backends: Sequence[str],
    *,
    given: Sequence[str],
    model: str,
    prompts: str,
    max_new_tokens: int,
    report: str,
    timeout: float,
    run: Callable[[Request], Report],
    tell: Callable[[Report, Path], None],
) -> None:
    """Run a model on every pair of DirectML wheels by `run`, report it by `tell`, and write the table in docs/.

    Raise UsageError for other backends or `given` wheels, InputError without today's pair, UnsupportedError without
    Wine, ParityError when a pair that installers accept went wrong.
    """
    if given:
        raise UsageError("--pairs has its own wheels (recipes/wine/pairs.toml).", remedy="Leave --wheel out.")
    matrix.require_backend(backends)
    folder, tried = reports.report_folder(report), pairings()
    request = Request(
        plan=matrix.plan(backends, tried),
        model=model,
        prompts=questions.load(Path(prompts).expanduser() if prompts else None),
        max_new_tokens=max_new_tokens,
        report=folder,
        timeout=timeout,
    )
    reports.make_folder(folder)
    found = run(request)
    tell(found, folder)
    console.say(f"Written: {display(matrix.write_table(found, tried))}")
    reports.require_success(matrix.expected(found, tried), strict=True)
