"""A published wheel packed again: the project that is written, and what is refused."""

from __future__ import annotations

import json
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from recipes.spec import schema
from recipes.wheels.repack import Repacking, check_payload, check_wheel, render_project, wheel_command, write_project
from recipes.wheels.repack_metadata import entry_points, replace_requirements
from tests.recipes.wheel_factory import make_wheel
from wheelhouse.errors import IntegrityError, RecipeError
from wheelhouse.files import sha256_file

FILES = {"demo_pkg/__init__.py": b"x = 1\n", "demo_pkg/LICENSE": b"MIT", "demo_pkg/core.dll": bytes(range(256))}
HEADERS = (
    'Summary: A "demo" \\ of \U0001f680',
    "Author: Somebody",
    "Author-email: somebody@example.org",
    "License: MIT License",
    "Home-page: https://example.org",
    "Requires-Dist: numpy>=1",
    "Requires-Dist: Runtime_DirectML>=9",
)


def repacking(wheel: Path, **changed: Any) -> Repacking:
    rule = {
        "package": "demo-pkg",
        "requires": ("runtime-directml==1.0",),
        "local_version": "fixed.1",
        "reason": "because it cannot be installed",
        "licence": "MIT",
        "licence_files": ("demo_pkg/LICENSE",),
    }
    artifact = schema.Artifact(
        package="demo-pkg", version="1.0", filename=wheel.name, sha256=sha256_file(wheel), python="cp312"
    )
    return Repacking(artifact=artifact, rule=schema.Repack(**rule | changed), epoch=1_700_000_000)


def project_of(tmp_path: Path, wheel: Path, **changed: Any) -> tuple[Path, dict[str, Any]]:
    project = tmp_path / "project"
    write_project(repacking(wheel, **changed), wheel, project)
    return project, tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))


def test_project_says_what_the_published_wheel_said_but_for_the_changes(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, headers=HEADERS, files=FILES)
    project, toml = project_of(tmp_path, wheel)
    said = toml["project"]
    assert (said["name"], said["version"]) == ("demo-pkg", "1.0+fixed.1")
    assert said["description"] == 'A "demo" \\ of \U0001f680'
    assert said["authors"] == [{"name": "Somebody", "email": "somebody@example.org"}]
    assert said["dependencies"] == ["numpy>=1", "runtime-directml==1.0"]
    assert said["urls"] == {"Homepage": "https://example.org"}
    assert (said["license"], said["license-files"]) == ("MIT", ["LICENSE"])
    assert (project / "LICENSE").read_bytes() == b"MIT"
    assert {p.relative_to(project / "payload").as_posix() for p in (project / "payload").rglob("*") if p.is_file()} == {
        *FILES
    }


def test_record_of_the_changes(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, headers=HEADERS, files=FILES)
    project, _ = project_of(tmp_path, wheel)
    record = json.loads((project / "dist-info" / "dml-wheelhouse.json").read_text())
    assert record["source"]["sha256"] == sha256_file(wheel)
    assert {c["field"]: (c["was"], c["now"]) for c in record["changes"]} == {
        "Version": ("1.0", "1.0+fixed.1"),
        "Requires-Dist": ("Runtime_DirectML>=9", "runtime-directml==1.0"),
        "License": ("MIT License", "MIT"),
    }
    assert record["payload"]["files"] == len(FILES)
    for_people = (project / "dist-info" / "dml-wheelhouse.txt").read_text()
    assert "Runtime_DirectML>=9 -> runtime-directml==1.0" in for_people
    assert "because it cannot be installed" in for_people
    assert for_people in (project / "README.md").read_text()


def test_entry_points_and_other_files_of_dist_info_stay(tmp_path: Path) -> None:
    extra = {
        "entry_points.txt": b"[console_scripts]\nDemo = demo_pkg:main\n\n[some.group]\nkey = demo_pkg:x [extra]\n",
        "top_level.txt": b"demo_pkg\n",
        "licenses/NOTICE": b"notice",
    }
    wheel = make_wheel(tmp_path, headers=HEADERS, files=FILES, extra=extra)
    project, toml = project_of(tmp_path, wheel)
    assert toml["project"]["scripts"] == {"Demo": "demo_pkg:main"}
    assert toml["project"]["entry-points"] == {"some.group": {"key": "demo_pkg:x [extra]"}}
    assert (project / "dist-info" / "top_level.txt").read_bytes() == b"demo_pkg\n"
    assert toml["project"]["license-files"] == ["LICENSE", "NOTICE"]
    assert not (project / "dist-info" / "entry_points.txt").exists()


