"""`invoke clean`: it removes what this program made, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from front import clean
from front.clean import CHEAP, EXPENSIVE, removals, remove
from wheelhouse.errors import BusyError
from wheelhouse.files import size_of
from wheelhouse.paths import CACHE_VARIABLE, ROOT, cache_dir


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache, wheels/ and third_party/ with things of ours, things that git tracks, and somebody's photos."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(clean, "wheels_dir", lambda: tmp_path / "wheels")
    monkeypatch.setattr(clean, "third_party_dir", lambda: tmp_path / "third_party")
    for name in (
        "cache/logs/a.log",
        "cache/published/x/a.whl",
        "cache/downloads/b",
        "cache/photos/c.jpg",
        "wheels/README.md",
        "wheels/a.whl",
        "wheels/simple/index.html",
        "third_party/README.md",
        "third_party/patches/p.patch",
        "third_party/onnxruntime-1/file",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"1234567890")
    return tmp_path


def left(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and p.suffix != ".lock"}


ALWAYS_LEFT = {"cache/photos/c.jpg", "wheels/README.md", "third_party/README.md", "third_party/patches/p.patch"}


@pytest.mark.parametrize(("everything", "kept"), [(False, {"cache/downloads/b"}), (True, set())])
def test_removes_what_it_lists(places: Path, everything: bool, kept: set[str]) -> None:
    found = removals(everything=everything)
    listed = {r.path.relative_to(places).as_posix(): r.size for r in found}
    assert listed["third_party/onnxruntime-1"] == 10
    assert remove(found) == sum(listed.values()) == 10 * (5 + everything)
    assert left(places) == ALWAYS_LEFT | kept
    assert removals(everything=everything) == []


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * 1000)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "big")
    assert size_of(folder) < 1000
    remove([clean.Removal(path=folder, size=0)])
    assert (tmp_path / "big").exists()


def test_what_must_stay_stops_the_removal(places: Path) -> None:
    def refuse(path: Path) -> None:
        raise BusyError(f"{path} is in use")

    with pytest.raises(BusyError, match="in use"):
        remove(removals(everything=False), away=refuse)
    assert (places / "wheels" / "a.whl").exists()


def test_every_part_of_the_cache_is_known_to_clean() -> None:
    """A part of the cache that no list names would never be removed: add new ones to CHEAP or EXPENSIVE."""
    used = set()
    for package in ("recipes", "smoke", "wheelhouse"):
        for path in (ROOT / package).rglob("*.py"):
            used |= set(re.findall(r'cache_dir\(\s*"([^"]+)"', path.read_text(encoding="utf-8")))
    assert used - CHEAP - EXPENSIVE == set()
    assert cache_dir("x").parent == cache_dir()
