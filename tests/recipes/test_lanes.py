"""Which lane `invoke build-dml` takes, and what it prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from recipes import lanes
from recipes.lanes import Row, choose_lane, finish, index_all, plan_published_pair, summary
from tests.recipes.wheel_factory import make_wheel
from wheelhouse.errors import InputError, UnsupportedError, UsageError
from wheelhouse.files import sha256_file


@pytest.mark.parametrize(
    ("requested", "system", "lane"),
    [
        ("", "win32", "git"),
        ("", "linux", "published"),
        ("", "darwin", "published"),
        ("published", "win32", "published"),
        ("published", "linux", "published"),
        ("git", "win32", "git"),
    ],
)
def test_lane_fits_the_system_or_is_as_asked(requested: str, system: str, lane: str) -> None:
    choice = choose_lane(requested, system=system)
    assert choice.lane == lane
    assert choice.line.startswith(f"Lane: {lane} (")
    assert ("--lane" in choice.why) == bool(requested) or system == "win32"


def test_git_lane_is_refused_where_nothing_compiles_but_can_be_planned() -> None:
    with pytest.raises(UnsupportedError) as caught:
        choose_lane("git", system="linux")
    for word in ("linux", "nothing was downloaded", "--lane published", "--recipe cpu", "--plan"):
        assert word in str(caught.value)
    assert choose_lane("git", system="linux", plan=True).lane == "git"


def test_unknown_lane_offers_the_nearest() -> None:
    with pytest.raises(UsageError, match="'published'"):
        choose_lane("publish")


def test_summary_has_a_row_per_wheel() -> None:
    rows = [
        Row(path=Path("out/a-1-py3-none-any.whl"), size=25_100_000, sha256="a" * 64, seconds=1.23),
        Row(path=Path("out/bb-1-py3-none-any.whl"), size=1_000, sha256="b" * 64, seconds=None),
    ]
    head, first, second = summary(rows).splitlines()
    assert head.split() == ["file", "size", "SHA-256", "seconds"]
    assert first.split() == ["a-1-py3-none-any.whl", "25.1", "MB", "a" * 64, "1.2"]
    assert second.split() == ["bb-1-py3-none-any.whl", "1.0", "kB", "b" * 64, "unchanged"]


def test_finish_indexes_everything_and_reports_what_this_lane_made(tmp_path: Path) -> None:
    ours, _older = make_wheel(tmp_path), make_wheel(tmp_path, version="0.9")
    (row,) = finish(tmp_path, {ours.name: 2.0})
    assert (row.path, row.sha256, row.seconds) == (ours, sha256_file(ours), 2.0)
    assert "demo_pkg-0.9" in (tmp_path / "SHA256SUMS").read_text()


def test_index_over_nothing_says_how_to_get_something(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "wheels_dir", lambda: tmp_path)
    with pytest.raises(InputError, match="build-dml"):
        index_all()
    make_wheel(tmp_path)
    assert f"--extra-index-url {(tmp_path / 'simple').as_uri()}" in index_all()


def test_plan_for_cmd_sets_variables_as_cmd_does() -> None:
    plan = plan_published_pair("published", ["3.13"], "cmd")
    assert plan[-1].startswith('set "SOURCE_DATE_EPOCH=1780420200" && ')
