"""What `invoke smoke` ends with: a backend that was asked for by name and could not run is no success."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from smoke import commands
from smoke.parity.verdicts import Verdict
from smoke.report.results import Report, Result
from smoke.running.smoke_request import Request
from smoke.suites import all_suites
from wheelhouse.errors import UnsupportedError


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing run on this machine."""
    skipped = Result(backend="", variant="", device="", verdict=Verdict.SKIPPED, reason="No wheels.", remedy="Build.")

    def run(request: Request, **_: object) -> Report:
        names = [(item.backend.name, item.variant.name) for item in request.plan]
        results = tuple(msgspec.structs.replace(skipped, backend=one, variant=other) for one, other in names)
        return msgspec.structs.replace(all_suites.empty_report(), results=results)

    monkeypatch.setattr(commands, "_run", run)


def smoke(folder: Path, *, backends: Sequence[str] = (), everything: bool = False) -> None:
    commands.smoke(
        backends=backends, all_backends=everything, model="tiny-phi3", prompts="", max_new_tokens=4,
        report=str(folder / "report"), strict=False, wheels=(), timeout=60.0,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["dml", "dml:fp16", "ort-cpu"])
def test_named_and_not_run_is_exit_code_10(tmp_path: Path, name: str) -> None:
    with pytest.raises(
        UnsupportedError, match=rf"{name} was asked for and could not be run: No wheels\. Build"
    ) as said:
        smoke(tmp_path, backends=[name])
    assert said.value.exit_code == 10
    assert (tmp_path / "report" / "report.json").is_file()


def test_all_backends_go_without_those_that_this_machine_has_not(tmp_path: Path) -> None:
    smoke(tmp_path, everything=True)
