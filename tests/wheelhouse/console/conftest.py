"""Consoles of each width, drawn into strings."""

import io
from collections.abc import Callable, Iterator

import pytest
from rich.console import Console

from wheelhouse.console import speaking, working
from wheelhouse.console.speaking import Loudness

Terminal = Callable[[int], io.StringIO]


@pytest.fixture(autouse=True)
def fresh_consoles() -> Iterator[None]:
    for cached in (speaking.stderr, speaking.stdout, working._live):
        cached.cache_clear()
    yield
    speaking.set_loudness(Loudness.NORMAL)
    working._live.cache_clear()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Make both streams a terminal of so many columns, and return what is drawn on it."""

    def make(columns: int) -> io.StringIO:
        drawn = io.StringIO()
        console = Console(file=drawn, force_terminal=True, width=columns, highlight=False, color_system=None)
        for module in (speaking, working):
            monkeypatch.setattr(module, "stderr", lambda: console)
        monkeypatch.setattr(speaking, "stdout", lambda: console)
        return drawn

    return make
