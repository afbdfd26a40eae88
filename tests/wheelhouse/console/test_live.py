"""The live display of a terminal, and what stays when it has gone."""

import re

import pytest

from tests.wheelhouse.console.conftest import Terminal
from wheelhouse import console
from wheelhouse.console import Loudness, working
from wheelhouse.console.live import amount

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in CONTROL.sub("\n", text).splitlines() if line.strip()]


def test_log_lines_that_look_like_markup_are_shown_as_they_are(terminal: Terminal) -> None:
    drawn = terminal(120)
    with console.task("Export [/fp16]") as current:
        current.update("Collecting thing[/extra] [bold]")
        working._live().refresh()
    assert "Export [/fp16]" in drawn.getvalue()
    assert "Collecting thing[/extra] [bold]" in drawn.getvalue()


def test_display_ends_with_the_last_task(terminal: Terminal) -> None:
    terminal(120)
    with console.task("outer"):
        with console.task("inner"):
            assert working._live().live.is_started
        assert working._live().live.is_started
    assert not working._live().live.is_started


@pytest.mark.parametrize("columns", [30, 40, 80, 200])
def test_no_live_line_is_longer_than_the_terminal(terminal: Terminal, columns: int) -> None:
    drawn = terminal(columns)
    with console.phase("workers", 7), console.task("openvino-genai fp16") as current:
        current.update("a long note " * 30)
        current.progress(3, 200)
        working._live().refresh()
        console.say("words " * 60)
        console.warn("word" * 90)
    assert max(map(len, lines(drawn.getvalue()))) <= columns
    live = [line for line in lines(drawn.getvalue()) if "0:0" in line]
    assert live
    assert max(map(len, live)) <= columns - len("^C")  # which a terminal writes behind the last one
    assert columns < 40 or "3/200" in drawn.getvalue()


def test_steps_of_a_phase_leave_no_line_unless_they_fail(terminal: Terminal) -> None:
    drawn = terminal(80)
    with console.phase("exports", 2) as shown:
        with console.task("export one"):
            pass
        shown.advance()
        console.remark("export two: model changed")
        with pytest.raises(ValueError, match="broken"), console.task("export two"):
            raise ValueError("broken")
    said = [line for line in lines(drawn.getvalue()) if line[0] in "✓✗"]
    assert [line.split("  ")[0] for line in said] == ["✗ export two", "✓ exports"]


def test_verbose_leaves_a_line_for_every_step_and_command(terminal: Terminal) -> None:
    drawn = terminal(40)
    console.set_loudness(Loudness.VERBOSE)
    with console.phase("exports"), console.task("export one"):
        console.command("python export.py " + "--option " * 9)
    text = drawn.getvalue()
    assert "✓ export one" in text
    assert "+ python export.py " + "--option " * 9 in text  # whole, to be copied


def test_a_step_outside_a_phase_leaves_its_line(terminal: Terminal) -> None:
    drawn = terminal(80)
    with console.task("build"):
        pass
    console.remark("stage: nothing changed")
    assert {"✓ build  0.0 s", "stage: nothing changed"} <= set(lines(drawn.getvalue()))


@pytest.mark.parametrize(
    ("line", "counted"),
    [
        ("[12/203] Building CXX object", (12, 203, "")),
        ("3/40 MatMul fp16", (3, 40, "")),
        ("model.safetensors: 5 of 9 bytes", (5, 9, "bytes")),
    ],
)
def test_lines_that_count_move_the_bar(terminal: Terminal, line: str, counted: tuple[int, int, str]) -> None:
    terminal(80)
    with console.task("t") as current:
        current.follow(line)
        shown = working._live().tasks[-1]
        assert (shown.completed, shown.total, shown.fields["unit"], shown.fields["note"]) == (*counted, line)
        current.follow("1/0.5 is no count of 3 bytes more")
        assert shown.total == counted[1]


def test_amounts() -> None:
    assert amount(3, 7, "") == "3/7"
    assert amount(3, None, "packages") == "3 packages"
    assert amount(1_500_000, 27_000_000, "bytes") == "1.5 MB of 27.0 MB"


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.04, "0.0 s"), (99.9, "99.9 s"), (125, "2 min 05 s"), (7260, "2 h 01 min")]
)
def test_durations(seconds: float, said: str) -> None:
    assert working.took(seconds) == said
