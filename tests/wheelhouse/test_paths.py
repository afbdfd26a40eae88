"""Where things are kept, and where they cannot be."""

from pathlib import Path

import pytest

from wheelhouse.errors import UsageError
from wheelhouse.paths import cache_dir, display


def test_the_cache_is_where_the_variable_says(monkeypatch, tmp_path):
    monkeypatch.setenv("DML_WHEELHOUSE_CACHE", str(tmp_path / "a b & ë"))
    assert cache_dir("x") == tmp_path / "a b & ë" / "x"


def test_a_cache_relative_to_somewhere_stays_there(monkeypatch, tmp_path):
    """Tools run in folders of their own: a relative path would be another one for each."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DML_WHEELHOUSE_CACHE", "cache")
    assert cache_dir("x") == tmp_path / "cache" / "x"


@pytest.mark.parametrize("name", ["/tmp/c\udcff", "/tmp/\x1b[2J", "/tmp/a\u202eb"])
def test_a_cache_that_cannot_be_named_is_refused(monkeypatch, name):
    monkeypatch.setenv("DML_WHEELHOUSE_CACHE", name)
    with pytest.raises(UsageError, match="no program shows"):
        cache_dir()


def test_a_path_is_said_from_where_one_is(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert display(tmp_path / "a" / "b") == str(Path("a", "b"))
