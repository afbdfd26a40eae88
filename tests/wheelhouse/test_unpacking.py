"""Tar archives of others: what is unpacked, and what is refused, with and without Python's own filter."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from wheelhouse.errors import IntegrityError
from wheelhouse.unpacking import extract_tar

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links")


@pytest.fixture(params=["as it is", "before 3.11.4"], autouse=True)
def python(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "before 3.11.4":
        monkeypatch.delattr(tarfile, "data_filter", raising=False)
    elif not hasattr(tarfile, "data_filter"):
        pytest.skip("this Python has no filters")


def make(folder: Path, *members: tuple[str, bytes, str]) -> Path:
    """Write a tar archive of (name, type, link's target); a file contains "abc"."""
    path = folder / "a.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, kind, target in members:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname, entry.mode = kind, target, 0o4777
            entry.size = 3 if kind == tarfile.REGTYPE else 0
            archive.addfile(entry, io.BytesIO(b"abc") if entry.size else None)
    return path


FILE, FOLDER, SYMLINK, LINK = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE


def test_files_and_links_within_are_unpacked(tmp_path: Path) -> None:
    members = [
        ("d", FOLDER, ""),
        ("d/f", FILE, ""),
        ("d/s", SYMLINK, "f"),
        ("h", LINK, "d/f"),
        ("up", SYMLINK, "d/../d"),
    ]
    into = tmp_path / "into"
    extract_tar(make(tmp_path, *members), into)
    assert {(into / name).read_bytes() for name in ("d/f", "d/s", "h", "up/f")} == {b"abc"}
    assert (into / "d/f").stat().st_mode & 0o7022 == 0
    assert (into / "d/f").stat().st_uid == os.getuid()


@pytest.mark.parametrize(
    "members",
    [
        [("../outside", FILE, "")],
        [("d/../../outside", FILE, "")],
        [("s", SYMLINK, "../outside")],
        [("s", SYMLINK, "/etc/passwd")],
        [("h", LINK, "../outside")],
        [("d", FOLDER, ""), ("d/here", SYMLINK, "."), ("s", SYMLINK, "d/here/../../outside")],
        [("pipe", tarfile.FIFOTYPE, "")],
        [("null", tarfile.CHRTYPE, "")],
    ],
)
def test_what_would_lie_or_point_outside_is_refused(tmp_path: Path, members: list[tuple[str, bytes, str]]) -> None:
    (tmp_path / "outside").write_text("")
    with pytest.raises(IntegrityError, match=r"a\.tar\.gz cannot be unpacked"):
        extract_tar(make(tmp_path, *members), tmp_path / "into")
    assert (tmp_path / "outside").read_text() == ""


def test_a_truncated_archive_is_named(tmp_path: Path) -> None:
    archive = make(tmp_path, ("f", FILE, ""))
    archive.write_bytes(archive.read_bytes()[:-20])
    with pytest.raises(IntegrityError, match=r"a\.tar\.gz cannot be unpacked"):
        extract_tar(archive, tmp_path / "into")
