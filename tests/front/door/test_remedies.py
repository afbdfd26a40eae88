"""Advice that can be typed: every `invoke …` in errors, in help and in the documents is a command line that is read."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

import tasks
from front.door.program import FrontDoor
from recipes.lanes import choose_lane
from wheelhouse.errors import UnsupportedError
from wheelhouse.paths import ROOT

COMMAND = re.compile(r"`(invoke [^`]+)`")
SOURCES = sorted(file for name in ("front", "recipes", "smoke", "wheelhouse") for file in (ROOT / name).rglob("*.py"))
TEXTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
HOLE = "3720"
"""Stands for what a program fills in: it is a word, a number, and one of the choices that are numbers."""


def said_in(file: Path) -> Iterator[str]:
    """Yield the texts of a module, with HOLE for whatever is filled in."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(v.value) if isinstance(v, ast.Constant) else HOLE for v in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


ADVICE = sorted({found for file in SOURCES for text in said_in(file) for found in COMMAND.findall(text)})
PROSE = sorted({found for file in TEXTS for found in COMMAND.findall(file.read_text(encoding="utf-8"))} - {*ADVICE})


def words_of(command: str) -> list[str]:
    """Return the words after `invoke`, of any task where none is named."""
    _, *words = shlex.split(command.replace("…", HOLE).replace("...", HOLE))
    return ["smoke", *words[1:]] if words[0] in {HOLE, "TASK", "NAME"} else words


def test_there_is_much_to_be_typed() -> None:
    assert len(ADVICE) > 40
    assert len(PROSE) > 20


@pytest.mark.parametrize("command", ADVICE)
def test_advice_can_be_typed(typed, command: str) -> None:
    words = words_of(command)
    found = typed(*words)
    assert found.code == 0 or (len(words) == 1 and f"`invoke {words[0]}` needs" in found.err), found.err


@pytest.mark.parametrize("command", PROSE)
def test_what_the_documents_name_is_there(typed, command: str) -> None:
    """There a command, or an option, may stand without what it needs."""
    words = words_of(command)
    found = typed(*words)
    named = (f"`invoke {words[0]}` needs", f"A value is required for {words[-1]}")
    assert found.code == 0 or found.err.removeprefix("error: ").startswith(named), found.err


def test_each_advice_of_the_lane_that_cannot_run_here_runs(monkeypatch, capsys) -> None:
    with pytest.raises(UnsupportedError) as refused:
        choose_lane("git", system="linux")
    advised = COMMAND.findall(refused.value.remedy)
    assert len(advised) == 3
    for command in advised:
        words = words_of(command)
        plan = [] if "--plan" in words else ["--plan"]
        FrontDoor(tasks.namespace).run(["invoke", *words, *plan])  # SystemExit with the code would fail it
        assert len(capsys.readouterr().out.splitlines()) > 5
