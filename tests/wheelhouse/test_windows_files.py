"""Files in places that only Windows has, or makes difficult: long, on a share, relative to a drive, read-only."""

import stat
import sys
from pathlib import Path

import pytest

from wheelhouse import patience
from wheelhouse.files import files_below, remove_tree, sha256_tree, write_atomic
from wheelhouse.paths import CACHE_VARIABLE, cache_dir, display

pytestmark = pytest.mark.skipif(sys.platform != "win32", reason="these are Windows' ways to name a file")


def test_beyond_260_characters_files_are_written_read_and_removed(tmp_path: Path) -> None:
    folder = tmp_path.joinpath(*["a folder with a long name " + "x" * 30] * 5)
    assert len(str(folder)) > 260
    write_atomic(folder / "Zoë.txt", "content")
    assert [path.name for path in files_below(tmp_path)] == ["Zoë.txt"]
    assert display(folder / "Zoë.txt").endswith("\\Zoë.txt")
    remove_tree(tmp_path / folder.relative_to(tmp_path).parts[0])
    assert not list(tmp_path.iterdir())


def test_a_drive_by_its_long_name_is_the_same_place(tmp_path: Path) -> None:
    write_atomic(tmp_path / "x" / "a.txt", "1")
    verbatim = Path(f"\\\\?\\{tmp_path}")
    write_atomic(verbatim / "x" / "b.txt", "2")
    assert sha256_tree(verbatim / "x") == sha256_tree(tmp_path / "x")


def test_a_cache_relative_to_a_drive_is_an_absolute_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(CACHE_VARIABLE, f"{tmp_path.drive}cache")
    assert cache_dir("x") == tmp_path / "cache" / "x"


def test_read_only_files_and_folders_are_removed(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a" / "b" / "x", "1")
    (tmp_path / "a" / "b" / "x").chmod(stat.S_IREAD)
    (tmp_path / "a" / "b").chmod(stat.S_IREAD)
    remove_tree(tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_a_read_only_file_is_replaced_and_removed_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience.time, "sleep", lambda _: pytest.fail("waited for nobody"))
    write_atomic(tmp_path / "x", "old")
    (tmp_path / "x").chmod(stat.S_IREAD)
    write_atomic(tmp_path / "x", "new")
    assert (tmp_path / "x").read_text(encoding="utf-8") == "new"
    (tmp_path / "x").chmod(stat.S_IREAD)
    remove_tree(tmp_path / "x")
    assert not list(tmp_path.iterdir())


def test_names_that_differ_in_case_are_one_file(tmp_path: Path) -> None:
    write_atomic(tmp_path / "Readme", "1")
    write_atomic(tmp_path / "README", "2")
    assert [path.read_text(encoding="utf-8") for path in tmp_path.iterdir()] == ["2"]
