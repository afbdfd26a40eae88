"""Where things are kept, and where they cannot be."""

import sys
from pathlib import Path, PureWindowsPath

import pytest

from smoke.environments.environment_recipes import environment, environment_names
from wheelhouse import paths, steps
from wheelhouse.errors import InputError, UsageError
from wheelhouse.paths import (
    SHORT,
    cache_dir,
    characters,
    display,
    long_paths,
    own_cache,
    require_short,
    resolved,
    too_long,
)
from wheelhouse.processes.effort import in_wine


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


def test_a_path_that_the_system_does_not_follow_is_said_all_the_same(monkeypatch, tmp_path):
    def refuse(path, strict=False):
        raise OSError(22, "More data available", str(path))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Path, "resolve", refuse)
    assert display(tmp_path / "a" / ".." / "b") == "b"
    assert resolved(Path("x")) == tmp_path / "x"


def windows(characters: int) -> PureWindowsPath:
    """A folder of that many characters, as Windows counts them."""
    start = "C:\\"
    return PureWindowsPath(start + "x" * (characters - len(start)))


def longest_of_all_environments() -> int:
    folders = {
        name: steps.partial_of(Path("environments", f"{name}-12345678")) / ("x" * environment(name).deepest)
        for name in environment_names()
    }
    return max(len(str(folder)) for folder in folders.values())


def test_what_the_cache_holds_is_what_its_longest_path_was_measured_from():
    assert longest_of_all_environments() == paths.BELOW_CACHE


@pytest.mark.parametrize("long_paths", [None, False, True])
@pytest.mark.parametrize("user", ["me", "Zoë Müller", "a" * 20, "😀" * 10])
@pytest.mark.parametrize("length", [*range(12, 60), *range(100, 130), 190, 199, 245])
def test_every_path_fits_that_anything_on_windows_makes_or_loads(length, user, long_paths):
    root, home = windows(length), PureWindowsPath("C:\\Users", user)
    cache = own_cache(root, home, long_paths=long_paths)
    assert cache in (root / ".cache", home / SHORT)
    below = paths.LOADED_BELOW_CACHE if long_paths else paths.BELOW_CACHE
    # one of the environments, for Intel's old library, has a longer name; it says so itself: see the next test
    spared = len("npu-legacy") - len("main")
    assert characters(cache) + 1 + below - spared <= paths.LONGEST_PATH


def test_a_checkout_that_leaves_room_keeps_its_cache_and_one_below_another_profile_does_not_get_deeper():
    home = PureWindowsPath("C:\\Users\\Zoë Müller")
    assert own_cache(PureWindowsPath("C:\\w"), home, long_paths=False) == PureWindowsPath("C:\\w\\.cache")
    runner = PureWindowsPath("D:\\a\\dml-wheelhouse\\dml-wheelhouse")
    assert own_cache(runner, home, long_paths=True) == runner / ".cache"
    assert own_cache(runner, home, long_paths=False) == home / SHORT
    assert own_cache(runner, windows(200), long_paths=False) == runner / ".cache"
    assert own_cache(runner, PureWindowsPath("~"), long_paths=False) == runner / ".cache"  # nobody says where it is


def test_characters_are_counted_as_windows_does():
    assert characters(PureWindowsPath("C:\\ü😀")) == 6


@pytest.mark.parametrize(("length", "fits"), [(50, True), (148, True), (149, False), (199, False)])
def test_a_folder_that_lies_too_deep_is_named_with_what_helps(length, fits, monkeypatch):
    said = too_long(windows(length), 110)
    assert bool(said) != fits
    monkeypatch.setattr(paths, "limited", lambda: True)
    if fits:
        require_short(windows(length), 110, remedy=paths.CLONE_SHORTER)
        return
    with pytest.raises(InputError, match=f"is {length} characters long.* up to 110: Windows takes 259") as raised:
        require_short(windows(length), 110, remedy=paths.CLONE_SHORTER)
    assert raised.value.remedy.startswith("Clone the project again into a short folder such as C:\\w, or `New-Item")
    monkeypatch.setattr(paths, "limited", lambda: False)
    require_short(windows(length), 110, remedy=paths.CLONE_SHORTER)


@pytest.mark.skipif(sys.platform != "win32", reason="Windows' registry")
def test_windows_says_whether_long_paths_are_on():
    assert long_paths() in (True, False, None)
    assert long_paths() or not in_wine(), "the lane's machine has them on, as its checkout lies deep"
