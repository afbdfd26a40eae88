"""Folders for a moment: in the cache, and cleared by the next run when their process was killed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from wheelhouse import scratch

HOLD = """
import sys, time
from wheelhouse import scratch
with scratch.folder() as own:
    (own / "logits").write_bytes(b"x" * 1000)
    print(own, flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DML_WHEELHOUSE_CACHE", str(tmp_path))


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path):
    (tmp_path / "tmp").mkdir()
    environment = os.environ | {"TMPDIR": str(tmp_path / "tmp")}
    with subprocess.Popen(
        [sys.executable, "-c", HOLD], env=environment, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:
        left = Path(process.stdout.readline().strip())
        with scratch.folder():
            assert (left / "logits").is_file(), "it belongs to a process that lives"
        process.kill()
        process.stdout.read()  # until it is gone: on Windows, what was started starts the real Python
    assert left.is_dir()
    assert list((tmp_path / "tmp").iterdir()) == []
    with scratch.folder() as own:
        assert not left.exists()
        assert own.is_dir()
    assert list((tmp_path / "scratch").iterdir()) == []


def test_two_of_one_process_are_apart_and_what_is_foreign_stays(tmp_path):
    foreign = tmp_path / "scratch" / "notes"
    foreign.mkdir(parents=True)
    with scratch.folder() as first:
        with scratch.folder() as second:
            assert first != second
        assert first.is_dir()
        assert not second.exists()
    assert foreign.is_dir()


SOURCES = sorted(
    path for package in ("recipes", "smoke", "wheelhouse") for path in Path(package).resolve().rglob("*.py")
)


def test_nothing_of_ours_leaves_folders_in_the_systems_own_place():
    """What is made there stays when its process is killed; files without a name (TemporaryFile) do not."""
    makers = ("TemporaryDirectory(", "NamedTemporaryFile(", "gettempdir(")
    found = [f"{p.name}: {m}" for p in SOURCES for m in makers if m in p.read_text(encoding="utf-8")]
    assert SOURCES
    assert found == []
