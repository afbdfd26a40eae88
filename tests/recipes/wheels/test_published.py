"""The published lane over small wheels of our own: what runs, what is left, what is refused."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from recipes.spec import schema
from recipes.spec.load import load, locate
from recipes.wheels import published
from recipes.wheels.published import build_published, plan_published, select
from recipes.wheels.repack import repacking_of
from tests.recipes.wheel_factory import make_wheel
from wheelhouse import downloads, paths
from wheelhouse.downloads import cached_path
from wheelhouse.errors import InputError, NetworkError, RecipeError, UsageError
from wheelhouse.files import sha256_file
from wheelhouse.paths import cache_dir
from wheelhouse.process import Command, Completed, render


def recipe_of(*wheels: Path, repack: str = "demo-pkg") -> schema.Recipe:
    artifacts = [
        schema.Artifact(
            package=wheel.name.split("-")[0].replace("_", "-"),
            version="1.0",
            filename=wheel.name,
            sha256=sha256_file(wheel),
            python=wheel.name.split("-")[2],
            platform="win_amd64",
        )
        for wheel in wheels
    ]
    rule = schema.Repack(
        package=repack,
        requires=("runtime==1.0",),
        local_version="fixed.1",
        reason="because it cannot be installed",
        licence="MIT",
        licence_files=("demo_pkg/LICENSE",),
    )
    part = schema.Published(artifacts=tuple(artifacts), repack=(rule,), source_date_epoch=1_700_000_000)
    return schema.Recipe(description="a test", name="demo", published=part)


@pytest.fixture
def pair(tmp_path: Path) -> schema.Recipe:
    """A recipe of two wheels that are in the cache already."""
    wheels = [
        make_wheel(tmp_path / "in", package="runtime"),
        make_wheel(tmp_path / "in", headers=("Requires-Dist: runtime>=9",), files={"demo_pkg/LICENSE": b"MIT"}),
    ]
    for wheel in wheels:
        place = cached_path(sha256_file(wheel), wheel.name)
        place.parent.mkdir(parents=True)
        shutil.copy(wheel, place)
    return recipe_of(*wheels)


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    path = tmp_path / "demo.toml"
    path.write_text("# only its hash matters here\n", encoding="utf-8")
    return path


def flip(path: Path) -> None:
    """Change one bit and leave size and times as they are, as a bad disk does."""
    status = path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_takes_one_wheel_over_and_packs_the_other(pair: schema.Recipe, toml: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    runtime, demo = (made.path for made in build_published(pair, toml, out))
    assert sha256_file(runtime) == pair.published.artifacts[0].sha256
    assert demo.name == "demo_pkg-1.0+fixed.1-cp312-cp312-win_amd64.whl"
    import zipfile

    with zipfile.ZipFile(demo) as archive:
        info = "demo_pkg-1.0+fixed.1.dist-info"
        assert "Requires-Dist: runtime==1.0" in archive.read(f"{info}/METADATA").decode().splitlines()
        assert "Tag: cp312-cp312-win_amd64" in archive.read(f"{info}/WHEEL").decode().splitlines()
        assert "Root-Is-Purelib: false" in archive.read(f"{info}/WHEEL").decode().splitlines()
        names = set(archive.namelist())
        assert {f"{info}/{n}" for n in ("dml-wheelhouse.json", "dml-wheelhouse.txt", "licenses/LICENSE")} <= names
        assert [n for n in names if n.startswith(f"{info}/sboms/")]
        assert {i.date_time for i in archive.infolist()} == {(2023, 11, 14, 22, 13, 20)}


def test_a_folder_that_lies_too_deep_for_windows_is_said_before_anything_is_fetched(
    pair: schema.Recipe, toml: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "limited", lambda: True)
    for part in ("require_space", "fetch_index_files", "_make"):
        monkeypatch.setattr(published, part, lambda *_: pytest.fail("began"))
    longest = len(".demo_pkg-1.0+fixed.1-cp312-cp312-win_amd64.whl.partial")
    with pytest.raises(InputError, match=f"210 characters long.* up to {longest}") as raised:
        build_published(pair, toml, Path("x" * 210))
    assert "Clone the project again into a short folder" in raised.value.remedy


class TestWithoutScikitBuild:
    """What does not depend on the packing itself, with a copy in its place."""

    @pytest.fixture(autouse=True)
    def _copy_instead_of_packing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.packed: list[str] = []

        def pack(repacking: Any, folder: Path, *_: object) -> None:
            self.packed.append(repacking.filename)
            made = shutil.copy(published._fetched(repacking.artifact), folder / repacking.filename)
            (folder / published.SUM).write_text(sha256_file(Path(made)), encoding="utf-8")

        monkeypatch.setattr(published, "_pack", pack)

    def test_second_run_packs_nothing_and_starts_nothing(
        self, pair: schema.Recipe, toml: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        build_published(pair, toml, tmp_path / "out")
        monkeypatch.setattr("subprocess.Popen", lambda *_a, **_k: pytest.fail("started a process"))
        monkeypatch.setattr(published, "_fetched", lambda *_: pytest.fail("hashed a download again"))
        assert [made.seconds for made in build_published(pair, toml, tmp_path / "out")] == [0.0, 0.0]
        assert len(self.packed) == 1

    def test_a_changed_recipe_packs_again(self, pair: schema.Recipe, toml: Path, tmp_path: Path) -> None:
        build_published(pair, toml, tmp_path / "out")
        toml.write_text("# changed\n", encoding="utf-8")
        build_published(pair, toml, tmp_path / "out")
        assert len(self.packed) == 2

    def test_a_change_in_what_the_recipe_extends_packs_again(
        self, pair: schema.Recipe, toml: Path, tmp_path: Path
    ) -> None:
        base = toml.with_name("base.toml")
        base.write_text('description = "one"\n', encoding="utf-8")
        toml.write_text('extends = "base"\n', encoding="utf-8")
        build_published(pair, toml, tmp_path / "out")
        base.write_text('description = "two"\n', encoding="utf-8")
        build_published(pair, toml, tmp_path / "out")
        assert len(self.packed) == 2

    @pytest.mark.parametrize("damage", [b"", b"swapped"])
    def test_a_damaged_wheel_in_the_output_is_put_back(
        self, pair: schema.Recipe, toml: Path, tmp_path: Path, damage: bytes
    ) -> None:
        (first, second) = build_published(pair, toml, tmp_path / "out")
        good = sha256_file(first.path), sha256_file(second.path)
        first.path.write_bytes(damage)
        second.path.unlink()
        build_published(pair, toml, tmp_path / "out")
        assert (sha256_file(first.path), sha256_file(second.path)) == good

    @pytest.mark.parametrize("damaged", ["content", "wheel gone", "hash gone", "hash empty", "hash is no text"])
    def test_a_damaged_wheel_in_the_cache_is_never_delivered_and_made_again(
        self, pair: schema.Recipe, toml: Path, tmp_path: Path, damaged: str
    ) -> None:
        good = [sha256_file(made.path) for made in build_published(pair, toml, tmp_path / "one")]
        (wheel,) = cache_dir("published").rglob("*.whl")
        note = wheel.with_name(published.SUM)
        if damaged == "content":
            flip(wheel)
        elif damaged == "wheel gone":
            wheel.unlink()
        elif damaged == "hash gone":
            note.unlink()
        else:
            note.write_bytes(b"" if damaged == "hash empty" else b"\xff\xfe")
        assert [sha256_file(made.path) for made in build_published(pair, toml, tmp_path / "two")] == good
        assert len(self.packed) == 2

    @pytest.mark.parametrize("number", [0, 1])
    @pytest.mark.usefixtures("_nothing_to_fetch")
    def test_a_falsified_download_is_not_packed(
        self, pair: schema.Recipe, toml: Path, tmp_path: Path, number: int
    ) -> None:
        artifact = pair.published.artifacts[number]
        kept = cached_path(artifact.sha256, artifact.filename)
        falsified = make_wheel(tmp_path / "evil", package=artifact.package, files={"evil.py": b"print('PWNED')"})
        shutil.copy(falsified, kept)
        with pytest.raises(NetworkError, match="nothing is reachable"):
            build_published(pair, toml, tmp_path / "out")
        assert not kept.exists()
        assert not list((tmp_path / "out").glob("*.whl"))

    @pytest.fixture
    def _nothing_to_fetch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object) -> None:
            raise NetworkError("nothing is reachable")

        monkeypatch.setattr(downloads, "_fetch_group", fail)

    def test_only_the_pythons_asked_for(self, pair: schema.Recipe, toml: Path, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"Python 3\.11\. There are for 3\.12"):
            build_published(pair, toml, tmp_path / "out", ["3.11"])
        assert len(build_published(pair, toml, tmp_path / "out", ["3.12"])) == 2


def test_select_orders_pythons_as_numbers(tmp_path: Path) -> None:
    wheels = [make_wheel(tmp_path, tag=f"cp{v}-cp{v}-win_amd64") for v in ("39", "310")]
    artifacts = recipe_of(*wheels).published.artifacts
    with pytest.raises(UsageError, match=r"There are for 3\.9, 3\.10\."):
        select(artifacts, ["3.8"])
    assert [a.python for a in select(artifacts, ["3.10"])] == ["cp310"]


def test_a_tag_that_is_no_cpython_is_a_mistake_of_the_recipe(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="py3"):
        select(recipe_of(make_wheel(tmp_path, tag="py3-none-any")).published.artifacts, [])


def test_plan_is_what_is_run(pair: schema.Recipe, toml: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[Command] = []

    def run(command: Command, **_: object) -> Completed:
        ran.append(command)
        raise KeyboardInterrupt

    monkeypatch.setattr(published, "run", run)
    with pytest.raises(KeyboardInterrupt):
        build_published(pair, toml, tmp_path / "out")
    plan = plan_published(pair)
    assert "download" in plan[0].argv
    assert plan[1:] == ran


@pytest.mark.parametrize("name", ["published", "published-0.14"])
def test_our_recipes_pin_a_wheel_of_each_half_for_every_python_and_target(name: str) -> None:
    recipe = load(name)
    assert recipe.published is not None
    platforms = {"windows-x64": "win_amd64", "windows-arm64": "win_arm64"}
    wanted = {(f"cp{v.replace('.', '')}", platforms[target]) for v in recipe.pythons for target in recipe.targets}
    by_package: dict[str, set[tuple[str, str]]] = {}
    for artifact in recipe.published.artifacts:
        by_package.setdefault(artifact.package, set()).add((artifact.python, artifact.platform))
        assert artifact.filename.endswith(f"{artifact.python}-{artifact.python}-{artifact.platform}.whl")
    assert list(by_package.values()) == [wanted, wanted]
    assert len({a.sha256 for a in recipe.published.artifacts}) == len(recipe.published.artifacts)


@pytest.mark.parametrize("name", ["published", "published-0.14"])
def test_the_halves_of_our_recipes_require_each_other_exactly(name: str) -> None:
    part = load(name).published
    assert part is not None
    made = {}
    for artifact in part.artifacts:
        repacking = repacking_of(artifact, part)
        made[repacking.name if repacking else artifact.package] = repacking.version if repacking else artifact.version
    assert made.keys() == {"onnxruntime-directml", "onnxruntime-genai-directml"}
    required = {
        r for rule in part.repack for r in (*rule.requires, *(e for extra in rule.extras.values() for e in extra))
    }
    assert required <= {f"{package}=={version}" for package, version in made.items()}
    assert f"onnxruntime-directml=={made['onnxruntime-directml']}" in required


def test_todays_pair_has_a_local_version_in_both_halves() -> None:
    part = load("published").published
    assert part is not None
    versions = {r.version for a in part.artifacts if (r := repacking_of(a, part)) is not None}
    assert versions == {"1.30.0+dmlwheelhouse.1", "0.18.0+dmlwheelhouse.1"}
    assert len([a for a in part.artifacts if repacking_of(a, part) is not None]) == 16


def test_what_was_never_run_says_so() -> None:
    part = load("published").published
    assert part is not None
    repackings = [r for a in part.artifacts if (r := repacking_of(a, part)) is not None]
    run = {(r.artifact.python, r.artifact.platform) for r in repackings if not r.not_run}
    assert run == {("cp313", "win_amd64")}
    assert "with 3.13 in Wine" in next(r.proof for r in repackings if r.tag == "cp312-cp312-win_amd64")


def test_the_real_plan_reads_like_what_an_expert_types() -> None:
    lines = [render(c) for c in plan_published(load("published-0.14"), ["3.12"])]
    assert len(lines) == 2
    assert "onnxruntime-directml===1.24.4 onnxruntime-genai-directml===0.14.1" in lines[0]
    assert "SOURCE_DATE_EPOCH=1780420200" in lines[1]
    assert "wheel.tags" in lines[1]
    assert "cp312-cp312-win_amd64" in lines[1]
    assert locate("published").is_file()


def test_a_donor_is_downloaded_once_and_only_where_it_lends() -> None:
    recipe = load("published")
    names = [f.filename for f in published.index_files_of(recipe, ["3.13"])]
    assert len(names) == len(set(names)) == 5
    assert [n for n in names if "0.14.1" in n] == ["onnxruntime_genai_directml-0.14.1-cp312-cp312-win_amd64.whl"]
