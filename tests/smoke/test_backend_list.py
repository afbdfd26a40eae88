"""What `invoke backends` says, for people and as JSON."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from smoke import backend_list
from smoke.backends.registry import BACKENDS
from smoke.environments.source import Environment, Readiness
from smoke.suites.all_suites import SUITES
from wheelhouse.console import as_json


class Absent:
    """A source that cannot be had here."""

    def status(self) -> Readiness:
        return Readiness(ready=False, makeable=False, reason="There is no GPU.", remedy="Take another machine.")

    def prepare(self, wheels: Sequence[Path]) -> Environment:
        raise AssertionError(wheels)


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> list[backend_list.Listed]:
    two = [replace(backend, source=Absent()) for backend in BACKENDS[:2]]
    monkeypatch.setattr(backend_list, "BACKENDS", (*two, BACKENDS[2]))
    return backend_list.listed()


def text(rows: list[backend_list.Listed], columns: int) -> str:
    console = Console(width=columns, force_terminal=False)
    with console.capture() as capture:
        for part in backend_list.shown(rows):
            console.print(part)
    return capture.get()


def test_every_backend_and_suite_is_there() -> None:
    told = json.loads(as_json(backend_list.listed()))
    assert [row["backend"] for row in told] == [one.name for one in (*BACKENDS, *SUITES)]
    assert {row["state"] for row in told} <= {"ready", "made on first use", "missing"}
    assert [row["backend"] for row in told if (row["state"] == "missing") != bool(row["reason"])] == []


def test_one_reason_for_several_is_said_once(rows: list[backend_list.Listed]) -> None:
    said = text(rows, 100)
    assert said.count("There is no GPU.") == 1
    assert f"{BACKENDS[0].name}, {BACKENDS[1].name}: There is no GPU. Take another machine." in said


@pytest.mark.parametrize("columns", [40, 80])
def test_names_and_reasons_are_there_however_narrow(rows: list[backend_list.Listed], columns: int) -> None:
    said = text(rows, columns)
    assert max(map(len, said.splitlines())) <= columns
    assert [row.backend for row in rows if row.backend not in said] == []
    assert "There is no GPU." in said
