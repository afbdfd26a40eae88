"""A published wheel packed again: the project that is written, and what is refused."""

from __future__ import annotations

import json
import time
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from recipes.spec import schema
from recipes.wheels.pieces import new, taken, write_wheel
from recipes.wheels.repack import Repacking, render_project, repacking_of, wheel_command
from recipes.wheels.repack_files import Opened, assemble, open_wheel, write_project
from recipes.wheels.repack_metadata import replace_requirements
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


def project_of(tmp_path: Path, wheel: Path, **changed: Any) -> tuple[Path, dict[str, Any], Opened]:
    project, ours = tmp_path / "project", repacking(wheel, **changed)
    opened = open_wheel(ours, wheel, {})
    write_project(ours, opened, project)
    return project, tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8")), opened


def packed(tmp_path: Path, ours: Repacking, wheel: Path, donors: dict[str, Path] | None = None) -> Path:
    """The new wheel, with what the backend would have packed written by hand."""
    opened = open_wheel(ours, wheel, donors or {})
    changes = write_project(ours, opened, tmp_path / "project")
    made = make_wheel(tmp_path / "metadata", package=ours.name, version=ours.version, files={})
    target = tmp_path / ours.filename
    assemble(ours, opened, made, target, {"provenance.json": "{}"}, changes)
    return target


def test_the_bytes_are_the_same_in_every_time_zone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = make_wheel(tmp_path, headers=HEADERS, files=FILES)
    sums = set()
    for zone in ("UTC", "XYZ-14", "XYZ+11:30"):
        monkeypatch.setenv("TZ", zone)
        getattr(time, "tzset", lambda: None)()
        sums.add(sha256_file(packed(tmp_path / zone.replace(":", ""), repacking(wheel), wheel)))
    monkeypatch.undo()
    getattr(time, "tzset", lambda: None)()
    assert len(sums) == 1


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_project_says_what_the_published_wheel_said_but_for_the_changes(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, headers=HEADERS, files=FILES)
    project, toml, opened = project_of(tmp_path, wheel)
    said = toml["project"]
    assert (said["name"], said["version"]) == ("demo-pkg", "1.0+fixed.1")
    assert said["description"] == 'A "demo" \\ of \U0001f680'
    assert said["authors"] == [{"name": "Somebody", "email": "somebody@example.org"}]
    assert said["dependencies"] == ["numpy>=1", "runtime-directml==1.0"]
    assert said["urls"] == {
        "Homepage": "https://example.org",
        "Original wheel": "https://pypi.org/project/demo-pkg/1.0/",
    }
    assert (said["license"], said["license-files"]) == ("MIT", ["LICENSE"])
    assert (project / "LICENSE").read_bytes() == b"MIT"
    assert opened.payload.keys() == FILES.keys()


def test_record_of_the_changes(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, headers=HEADERS, files=FILES)
    inside = contents(packed(tmp_path / "out", repacking(wheel), wheel))
    record = json.loads(inside["demo_pkg-1.0+fixed.1.dist-info/dml-wheelhouse.json"])
    assert [source["sha256"] for source in record["sources"]] == [sha256_file(wheel)]
    assert {c["field"]: (c["was"], c["now"]) for c in record["changes"]} == {
        "Version": ("1.0", "1.0+fixed.1"),
        "Requires-Dist": ("Runtime_DirectML>=9", "runtime-directml==1.0"),
        "License": ("MIT License", "MIT"),
    }
    assert record["files"] == {"unchanged": len(FILES), "other": {}}
    for_people = inside["demo_pkg-1.0+fixed.1.dist-info/dml-wheelhouse.txt"].decode()
    assert "Runtime_DirectML>=9 -> runtime-directml==1.0" in for_people
    assert "because it cannot be installed" in for_people
    assert for_people in (tmp_path / "out" / "project" / "README.md").read_text(encoding="utf-8")


def test_the_files_come_over_as_they_lie_in_the_published_wheel(tmp_path: Path) -> None:
    """Compressed bytes too: the result does not depend on the zlib of the machine that packs."""
    wheel = make_wheel(tmp_path, headers=HEADERS, files=FILES)
    made = packed(tmp_path / "out", repacking(wheel), wheel)
    inside = contents(made)
    assert {name: inside[name] for name in FILES} == FILES
    taken(made, "")  # RECORD is right
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(made) as now:
        assert [i.compress_size for i in old.infolist() if i.filename in FILES] == [
            now.getinfo(i.filename).compress_size for i in old.infolist() if i.filename in FILES
        ]
        ours = [i for i in now.infolist() if i.filename not in FILES]
        assert {i.compress_type for i in ours if i.filename.endswith(".json")} == {zipfile.ZIP_STORED}
        assert {i.date_time for i in now.infolist()} == {(2023, 11, 14, 22, 13, 20)}


