"""Which lane `invoke build-dml` takes, and what it prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from recipes import lanes
from recipes.building.built import Built
from recipes.lanes import Row, build, choose_lane, finish, index_all, plan, summary
from recipes.spec.request import Request, options_from
from tests.recipes.wheel_factory import make_wheel
from wheelhouse.errors import AuditError, InputError, UnsupportedError, UsageError
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


def test_windows_compiles_where_there_is_something_to_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose_lane("", recipe="mine.toml", system="win32").lane == "git"
    assert choose_lane("", system="win32").lane == "git"
    monkeypatch.setattr("recipes.spec.load.available", dict)
    assert "--recipe FILE" in choose_lane("", system="win32").why


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


def test_summary_says_where_a_wheel_was_run_if_that_is_known() -> None:
    runs = {"a": "in Wine", "b": "not run"}
    rows = [Row(path=Path(name), size=1_000, sha256="a" * 64, seconds=1.0, run=run) for name, run in runs.items()]
    head, first, second = summary(rows).splitlines()
    assert head.split() == ["file", "size", "SHA-256", "run", "seconds"]
    assert "in Wine" in first
    assert "not run" in second


def test_finish_indexes_everything_and_reports_what_this_lane_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audited: list[str] = []
    monkeypatch.setattr("recipes.wheels.proof.prove", lambda _, wheels: audited.extend(w.filename for w in wheels))
    ours, _older = make_wheel(tmp_path), make_wheel(tmp_path, version="0.9")
    (row,) = finish(tmp_path, {ours.name: 2.0})
    assert (row.path, row.sha256, row.seconds) == (ours, sha256_file(ours), 2.0)
    assert "demo_pkg-0.9" in (tmp_path / "SHA256SUMS").read_text(encoding="utf-8")
    assert audited == [ours.name]


def test_what_the_audit_refuses_changes_no_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AuditError("no")

    monkeypatch.setattr("recipes.wheels.proof.prove", refuse)
    wheel = make_wheel(tmp_path)
    with pytest.raises(AuditError):
        finish(tmp_path, {wheel.name: 2.0})
    assert not (tmp_path / "SHA256SUMS").exists()


def test_index_over_nothing_says_how_to_get_something(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "wheels_dir", lambda: tmp_path)
    with pytest.raises(InputError, match="build-dml"):
        index_all()
    make_wheel(tmp_path)
    assert f"--extra-index-url {(tmp_path / 'simple').as_uri()}" in index_all()


def request(**options: str) -> Request:
    return Request(recipe=options.pop("recipe", ""), options=options_from(pythons=["3.12"]), **options)


def test_published_plan_has_a_line_per_process() -> None:
    lines = plan(choose_lane("published"), request()).splitlines()
    downloads = [line for line in lines if " download " in line]
    assert len(downloads) == 2  # for x64, with the donor, and for ARM64
    assert (
        sum("onnxruntime-windowsml===1.30.0.202609102321 onnxruntime-genai-winml===0.18.0" in d for d in downloads) == 2
    )
    epoch = re.compile("SOURCE_DATE_EPOCH='?1789085460")  # each shell in its own way
    assert sum(bool(epoch.search(line)) for line in lines) == len(lines) - len(downloads) == 4


def test_each_lane_runs_over_its_own_recipe_unless_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def build_git_lane(request: Request, out: Path) -> dict[str, float]:
        ran.append(request.recipe)
        return {make_wheel(out).name: 3.0}

    monkeypatch.setattr(lanes, "wheels_dir", lambda: tmp_path)
    monkeypatch.setattr("recipes.building.parts.build_git_lane", build_git_lane)
    monkeypatch.setattr("recipes.wheels.proof.prove", lambda *_: None)
    monkeypatch.setattr("recipes.building.parts.context", lambda _: None)
    built = Built(target="windows-x64", python="3.12", state="built", note="no device", by="x", when="", recipe_hash="")
    monkeypatch.setattr("recipes.building.built.prove_and_record", lambda *_: [built])
    for recipe in ("", "cpu"):
        text = build(choose_lane("git", system="win32"), request(recipe=recipe))
        assert "demo_pkg-1.0-cp312-cp312-win_amd64.whl" in text
        assert text.endswith("Python 3.12: built (no device).")
    assert ran == ["dml", "cpu"]
