"""A front door over tasks that record what they were called with, or over the real ones with nothing behind them."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

import tasks
from front.door.declaring import task
from front.door.options import OPTIONS, Option
from front.door.program import FrontDoor, Namespace


@dataclass(frozen=True, kw_only=True)
class Outcome:
    code: int
    out: str
    err: str
    called: list[tuple[str, dict[str, Any]]]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Call a door (default: the real one) with words; every task's body only records what it is given."""

    def run(*words: str, namespace: Namespace = tasks.namespace) -> Outcome:
        called: list[tuple[str, dict[str, Any]]] = []
        out, err = io.StringIO(), io.StringIO()
        with monkeypatch.context() as patch:
            for name, found in namespace.tasks.items():
                patch.setattr(type(found), "__call__", lambda self, _c, **given: called.append((self.name, given)))
                assert name
            patch.setattr("sys.stdout", out)
            patch.setattr("sys.stderr", err)
            try:
                FrontDoor(namespace).run(["invoke", *words])
                code = 0
            except SystemExit as left:
                code = int(left.code or 0)
        return Outcome(code=code, out=out.getvalue(), err=err.getvalue(), called=called)

    return run


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Namespace:
    """Tasks of every shape: words, lists, further words, numbers, choices."""
    for name, option in {
        "first": Option(text="a word"),
        "second": Option(text="another"),
        "many": Option(text="several", short="n"),
        "file": Option(text="files", verbatim=True),
        "count": Option(text="a number", least=1),
        "share": Option(text="a fraction"),
        "colour": Option(text="a colour", choices=("red", "Green")),
        "on": Option(text="a switch"),
        "off": Option(text="a switch that is on"),
        "text": Option(text="anything"),
    }.items():
        monkeypatch.setitem(OPTIONS, name, option)

    @task
    def nothing(_c: object) -> None:
        """Take nothing."""

    @task
    def words(_c: object, first: str, second: str, text: str = "") -> None:
        """Take two words."""

    @task(rest="file")
    def files(_c: object, file: list[str], many: list[str], plan: bool = False) -> None:
        """Take files."""

    @task
    def values(
        _c: object,
        many: list[str],
        backend: list[str],
        count: int = 5,
        share: float = 0.5,
        colour: str = "",
        on: bool = False,
        off: bool = True,
        text: str = "",
    ) -> None:
        """Take values."""

    return Namespace({"All": (nothing, words, files, values)})