def test_files_are_left_out_added_and_corrected(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, headers=HEADERS, files=FILES | {"demo_pkg/decoy.dll": b"MZ old"})
    lent = {"donor/core.dll": b"MZ core", "donor/LICENSE": b"its licence"}
    donor = make_wheel(tmp_path / "d", package="donor", files=lent)
    rule: dict[str, Any] = {
        "name": "new-name",
        "version": "2.0",
        "drop": (schema.Dropped(files=("demo_pkg/decoy.dll", "demo_pkg/not-here.dll"), reason="there must be one"),),
        "add": (
            schema.Added(
                package="donor", file="donor/core.dll", licence_files=("donor/LICENSE",), reason="it is looked for"
            ),
        ),
        "edit": (schema.Edited(file="demo_pkg/__init__.py", was="x = 1", now="x = 2", reason="it was untrue"),),
    }
    plain = repacking(wheel, **rule)
    lending = schema.Artifact(package="donor", version="1.0", filename=donor.name, sha256=sha256_file(donor))
    ours = Repacking(artifact=plain.artifact, rule=plain.rule, epoch=plain.epoch, donors={"donor": lending})
    made = packed(tmp_path / "out", ours, wheel, {"donor": donor})
    assert made.name == "new_name-2.0+fixed.1-cp312-cp312-win_amd64.whl"
    inside = contents(made)
    taken(made, "")
    assert "demo_pkg/decoy.dll" not in inside
    assert inside["donor/core.dll"] == b"MZ core"
    assert inside["demo_pkg/__init__.py"] == b"x = 2\n"
    record = json.loads(inside["new_name-2.0+fixed.1.dist-info/dml-wheelhouse.json"])
    assert {n: f["from"] for n, f in record["files"]["other"].items()} == {
        "demo_pkg/__init__.py": "edited here",
        "donor/core.dll": "donor",
    }
    fields = [c["field"] for c in record["changes"]]
    assert {"Name", "File demo_pkg/decoy.dll", "File donor/core.dll", "Text in demo_pkg/__init__.py"} <= set(fields)
    toml = tomllib.loads((tmp_path / "out" / "project" / "pyproject.toml").read_text(encoding="utf-8"))
    assert toml["project"]["license-files"] == ["LICENSE", "donor-1.0/LICENSE"]
    assert toml["project"]["urls"]["Donor of core.dll"] == "https://pypi.org/project/donor/1.0/"


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"edit": (schema.Edited(file="gone.py", was="x", now="y", reason="it was untrue"),)}, "gone.py"),
        ({"edit": (schema.Edited(file="demo_pkg/__init__.py", was="z", now="y", reason="it was untrue"),)}, "0 times"),
        ({"extras": {"gpu": ("a==1",)}}, "an extra 'gpu' already"),
    ],
)
def test_a_rule_that_does_not_fit_the_wheel_is_refused(tmp_path: Path, rule: dict[str, Any], words: str) -> None:
    wheel = make_wheel(tmp_path, headers=(*HEADERS, "Provides-Extra: gpu"), files=FILES)
    with pytest.raises(RecipeError, match=words):
        project_of(tmp_path, wheel, **rule)


@pytest.mark.parametrize("lack", ["donor/other.dll", "demo_pkg/core.dll"])
def test_a_donor_must_have_the_file_and_the_wheel_must_not(tmp_path: Path, lack: str) -> None:
    wheel = make_wheel(tmp_path, files=FILES)
    donor = make_wheel(tmp_path / "d", package="donor", files={"demo_pkg/core.dll": b"", "donor/LICENSE": b""})
    added = schema.Added(package="donor", file=lack, licence_files=("donor/LICENSE",), reason="it is looked for")
    plain = repacking(wheel, add=(added,))
    lending = schema.Artifact(package="donor", version="1.0", filename=donor.name, sha256=sha256_file(donor))
    ours = Repacking(artifact=plain.artifact, rule=plain.rule, epoch=0, donors={"donor": lending})
    with pytest.raises(RecipeError, match=lack.rpartition("/")[2]):
        open_wheel(ours, wheel, {"donor": donor})


def test_donors_and_proof_are_those_of_the_platform(tmp_path: Path) -> None:
    added = schema.Added(
        package="donor", file="a.dll", platforms=("win_amd64",), licence_files=("L",), reason="it is looked for"
    )
    rule = repacking(make_wheel(tmp_path), add=(added,)).rule
    names = {"win_amd64": "a.whl", "win_arm64": "b.whl"}
    artifacts = tuple(
        schema.Artifact(package="demo-pkg", version="1.0", filename=name, sha256="a" * 64, platform=platform)
        for platform, name in names.items()
    )
    lending = schema.Artifact(package="donor", version="1.0", filename="d.whl", sha256="b" * 64)
    part = schema.Published(
        artifacts=artifacts,
        donors=(lending,),
        repack=(rule,),
        proof={"windows-arm64": schema.Proof(run="not run: there was none")},
    )
    x64, arm64 = (repacking_of(artifact, part) for artifact in artifacts)
    assert x64 is not None
    assert arm64 is not None
    assert (list(x64.donors), x64.not_run) == (["donor"], False)
    assert (list(arm64.donors), arm64.not_run) == ([], True)


