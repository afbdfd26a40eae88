"""Names that Windows cannot keep, and places that are no files: refused, or written to, before anything is lost."""

from __future__ import annotations

import io
import os
import tarfile
import threading
import zipfile
from pathlib import Path

import pytest

from wheelhouse import unpacking
from wheelhouse.errors import IntegrityError
from wheelhouse.files import write_atomic
from wheelhouse.unpacking import not_for_windows, unpack

IMPOSSIBLE = [
    "CON", "nul", "aux.txt", "AUX.tar.gz", "prn .log", "a/Com1/b", "lpt9", "com¹.x", "CONIN$", "nul:stream",
    "end.", "a/end /b", "a:b", "what?", "a*", 'say "x"', "<x>", "a|b", "tab\tx",
]  # fmt: skip
POSSIBLE = [
    "console",
    "auxiliary.txt",
    "com",
    "com10",
    "nul-1",
    "a.con",
    "lpt",
    ".hidden",
    "Zoë Müller",
    "a b",
    "../x",
    ".",
]


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_what_windows_cannot_keep(name: str) -> None:
    assert not_for_windows(name)
    assert not_for_windows(f"below/{name}")


@pytest.mark.parametrize("name", POSSIBLE)
def test_what_only_looks_like_it(name: str) -> None:
    assert not_for_windows(name) == ""


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize("name", ["sources/aux.c", "docs/what?.md", "nul"])
def test_an_archive_with_such_a_name_is_refused_there_and_unpacked_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, name: str
) -> None:
    path = tmp_path / f"a.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, "x")
    else:
        with tarfile.open(path, "w") as packed:
            member = tarfile.TarInfo(name)
            member.size = 1
            packed.addfile(member, io.BytesIO(b"x"))
    if os.name == "posix":
        unpack(path, tmp_path / "here")
        assert (tmp_path / "here" / name).read_bytes() == b"x"
        monkeypatch.setattr(unpacking.sys, "platform", "win32")
    with pytest.raises(IntegrityError, match="there"):
        unpack(path, tmp_path / "there")
    assert not (tmp_path / "there").exists()


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_names_that_are_one_file_there_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    path, names = tmp_path / f"a.{kind}", ("d/Readme", "D/README", "d/other", "é", "É")
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, "x")
    else:
        with tarfile.open(path, "w") as packed:
            for name in names:
                packed.addfile(tarfile.TarInfo(name))
    monkeypatch.setattr(unpacking.sys, "platform", "win32")
    unpack(path, tmp_path / "there")
    said = " ".join(capsys.readouterr().err.split())
    assert f"a.{kind} has d/Readme and D/README, which are one file on Windows" in said
    assert said.count("are one file") == 2


@pytest.mark.skipif(os.name != "posix", reason="makes a pipe with a name")
def test_what_goes_to_a_pipe_or_a_device_leaves_it_where_it_is(tmp_path: Path) -> None:
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)  # stands for /dev/null, which a test that fails would replace by a file
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()), daemon=True)  # it waits where nobody writes
    reader.start()
    write_atomic(pipe, "Zoë")
    reader.join(10)
    assert got == ["Zoë".encode()]
    assert pipe.is_fifo()


@pytest.mark.skipif(os.name == "posix", reason="Windows' device")
def test_nul_takes_everything_and_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_atomic(Path("NUL"), "content")
    assert not list(tmp_path.iterdir())
