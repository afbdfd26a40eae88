"""Tables for every width: columns give way in order, then rows stand one below the other; pipes get whole lines."""

import io

import pytest
from rich.console import Console
from rich.text import Text

from wheelhouse.console import Column, Table, result

COLUMNS = (
    Column(name="backend"),
    Column(name="verdict"),
    Column(name="tokens/s", right=True, drop=1),
    Column(name="why", wraps=True, drop=2),
)


@pytest.fixture
def table() -> Table:
    made = Table(columns=COLUMNS, title="Backends", note="a note")
    made.add("openvino-genai", Text("FELL BACK", style="red"), "123.4", "because " * 5)
    made.add("dml", "PASS", "7", "")
    return made


def drawn(table: Table, columns: int) -> list[str]:
    console = Console(file=io.StringIO(), width=columns, force_terminal=True, color_system=None)
    console.print(table)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]


def test_all_columns_where_there_is_room(table: Table) -> None:
    assert drawn(table, 100) == [
        "Backends",
        "backend         verdict    tokens/s  why",
        "openvino-genai  FELL BACK     123.4  because because because because because",
        "dml             PASS              7",
        "a note",
    ]


def test_texts_wrap_before_anything_gives_way(table: Table) -> None:
    assert drawn(table, 60)[2:4] == [
        "openvino-genai  FELL BACK     123.4  because because because",
        "                                     because because",
    ]


@pytest.mark.parametrize(("columns", "names"), [(50, ["backend", "verdict", "tokens/s"]), (26, ["backend", "verdict"])])
def test_columns_give_way_in_order(table: Table, columns: int, names: list[str]) -> None:
    assert drawn(table, columns)[1].split() == names


def test_rows_stand_below_each_other_where_nothing_else_fits(table: Table) -> None:
    assert drawn(table, 20)[1:9] == [
        "openvino-genai",
        "  verdict: FELL BACK",
        "  tokens/s: 123.4",
        "  why: because",
        "  because because",
        "  because because",
        "dml",
        "  verdict: PASS",
    ]


@pytest.mark.parametrize("columns", range(38, 90))
def test_no_word_is_broken_where_the_terminal_is_wider_than_it(columns: int) -> None:
    made = Table(columns=(Column(name="rule"), Column(name="where", wraps=True), Column(name="what", wraps=True)))
    words = ["requires-python", "onnxruntime_genai_winml-0.18.0.whl", "a name that is wrong, /an/other.dll too"]
    made.add(*words)
    said = " ".join(drawn(made, columns)).split()
    assert {word for text in words for word in text.split()} <= set(said)


@pytest.mark.parametrize("columns", [12, 20, 33, 40, 57, 80, 132])
def test_no_line_is_longer_than_the_terminal(table: Table, columns: int) -> None:
    assert max(map(len, drawn(table, columns))) <= columns


def test_a_column_without_content_is_not_shown() -> None:
    made = Table(columns=COLUMNS)
    made.add("dml", "PASS", "", "")
    assert drawn(made, 80) == ["backend  verdict", "dml      PASS"]


def test_a_table_without_rows_is_its_title() -> None:
    assert drawn(Table(columns=COLUMNS, title="Nothing"), 80) == ["Nothing"]


def test_a_pipe_gets_everything_and_no_padding(table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    table.add("x", "y", "1", "word " * 100)
    result(table)
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 6
    assert ("word " * 100).rstrip() in said[4]
    assert [line for line in said if line != line.rstrip()] == []