def test_what_was_not_run_says_so_in_the_metadata(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, headers=HEADERS, files=FILES)
    plain = repacking(wheel)
    ours = Repacking(artifact=plain.artifact, rule=plain.rule, epoch=0, proof="not run: there was no such machine")
    write_project(ours, open_wheel(ours, wheel, {}), tmp_path / "project")
    said = tomllib.loads((tmp_path / "project" / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert said["description"].endswith("(not run before release: cp312-cp312-win_amd64)")
    assert "not run: there was no such machine" in (tmp_path / "project" / "README.md").read_text(encoding="utf-8")


def test_extras_stay_with_their_requirements(tmp_path: Path) -> None:
    extra = ("Provides-Extra: gpu", 'Requires-Dist: cuda>=12; extra == "gpu"', "Provides-Extra: none")
    wheel = make_wheel(tmp_path, headers=(*HEADERS, *extra), files=FILES)
    _, toml, _ = project_of(tmp_path, wheel, extras={"genai": ("genai==1",)})
    assert toml["project"]["optional-dependencies"] == {"gpu": ["cuda>=12"], "none": [], "genai": ["genai==1"]}
    assert toml["project"]["dependencies"] == ["numpy>=1", "runtime-directml==1.0"]


def test_entry_points_and_other_files_of_dist_info_stay(tmp_path: Path) -> None:
    extra = {
        "entry_points.txt": b"[console_scripts]\nDemo = demo_pkg:main\nwith%percent = a:b\n\n"
        b"[some.group]\nkey = demo_pkg:x [extra]\n",
        "top_level.txt": b"demo_pkg\n",
        "licenses/NOTICE": b"notice",
    }
    wheel = make_wheel(tmp_path, headers=HEADERS, files=FILES, extra=extra)
    _, toml, _ = project_of(tmp_path, wheel)
    assert toml["project"]["scripts"] == {"Demo": "demo_pkg:main", "with%percent": "a:b"}
    assert toml["project"]["entry-points"] == {"some.group": {"key": "demo_pkg:x [extra]"}}
    assert toml["project"]["license-files"] == ["LICENSE", "NOTICE"]
    inside = contents(packed(tmp_path / "out", repacking(wheel), wheel))
    assert inside["demo_pkg-1.0+fixed.1.dist-info/top_level.txt"] == b"demo_pkg\n"
    assert "demo_pkg-1.0+fixed.1.dist-info/entry_points.txt" not in inside  # the backend's, which is not run here


@pytest.mark.parametrize(
    ("headers", "changed", "words"),
    [
        ((*HEADERS, "Provides-Extra: gpu", 'Requires-Dist: a; extra == "gpu" and os_name == "nt"'), {}, "extra"),
        ((*HEADERS, 'Requires-Dist: a; extra == "gone"'), {}, "extra"),
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
        taken(make_wheel(tmp_path, break_record=True), "")
    wheel = make_wheel(tmp_path / "more")
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("demo_pkg/added.py", b"")
    with pytest.raises(IntegrityError, match=r"added\.py"):
        taken(wheel, "")
    whole = make_wheel(tmp_path / "whole").read_bytes()
    for damage in (b"", whole[:-30], whole[:60] + b"\0\0\0\0" + whole[64:]):
        wheel.write_bytes(damage)
        with pytest.raises(IntegrityError, match="RECORD"):
            taken(wheel, "")


def test_names_beyond_ascii_and_stored_members_come_over(tmp_path: Path) -> None:
    source, target = tmp_path / "a.whl", tmp_path / "b.whl"
    write_wheel(
        source, {"d-1.dist-info/RECORD": new("d-1.dist-info/RECORD,,\nü.txt,,\n".encode()), "ü.txt": new(b"x")}, 0
    )
    with zipfile.ZipFile(source) as archive:
        assert archive.read("ü.txt") == b"x"
        assert archive.getinfo("ü.txt").date_time == (1980, 1, 1, 0, 0, 0)
    with pytest.raises(IntegrityError, match="another hash"):
        taken(source, "")
    write_wheel(target, {"empty": new(b"")}, 0)
    assert contents(target) == {"empty": b""}


def test_command_downloads_nothing_and_sets_the_time(tmp_path: Path) -> None:
    command = wheel_command(repacking(make_wheel(tmp_path)), Path("project"), Path("out"))
    assert "'cp312-cp312-win_amd64'" in command.argv[-1]
    assert "pip" not in command.argv
    assert command.cwd == Path("project")
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
        "extras": {key: [text]},
        "entry_points": {"console_scripts": {key: text}, "a.b": {key: text}},
    }
    project = tomllib.loads(render_project(fields))["project"]
    assert project["description"] == text
    assert project["authors"] == [{"name": text}]
    assert project["urls"] == {text: text}
    assert project["optional-dependencies"] == {key: [text]}
    assert project["scripts"] == {key: text}
    assert project["entry-points"] == {"a.b": {key: text}}