@pytest.mark.parametrize(
    ("headers", "changed", "words"),
    [
        ((*HEADERS, "Provides-Extra: gpu"), {}, "Provides-Extra"),
        ((*HEADERS, "Invented-Field: 1"), {}, "invented-field"),
        (HEADERS, {"licence_files": ("demo_pkg/NOTHING",)}, "demo_pkg/NOTHING"),
    ],
)
def test_what_a_repack_would_lose_or_lacks_is_refused(
    tmp_path: Path, headers: tuple[str, ...], changed: dict[str, Any], words: str
) -> None:
    wheel = make_wheel(tmp_path, headers=headers, files=FILES)
    with pytest.raises(RecipeError, match=words):
        project_of(tmp_path, wheel, **changed)


def test_a_wheel_of_another_package_is_refused(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, package="imposter", files=FILES)
    with pytest.raises(RecipeError, match="says it is imposter"):
        project_of(tmp_path, wheel)


def test_a_wheel_that_installs_outside_the_library_is_refused(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, files=FILES | {"demo_pkg-1.0.data/scripts/x": b""})
    with pytest.raises(RecipeError, match="data folder"):
        project_of(tmp_path, wheel)


def test_a_wheel_that_contradicts_its_record_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="RECORD"):
        check_wheel(make_wheel(tmp_path, break_record=True))


@pytest.mark.parametrize("damage", [{"demo_pkg/core.dll": b"other"}, {"demo_pkg/added.py": b""}])
def test_payload_must_be_the_published_files(tmp_path: Path, damage: dict[str, bytes]) -> None:
    wheel = make_wheel(tmp_path / "a", files=FILES)
    project, _ = project_of(tmp_path, wheel)
    check_payload(project, wheel)
    other = make_wheel(tmp_path / "b", files=FILES | damage)
    with pytest.raises(IntegrityError, match=next(iter(damage))):
        check_payload(project, other)
    lacking = tmp_path / "c.whl"
    with zipfile.ZipFile(lacking, "w") as archive:
        archive.writestr("demo_pkg/LICENSE", b"MIT")
    with pytest.raises(IntegrityError, match=r"core\.dll"):
        check_payload(project, lacking)


def test_command_downloads_nothing_and_sets_the_time(tmp_path: Path) -> None:
    command = wheel_command(repacking(make_wheel(tmp_path)), Path("project"), Path("out"))
    assert {"--no-deps", "--no-index", "--no-build-isolation", "wheel.tags=cp312-cp312-win_amd64"} <= set(command.argv)
    assert command.env == {"SOURCE_DATE_EPOCH": "1700000000"}


def test_new_version_wins_over_the_published(tmp_path: Path) -> None:
    from packaging.version import Version

    ours = repacking(make_wheel(tmp_path))
    assert Version(ours.version) > Version("1.0")
    assert ours.filename == "demo_pkg-1.0+fixed.1-cp312-cp312-win_amd64.whl"


def test_requirement_that_was_missing_is_added() -> None:
    new, changes = replace_requirements(["numpy"], ["b==1"])
    assert new == ["numpy", "b==1"]
    assert [(c.was, c.now) for c in changes] == [("", "b==1")]
    assert replace_requirements(["b==1"], ["b==1"]) == (["b==1"], [])


NAMES = st.from_regex(r"[A-Za-z]([A-Za-z0-9_.-]{0,8}[A-Za-z0-9])?", fullmatch=True)


@given(old=st.lists(NAMES, max_size=5), wanted=NAMES)
def test_exactly_the_wanted_requirement_replaces_its_package(old: list[str], wanted: str) -> None:
    from packaging.utils import canonicalize_name

    new, changes = replace_requirements([f"{n}>=2" for n in old], [f"{wanted}==1"])
    assert new.count(f"{wanted}==1") == 1
    assert [n for n in new if canonicalize_name(n.split(">=")[0].split("==")[0]) == canonicalize_name(wanted)] == [
        f"{wanted}==1"
    ]
    assert len(changes) == 1


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=20)


@example(text="\x7f", key="a")
@given(text=TEXT, key=st.from_regex(r"[a-z]{1,8}", fullmatch=True))
def test_any_text_survives_the_template(text: str, key: str) -> None:
    fields = {
        **dict.fromkeys(("name", "version", "summary", "readme_type", "licence", "requires_python"), text),
        "author": {"name": text},
        "licence_files": [text],
        "keywords": [text],
        "classifiers": [text],
        "dependencies": [text],
        "urls": {text: text},
        "entry_points": {"console_scripts": {key: text}, "a.b": {key: text}},
    }
    project = tomllib.loads(render_project(fields))["project"]
    assert project["description"] == text
    assert project["authors"] == [{"name": text}]
    assert project["urls"] == {text: text}
    assert project["scripts"] == {key: text}
    assert project["entry-points"] == {"a.b": {key: text}}


def test_names_of_entry_points_keep_their_case(tmp_path: Path) -> None:
    path = tmp_path / "entry_points.txt"
    path.write_text("[g]\nCamelCase=a:b\nwith%percent = c\n")
    assert entry_points(path) == {"g": {"CamelCase": "a:b", "with%percent": "c"}}
    assert entry_points(tmp_path / "none") == {}
