"""The published lane over small wheels of our own: what runs, what is left, what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from recipes.spec import schema
from recipes.spec.load import load, locate
from recipes.wheels import published
from recipes.wheels.published import build_published, plan_published, select
from tests.recipes.wheel_factory import make_wheel
from wheelhouse.downloads import cached_path
from wheelhouse.errors import IntegrityError, RecipeError, UsageError
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
    path.write_text("# only its hash matters here\n")
    return path


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


class TestWithoutScikitBuild:
    """What does not depend on the packing itself, with a copy in its place."""

    @pytest.fixture(autouse=True)
    def _copy_instead_of_packing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.packed: list[str] = []

        def pack(repacking: Any, source: Path, folder: Path, *_: object) -> None:
            self.packed.append(repacking.filename)
            made = shutil.copy(source, folder / repacking.filename)
            (folder / published.SUM).write_text(sha256_file(Path(made)))

        monkeypatch.setattr(published, "_pack", pack)

    def test_second_run_packs_nothing_and_starts_nothing(
        self, pair: schema.Recipe, toml: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        build_published(pair, toml, tmp_path / "out")
        monkeypatch.setattr("subprocess.Popen", lambda *_a, **_k: pytest.fail("started a process"))
        monkeypatch.setattr(published, "verified", lambda *_: pytest.fail("hashed a wheel again"))
        assert [made.seconds for made in build_published(pair, toml, tmp_path / "out")] == [0.0, 0.0]
        assert len(self.packed) == 1

    def test_a_changed_recipe_packs_again(self, pair: schema.Recipe, toml: Path, tmp_path: Path) -> None:
        build_published(pair, toml, tmp_path / "out")
        toml.write_text("# changed\n")
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

    def test_a_damaged_wheel_in_the_cache_is_never_delivered(
        self, pair: schema.Recipe, toml: Path, tmp_path: Path
    ) -> None:
        build_published(pair, toml, tmp_path / "one")
        for path in cache_dir("published").rglob("*.whl"):
            path.write_bytes(b"damaged")
        with pytest.raises(IntegrityError, match=r"demo_pkg-1\.0\+fixed\.1"):
            build_published(pair, toml, tmp_path / "two")
        assert not list((tmp_path / "two").glob("demo*"))

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


def test_the_real_recipe_pins_every_wheel_and_pairs_every_python() -> None:
    recipe = load("published")
    by_package: dict[str, set[str]] = {}
    for artifact in recipe.published.artifacts:
        by_package.setdefault(artifact.package, set()).add(artifact.python)
        assert artifact.filename.endswith(f"{artifact.python}-{artifact.python}-{artifact.platform}.whl")
    pythons = {f"cp{v.replace('.', '')}" for v in recipe.pythons}
    assert by_package == {"onnxruntime-directml": pythons, "onnxruntime-genai-directml": pythons}
    paired = {f"{a.package}=={a.version}" for a in recipe.published.artifacts if a.package == "onnxruntime-directml"}
    assert [r.requires for r in recipe.published.repack] == [tuple(paired)]
    assert len({a.sha256 for a in recipe.published.artifacts}) == len(recipe.published.artifacts)


def test_the_real_plan_reads_like_what_an_expert_types() -> None:
    lines = [render(c) for c in plan_published(load("published"), ["3.12"])]
    assert len(lines) == 2
    assert "onnxruntime-directml===1.24.4 onnxruntime-genai-directml===0.14.1" in lines[0]
    assert "SOURCE_DATE_EPOCH=1780420200" in lines[1]
    assert "--config-settings wheel.tags=cp312-cp312-win_amd64" in lines[1]
    assert locate("published").is_file()
