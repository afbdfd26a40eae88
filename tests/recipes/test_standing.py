"""A build with nothing to do is told from memory, and only while nothing that it looked at was touched."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from recipes import standing
from tests.not_in_wine import LINKS
from wheelhouse import console

QUESTION = ("linux", "", "", [])


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(standing, "ROOT", tmp_path)
    monkeypatch.setattr(standing, "wheels_dir", lambda: tmp_path / "wheels")
    monkeypatch.setattr(standing, "cache_dir", lambda *parts: tmp_path.joinpath("cache", *parts))
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    for name in ("recipes/a.toml", "wheelhouse/x.py", "wheels/simple/index.html", "cache/published/w/w.whl", "site/p"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("old", encoding="utf-8")
    return tmp_path


def remembered(home: Path) -> None:
    assert home.is_dir()
    assert standing.remembering(QUESTION, lambda: "all unchanged") == "all unchanged"
    assert standing.told(QUESTION) == "all unchanged"


def same_size_and_time(path: Path) -> None:
    before = path.stat()
    path.write_text("new", encoding="utf-8")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


TOUCHED: dict[str, Callable[[Path], object]] = {
    "a recipe": lambda home: (home / "recipes/a.toml").write_text("newer", encoding="utf-8"),
    "our code": lambda home: (home / "wheelhouse/new.py").write_text("", encoding="utf-8"),
    "a wheel is gone": lambda home: (home / "cache/published/w/w.whl").unlink(),
    "an index page": lambda home: (home / "wheels/simple/index.html").write_text("x", encoding="utf-8"),
    "bits under the same size and time": lambda home: same_size_and_time(home / "cache/published/w/w.whl"),
    "a cut file": lambda home: os.truncate(home / "cache/published/w/w.whl", 1),
    "another folder": lambda home: (home / "wheels").rename(home / "elsewhere"),
    "a link to nothing": lambda home: (home / "wheels/x.whl").symlink_to("nowhere"),
    "a package of this Python": lambda home: (home / "site/q").mkdir(),
    "an audit": lambda home: (
        (home / "cache/audits").mkdir(),
        (home / "cache/audits/f").write_text("", encoding="utf-8"),
    ),
    "a download": lambda home: (
        (home / "cache/downloads").mkdir(),
        (home / "cache/downloads/f").write_text("", encoding="utf-8"),
    ),
}


UNSEEN = pytest.mark.skipif(os.name == "nt", reason="Python is told no time of change there, only of creation")
MARKS = {"bits under the same size and time": (UNSEEN,), "a link to nothing": (LINKS,)}


@pytest.mark.parametrize("touch", [pytest.param(t, id=name, marks=MARKS.get(name, ())) for name, t in TOUCHED.items()])
def test_what_was_touched_is_looked_at_again(home: Path, touch: Callable[[Path], object]) -> None:
    remembered(home)
    touch(home)
    assert standing.told(QUESTION) is None


def test_what_matters_to_no_wheel_is_no_reason(home: Path) -> None:
    remembered(home)
    (home / "recipes/__pycache__").mkdir()
    (home / "recipes/__pycache__/a.pyc").write_text("", encoding="utf-8")
    (home / "wheels/.simple.lock").write_text("", encoding="utf-8")
    assert standing.told(QUESTION) == "all unchanged"


@pytest.mark.parametrize("other", [("linux", "", "", ["3.12"]), ("win32", "", "", []), ("linux", "", "dml", [])])
def test_each_question_has_its_answer(home: Path, other: tuple[object, ...]) -> None:
    remembered(home)
    assert standing.told(other) is None


def test_after_a_build_that_made_something_a_second_look_is_remembered(home: Path) -> None:
    runs: list[int] = []

    def build() -> str:
        runs.append(1)
        (home / "wheels/made.whl").exists() or (home / "wheels/made.whl").write_text("wheel", encoding="utf-8")
        return "made" if len(runs) == 1 else "unchanged"

    assert standing.remembering(QUESTION, build) == "made"
    assert standing.told(QUESTION) == "unchanged"
    assert len(runs) == 2


def test_what_changes_each_time_is_never_remembered(home: Path) -> None:
    def build() -> str:
        (home / "wheels/x").write_text(
            (home / "wheels/x").read_text(encoding="utf-8") + "x" if (home / "wheels/x").exists() else "x",
            encoding="utf-8",
        )
        return "made"

    assert standing.remembering(QUESTION, build) == "made"
    assert standing.told(QUESTION) is None


def test_a_warning_is_said_each_time(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def build() -> str:
        console.warn("the lock lacks a wheel")
        return "unchanged"

    assert standing.remembering(QUESTION, build) == "unchanged"
    assert standing.told(QUESTION) is None
    assert "the lock lacks a wheel" in capsys.readouterr().err


DAMAGED = {
    "another text": lambda kept: json.dumps({**kept, "said": "forged"}),
    "no seal": lambda kept: json.dumps({k: v for k, v in kept.items() if k != "seal"}),
    "numbers": lambda kept: json.dumps(dict.fromkeys(kept, 1)),
    "a list": lambda _: "[]",
    "cut": lambda kept: json.dumps(kept)[:40],
    "deep": lambda _: "[" * 100_000,
    "bytes": lambda _: "\udcff",
}


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_memory_is_none(home: Path, damage: Callable[[dict[str, str]], str]) -> None:
    remembered(home)
    (file,) = (home / "cache/standing").iterdir()
    file.write_bytes(damage(json.loads(file.read_bytes())).encode("utf-8", "surrogateescape"))
    assert standing.told(QUESTION) is None
