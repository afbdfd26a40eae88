"""Archives of others: what is unpacked, and what is refused, with and without Python's own filter."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from wheelhouse import unpacking
from wheelhouse.errors import IntegrityError
from wheelhouse.unpacking import unpack

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links")


@pytest.fixture(params=["as it is", "before 3.11.4"], autouse=True)
def python(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "before 3.11.4":
        if sys.version_info >= (3, 12):
            pytest.skip("this Python is newer, and warns where it is given no filter")
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
    unpack(make(tmp_path, *members), into)
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
        [("pipe", tarfile.FIFOTYPE, "")],
        [("null", tarfile.CHRTYPE, "")],
    ],
)
def test_what_would_lie_or_point_outside_is_refused(tmp_path: Path, members: list[tuple[str, bytes, str]]) -> None:
    (tmp_path / "outside").write_text("", encoding="utf-8")
    with pytest.raises(IntegrityError, match=r"a\.tar\.gz cannot be unpacked"):
        unpack(make(tmp_path, *members), tmp_path / "into")
    assert (tmp_path / "outside").read_text(encoding="utf-8") == ""


def test_a_link_over_a_link_does_not_point_outside(tmp_path: Path) -> None:
    """It is refused, but by Pythons that make it point where it says without the link on its way: inside."""
    members = [("d", FOLDER, ""), ("d/here", SYMLINK, "."), ("s", SYMLINK, "d/here/../../outside")]
    into = tmp_path / "into"
    mended = hasattr(tarfile, "data_filter") and hasattr(tarfile, "LinkFallbackError")  # came with that change
    with contextlib.nullcontext() if mended else pytest.raises(IntegrityError, match=r"a\.tar\.gz cannot be unpacked"):
        unpack(make(tmp_path, *members), into)
    link = into / "s"
    assert not link.is_symlink() or link.resolve().is_relative_to(into.resolve())


def test_a_truncated_archive_is_named(tmp_path: Path) -> None:
    archive = make(tmp_path, ("f", FILE, ""))
    archive.write_bytes(archive.read_bytes()[:-20])
    with pytest.raises(IntegrityError, match=r"a\.tar\.gz cannot be unpacked"):
        unpack(archive, tmp_path / "into")


def tar_with(name):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        info = tarfile.TarInfo(name)
        info.size = 1
        archive.addfile(info, io.BytesIO(b"x"))
    return data.getvalue()


def zip_with(name):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr(name, "x")
    return data.getvalue()


@pytest.mark.parametrize("make", [tar_with, zip_with])
def test_unpack(tmp_path, make):
    (tmp_path / "a").write_bytes(make("sub/file"))
    unpack(tmp_path / "a", tmp_path / "out")
    assert (tmp_path / "out/sub/file").read_text(encoding="utf-8") == "x"


def test_nothing_lands_outside(tmp_path):
    (tmp_path / "a").write_bytes(tar_with("../evil"))
    with pytest.raises(IntegrityError, match="cannot be unpacked"):
        unpack(tmp_path / "a", tmp_path / "out")
    (tmp_path / "a").write_bytes(zip_with("../evil"))
    with pytest.raises(IntegrityError, match="would lie outside"):
        unpack(tmp_path / "a", tmp_path / "out")
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    "content", [b"", b"neither", b"PK\x03\x04 broken", tar_with("x")[:-30]], ids=("empty", "neither", "zip", "tar")
)
def test_a_broken_archive(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(IntegrityError, match="cannot be unpacked"):
        unpack(tmp_path / "a", tmp_path / "out")


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize("limits", [{"FLOOR": 2_000_000}, {"MAX_UNPACKED": 2_000_000}, {"MAX_MEMBERS": 2}])
def test_what_would_fill_the_disk_is_refused_before_anything_is_written(tmp_path, monkeypatch, kind, limits):
    for name, value in limits.items():
        monkeypatch.setattr(unpacking, name, value)
    bomb = tmp_path / f"bomb.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(3):
                archive.writestr(f"{number}", bytes(1_000_000))
    else:
        with tarfile.open(bomb, "w:gz") as archive:
            for number in range(3):
                entry = tarfile.TarInfo(f"{number}")
                entry.size = 1_000_000
                archive.addfile(entry, io.BytesIO(bytes(1_000_000)))
    with pytest.raises(IntegrityError, match="would unpack to over"):
        unpack(bomb, tmp_path / "out")
    assert not (tmp_path / "out").exists()
