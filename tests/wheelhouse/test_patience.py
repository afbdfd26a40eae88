"""What another program holds on Windows: tried again, then named; what nobody holds is no reason to wait."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path, PureWindowsPath

import pytest

from wheelhouse import files, patience, steps
from wheelhouse.errors import BusyError
from wheelhouse.steps import Step

posix = pytest.mark.skipif(os.name != "posix", reason="Windows itself: test_windows_files.py")


def refusal(winerror: int, path: Path) -> PermissionError:
    """Return what Windows raises: elsewhere the number has to be added."""
    error = PermissionError(13, "Access is denied", str(path))
    error.winerror = winerror  # type: ignore[attr-defined,unused-ignore]
    return error


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found: list[float] = []
    monkeypatch.setattr(patience.time, "sleep", found.append)
    return found


def held_for(times: int, path: Path, winerror: int = 32) -> Callable[[], str]:
    left = [times]

    def action() -> str:
        if left[0]:
            left[0] -= 1
            raise refusal(winerror, path)
        return "done"

    return action


@pytest.mark.parametrize("winerror", [5, 32, 33, 145, 1224])
def test_what_is_let_go_of_is_taken(tmp_path: Path, waits: list[float], winerror: int) -> None:
    assert patience.patiently(held_for(3, tmp_path, winerror), tmp_path) == "done"
    assert waits == list(patience.PAUSES[:3])


def test_what_stays_open_is_named_with_who_may_have_it(tmp_path: Path, waits: list[float]) -> None:
    with pytest.raises(BusyError, match=r"Another program has .*x\.txt open") as busy:
        patience.patiently(held_for(99, tmp_path / "x.txt"), tmp_path)
    assert "virus scanner" in busy.value.remedy
    assert 3 < sum(waits) < 15


def test_a_refusal_that_no_program_causes_is_not_waited_for(tmp_path: Path, waits: list[float]) -> None:
    def forbidden() -> None:
        raise PermissionError(13, "Permission denied")

    with pytest.raises(PermissionError):
        patience.patiently(forbidden, tmp_path)
    assert waits == []


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch, waits: list[float]) -> dict[str, int]:
    """Refuse to rename or remove a path as often as its name says here."""
    left: dict[str, int] = {}

    def refusing(original: Callable[..., object]) -> Callable[..., object]:
        def call(path: object, *rest: object, **options: object) -> object:
            name = Path(str(path)).name
            if left.get(name, 0):
                left[name] -= 1
                raise refusal(32, Path(name))
            return original(path, *rest, **options)

        return call

    monkeypatch.setattr(Path, "replace", refusing(Path.replace))

    def remove_tree(path: Path) -> None:
        if left.get(path.name, 0) and path.exists():
            left[path.name] -= 1
            raise BusyError(f"{path} is open.")
        files.remove_tree(path)

    monkeypatch.setattr(steps, "remove_tree", remove_tree)
    return left


@pytest.mark.parametrize("name", ["out", ".out.partial"])
def test_an_output_that_is_open_for_a_moment_is_replaced(tmp_path: Path, held: dict[str, int], name: str) -> None:
    make(tmp_path, "1")
    held[name] = 3  # a terminal stands in it, or a scanner looks at what is new
    make(tmp_path, "2")
    assert (tmp_path / "out" / "x").read_text(encoding="utf-8") == "2"
    assert sorted(p.name for p in tmp_path.iterdir() if not p.name.endswith(".lock")) == ["out"]


def test_an_old_output_that_stays_open_is_removed_later(tmp_path: Path, held: dict[str, int]) -> None:
    make(tmp_path, "1")
    held[".out.old"] = 1
    make(tmp_path, "2")
    assert (tmp_path / ".out.old" / "x").read_text(encoding="utf-8") == "1"
    held[".out.old"] = 1
    make(tmp_path, "3")
    assert (tmp_path / "out" / "x").read_text(encoding="utf-8") == "3"
    make(tmp_path, "4")
    assert not list(tmp_path.glob(".out.old*"))


def make(folder: Path, content: str) -> None:
    step = Step(name="a step", output=folder / "out", inputs={"content": content})
    steps.ensure(step, lambda partial: files.write_atomic(partial / "x", content))
    assert json.loads((folder / "out" / steps.RECORD).read_text(encoding="utf-8"))["inputs"] == {"content": content}


def test_an_atomic_write_waits_for_its_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    left, original = [2], Path.replace

    def replace(path: Path, target: Path) -> Path:
        if left[0]:
            left[0] -= 1
            raise refusal(5, target)
        return original(path, target)

    monkeypatch.setattr(Path, "replace", replace)
    files.write_atomic(tmp_path / "x", "whole")
    assert (tmp_path / "x").read_text(encoding="utf-8") == "whole"
    assert len(waits) == 2


def test_a_folder_in_a_files_place_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    def replace(_: Path, target: Path) -> Path:
        raise refusal(5, target)

    monkeypatch.setattr(Path, "replace", replace)
    (tmp_path / "x").mkdir()
    with pytest.raises(IsADirectoryError):
        files.write_atomic(tmp_path / "x", "")
    assert waits == []


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch, waits: list[float]) -> dict[str, int]:
    """Remove and replace as Windows does: nothing read-only, nor what is held as often as its name says here."""
    left: dict[str, int] = {}

    def refuse(path: os.PathLike[str] | str, folder: int | None = None) -> None:
        name = Path(path).name
        if left.get(name, 0):
            left[name] -= 1
            raise refusal(32, Path(path))
        with contextlib.suppress(FileNotFoundError):
            if not os.stat(path, dir_fd=folder, follow_symlinks=False).st_mode & stat.S_IWRITE:
                raise refusal(5, Path(path))

    def removing(original: Callable[..., None]) -> Callable[..., None]:
        def call(path: str, *, dir_fd: int | None = None) -> None:
            refuse(path, dir_fd)
            original(path, dir_fd=dir_fd)

        return call

    def replace(path: Path, target: Path, *, original: Callable[..., Path] = Path.replace) -> Path:
        refuse(target)
        return original(path, target)

    for name in ("unlink", "rmdir"):
        monkeypatch.setattr(os, name, removing(getattr(os, name)))
    monkeypatch.setattr(Path, "replace", replace)
    return left


@posix
def test_what_is_held_or_read_only_is_removed_all_the_same(tmp_path: Path, windows: dict[str, int]) -> None:
    for name in ("a/b/x", "a/b/y", "a/z"):
        files.write_atomic(tmp_path / name, "1")
        (tmp_path / name).chmod(stat.S_IREAD)
    windows |= {"y": 2, "b": 1}
    files.remove_tree(tmp_path / "a")
    assert not list(tmp_path.iterdir())


@posix
def test_a_read_only_file_is_no_reason_to_wait(tmp_path: Path, windows: dict[str, int], waits: list[float]) -> None:
    files.write_atomic(tmp_path / "x", "old")
    (tmp_path / "x").chmod(stat.S_IREAD)
    files.write_atomic(tmp_path / "x", "new")
    assert (tmp_path / "x").read_text(encoding="utf-8") == "new"
    (tmp_path / "x").chmod(stat.S_IREAD)
    files.remove_tree(tmp_path / "x")
    assert not list(tmp_path.iterdir())
    assert waits == []


@posix
def test_what_stays_open_in_a_folder_is_named(tmp_path: Path, windows: dict[str, int]) -> None:
    files.write_atomic(tmp_path / "a" / "open.txt", "1")
    windows["open.txt"] = 99
    for path in (tmp_path / "a", tmp_path / "a" / "open.txt"):
        with pytest.raises(BusyError, match=r"Another program has .*open\.txt open"):
            files.remove_tree(path)


def test_paths_have_one_order_on_every_system() -> None:
    """Windows' own order knows no case; a hash over a tree follows the order."""
    names = ["a/x", "B/x", "b.txt", "C.txt"]
    assert [p.as_posix() for p in sorted(map(PureWindowsPath, names), key=files.by_name)] == sorted(names)
    assert [p.as_posix() for p in sorted(map(PureWindowsPath, names))] != sorted(names)
