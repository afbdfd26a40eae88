"""The live display of a terminal, drawn into a string."""

import io
from collections.abc import Iterator

import pytest
from rich.console import Console

from wheelhouse import console


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    drawn = io.StringIO()
    terminal = Console(file=drawn, force_terminal=True, width=120, soft_wrap=True, highlight=False)
    monkeypatch.setattr(console, "stderr", lambda: terminal)
    console._live.cache_clear()
    yield drawn
    console._live.cache_clear()


def test_log_lines_that_look_like_markup_are_shown_as_they_are(screen: io.StringIO) -> None:
    with console.task("Export [/fp16]") as current:
        current.update("Collecting thing[/extra] [bold]")
        console._live().refresh()
    text = screen.getvalue()
    assert "Export [/fp16]" in text
    assert "Collecting thing[/extra] [bold]" in text


def test_display_ends_with_the_last_task(screen: io.StringIO) -> None:
    with console.task("outer"):
        with console.task("inner"):
            assert console._live().live.is_started
        assert console._live().live.is_started
    assert not console._live().live.is_started
