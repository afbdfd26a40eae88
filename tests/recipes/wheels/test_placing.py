"""The folder of finished wheels: whole files or none, and hashes that are not computed twice."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from recipes.wheels import placing
from recipes.wheels.placing import facts_of, folder_lock, is_placed, place, read_metadata
from tests.recipes.wheel_factory import make_wheel
from wheelhouse.errors import InputError
from wheelhouse.files import sha256_bytes, sha256_file
from wheelhouse.paths import cache_dir


def test_place_copies_once_and_again_when_the_copy_was_touched(tmp_path: Path) -> None:
    source, out = make_wheel(tmp_path / "in"), tmp_path / "out"
    out.mkdir()
    target = place(source, out)
    assert sha256_file(target) == sha256_file(source)
    assert is_placed(source, out)
    target.write_bytes(b"truncated")
    assert not is_placed(source, out)
    assert sha256_file(place(source, out)) == sha256_file(source)
    assert [p.name for p in out.iterdir()] == [source.name]


def test_lock_sweeps_what_a_killed_run_left_and_nothing_else(tmp_path: Path) -> None:
    page = tmp_path / "simple" / "demo"
    page.mkdir(parents=True)
    left = [
        tmp_path / ".demo-1.0-py3-none-any.whl.partial",
        tmp_path / ".demo-1.0-py3-none-any.whl.metadata.ab_cd123",
        tmp_path / ".SHA256SUMS.abcdefgh",
        page / ".index.html.abcdefgh",
    ]
    kept = [tmp_path / ".gitignore", tmp_path / ".simple.lock", page / "index.html"]
    for path in [*left, *kept]:
        path.write_bytes(b"")
    with folder_lock(tmp_path):
        assert not [p for p in left if p.exists()]
        assert [p for p in kept if p.exists()] == kept


def test_facts_are_read_once_and_again_when_the_wheel_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = make_wheel(tmp_path, headers=("Requires-Python: >=3.11",))
    (first,) = facts_of([wheel])
    assert first.sha256 == sha256_file(wheel)
    assert first.metadata_sha256 == sha256_bytes(read_metadata(wheel))
    assert (first.size, first.requires_python) == (wheel.stat().st_size, ">=3.11")
    with monkeypatch.context() as patch:
        patch.setattr(placing, "sha256_file", lambda _: pytest.fail("hashed again"))
        assert facts_of([wheel]) == [first]
    os.utime(make_wheel(tmp_path, headers=("Requires-Python: >=3.12",)), ns=(1, 1))
    assert facts_of([wheel])[0].requires_python == ">=3.12"


def test_a_damaged_notebook_is_written_anew(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "w")
    notebook = cache_dir("wheel-facts.json")
    for content in ("", "[]", "{}", '{"x": 1}', "\xff"):
        notebook.parent.mkdir(exist_ok=True)
        notebook.write_text(content, encoding="latin-1")
        assert facts_of([wheel])[0].sha256 == sha256_file(wheel)


def test_a_notebook_with_another_hash_is_not_believed(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "w")
    (facts,) = facts_of([wheel])
    notebook = cache_dir("wheel-facts.json")
    for was, now in ((facts.sha256, "0" * 64), (f'"size": {facts.size}', '"size": 1'), (">=3.12", ">=3.9")):
        notebook.write_text(notebook.read_text(encoding="utf-8").replace(was, now), encoding="utf-8")
        assert facts_of([wheel]) == [facts]


@pytest.mark.parametrize("damage", ["truncated", "text", "no metadata"])
def test_what_is_no_wheel_is_named(tmp_path: Path, damage: str) -> None:
    wheel = make_wheel(tmp_path)
    if damage == "truncated":
        wheel.write_bytes(wheel.read_bytes()[:-30])
    elif damage == "text":
        wheel.write_text("not a zip", encoding="utf-8")
    else:
        import zipfile

        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr("a.py", "")
    with pytest.raises(InputError, match=wheel.name):
        facts_of([wheel])
