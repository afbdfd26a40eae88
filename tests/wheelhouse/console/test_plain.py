"""Whatever a name or a message holds, a terminal shows it and does not obey it."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table as RichTable
from rich.text import Text

from wheelhouse import console
from wheelhouse.console.plain import plain, plain_json
from wheelhouse.console.safe import SafeConsole

NASTY = {
    "escape": ("\x1b[2J", "␛[2J"),
    "title": ("\x1b]0;owned\x07", "␛]0;owned␇"),
    "C1": ("\x9b31m", "<U+009B>31m"),
    "turned round": ("exe.\u202egnp", "exe.<U+202E>gnp"),
    "carriage return": ("fail\rpass", "fail␍pass"),
    "line separator": ("a\u2028b", "a<U+2028>b"),
    "half a character": ("\udc9b", "<U+DC9B>"),
}


@pytest.mark.parametrize(("raw", "shown"), NASTY.values(), ids=NASTY)
def test_what_would_be_obeyed_is_shown(raw, shown):
    assert plain(raw) == shown


@given(st.text())
def test_nothing_is_left_and_nothing_else_is_touched(text):
    assert plain(plain(text)) == plain(text)
    assert plain(text).isprintable() or set(plain(text)) - {c for c in plain(text) if c.isprintable()} <= set(text)
    assert not any(c in plain(text) for c in "\x1b\x9b\r\x07\u202e")


@given(st.dictionaries(st.text(), st.text()))
def test_json_stays_the_same_document(found):
    document = json.dumps(found, ensure_ascii=False)
    assert json.loads(plain_json(document)) == found


@pytest.mark.parametrize(("raw", "shown"), NASTY.values(), ids=NASTY)
def test_every_way_out_shows_it(monkeypatch, capfd, raw, shown):
    for cached in (console.stdout, console.stderr):
        cached.cache_clear()
    table = console.Table(columns=[console.Column(name=f"head {raw}"), console.Column(name="b")])
    table.add(f"cell {raw} [/bold] [red]", Text(f"text {raw}", style="bold"))
    console.result(table)
    console.result(f"result {raw}")
    console.say(f"said {raw} [/x]")
    console.warn(f"warned {raw}")
    console.show(f"shown {raw}")
    console.show_error(f"error {raw}")
    out, err = capfd.readouterr()
    assert raw not in out + err
    for what in ("head", "cell", "result", "shown"):
        assert f"{what} {shown}" in out
    for what in ("said", "warned", "error"):
        assert f"{what} {shown}" in err
    assert "[/bold] [red]" in out
    assert "text " in out
    assert "[/x]" in err


def test_tables_stay_straight():
    stream = io.StringIO()
    made = SafeConsole(width=60)
    made.file = stream
    table = RichTable("a", "b")
    table.add_row("\x1b[1m\u202e", "x")
    table.add_row("plain", "x")
    made.print(table)
    lines = stream.getvalue().splitlines()
    assert len({len(line) for line in lines if line.strip()}) == 1
