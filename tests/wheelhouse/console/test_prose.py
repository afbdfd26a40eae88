"""Sentences are broken between words, and a command that is to be copied is not."""

import io
import sys

import pytest

from wheelhouse.console import show_prose
from wheelhouse.console.prose import broken, fitted

TEXT = (
    "✓ smoke: a model through every backend (`invoke smoke --all-backends`)\n\n"
    "    note: no Intel NPU here: OpenVINO on NPU will be skipped\n"
    "  | a line of a log that is quoted stays as it is, however long it may be\n"
    "/a/path/that/is/longer/than/the/terminal/and/stays/whole"
)


@pytest.mark.parametrize("columns", [32, 40, 57, 80])
def test_no_line_is_longer_unless_it_cannot_be_broken(columns: int) -> None:
    lines = broken(TEXT, columns).split("\n")
    assert [line for line in lines if len(line) > columns and " " in line.strip() and not line.startswith("  | ")] == []
    assert any("`invoke smoke --all-backends`" in line for line in lines)
    assert broken(TEXT, columns).split() == TEXT.split()


def test_what_follows_is_indented_as_its_line() -> None:
    assert broken(TEXT, 40).split("\n")[3:5] == [
        "    note: no Intel NPU here: OpenVINO on",
        "    NPU will be skipped",
    ]


def test_a_command_that_is_longer_than_the_terminal_is_broken_between_words() -> None:
    assert max(map(len, broken(TEXT, 20).split("\n")[:5])) <= 20


def test_a_pipe_gets_whole_lines() -> None:
    assert fitted(TEXT, io.StringIO()) == TEXT


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_its_own_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(sys, "stdout", Terminal())
    show_prose(TEXT)
    assert sys.stdout.getvalue() == broken(TEXT, 40) + "\n"  # type: ignore[attr-defined]
