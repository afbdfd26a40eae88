import hashlib
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.not_in_wine import LINKS
from wheelhouse import files
from wheelhouse.errors import BusyError, ResourceError
from wheelhouse.file_locks import locked


@given(st.binary(max_size=100))
def test_sha256_of_a_file_is_that_of_its_bytes(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("f") / "x"
    path.write_bytes(data)
    assert files.sha256_file(path) == files.sha256_bytes(data) == hashlib.sha256(data).hexdigest()


def test_tree_hash_sees_names_contents_and_skips(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a").write_text("1", encoding="utf-8")
    first = files.sha256_tree(tmp_path)
    (tmp_path / "b").write_text("noise", encoding="utf-8")
    assert files.sha256_tree(tmp_path) != first
    assert files.sha256_tree(tmp_path, skip=lambda p: p.name == "b") == first
    (tmp_path / "sub" / "a").rename(tmp_path / "sub" / "c")
    assert files.sha256_tree(tmp_path, skip=lambda p: p.name == "b") != first


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="this system has no /proc")
def test_a_place_that_takes_no_files_is_named() -> None:
    with pytest.raises(PermissionError, match=r"no file can be made there.*/proc/x"):
        files.write_atomic(Path("/proc/x"), "one")


def test_atomic_write_replaces_whole_files_and_leaves_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "new" / "x.txt"
    files.write_atomic(target, "one\n")
    files.write_atomic(target, b"two\n")
    assert target.read_bytes() == b"two\n"
    assert [p.name for p in target.parent.iterdir()] == ["x.txt"]


def test_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "x"
    files.write_atomic(target, "old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        files.write_atomic(target, "new")
    assert target.read_text(encoding="utf-8") == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_remove_tree_takes_files_links_folders_and_what_is_absent(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "inside").write_text("", encoding="utf-8")
    (tmp_path / "link").symlink_to(kept)
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    for name in ("link", "folder", "absent"):
        files.remove_tree(tmp_path / name)
    assert [p.name for p in tmp_path.iterdir()] == ["kept"]
    assert (kept / "inside").exists()


@pytest.mark.parametrize("forbidden", [pytest.param((), marks=LINKS), ("symlink",), ("symlink", "link")])
def test_a_large_file_is_linked_where_that_is_allowed_and_a_copy_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], forbidden: tuple[str, ...]
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(1314, "A required privilege is not held by the client")

    for name in forbidden:
        monkeypatch.setattr(files.os, name, refuse)
    files._say_copied.cache_clear()
    (tmp_path / "weights").write_bytes(b"x" * 100)
    for number in range(2):
        files.link_or_copy(tmp_path / "weights", tmp_path / f"{number}")
        assert (tmp_path / f"{number}").read_bytes() == b"x" * 100
    assert (tmp_path / "0").is_symlink() == (not forbidden)
    assert (tmp_path / "0").stat().st_nlink == {0: 1, 1: 3, 2: 1}[len(forbidden)]
    assert capsys.readouterr().err.count("makes no links here") == (len(forbidden) == 2)


def test_a_link_that_is_none_is_no_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files.os, "symlink", lambda *_: None)
    (tmp_path / "weights").write_bytes(b"x")
    files.link_or_copy(tmp_path / "weights", tmp_path / "other")
    assert (tmp_path / "other").read_bytes() == b"x"


def test_space_is_checked_where_the_folder_will_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files.require_space(tmp_path / "not" / "yet", 1, "A test")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(100, 99, 1))  # type: ignore[attr-defined]
    with pytest.raises(ResourceError, match=r"A test needs 2.0 GB below .*only 1 B are free"):
        files.require_space(tmp_path / "not" / "yet", 2 * 10**9, "A test")


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (123_456_789, "123 MB"), (1.7e9, "1.7 GB")]
)
def test_human_size(count: float, text: str) -> None:
    assert files.human_size(count) == text


def test_second_holder_of_a_lock_gives_up_in_time(tmp_path: Path) -> None:
    with (
        locked(tmp_path / "out"),
        pytest.raises(BusyError, match="Another run"),
        locked(tmp_path / "out", timeout=0.05),
    ):
        pytest.fail("two holders")
    with locked(tmp_path / "out", timeout=0.05):
        pass
