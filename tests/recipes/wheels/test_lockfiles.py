"""Lock files: what PEP 751's own reader, pip and people are told, and when there must be none."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from packaging.pylock import Pylock
from packaging.tags import cpython_tags

from recipes.locking import lock
from recipes.sources import lock as locks
from recipes.spec import schema
from recipes.wheels.index import write_index
from recipes.wheels.lockfiles import write_lockfiles
from recipes.wheels.requirements import address_of
from tests.recipes.wheel_factory import make_wheel
from wheelhouse.errors import InputError, IntegrityError, NetworkError, UsageError
from wheelhouse.files import sha256_file

WINDOWS = {"sys_platform": "win32", "python_version": "3.12", "python_full_version": "3.12.1"}


def artifact(wheel: Path) -> schema.Artifact:
    name, version, python, _, platform = wheel.stem.split("-")
    return schema.Artifact(
        package=name.replace("_", "-"),
        version=version,
        filename=wheel.name,
        sha256=sha256_file(wheel),
        python=python,
        platform=platform,
    )


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder with what the pair requires: one for all, one for each platform."""
    folder = tmp_path / "shop"
    make_wheel(folder, package="helper", version="2.1", tag="py3-none-any", headers=("Requires-Dist: number",))
    for platform in ("win_amd64", "win_arm64"):
        make_wheel(folder, package="number", version="1.5", tag=f"cp312-cp312-{platform}")
        make_wheel(folder, package="number", version="1.5", tag=f"cp313-cp313-{platform}")
        make_wheel(folder, package="number", version="1.6", tag=f"cp313-cp313-{platform}")
    return folder


@pytest.fixture
def made(tmp_path: Path) -> Callable[[], tuple[schema.Recipe, Path]]:
    """The wheels of a recipe in a folder, for two Pythons and two platforms, and the recipe's file."""
    folder, wheels = tmp_path / "wheels", []
    for platform in ("win_amd64", "win_arm64"):
        for python in ("cp312", "cp313"):
            tag = f"{python}-{python}-{platform}"
            wheels.append(make_wheel(folder, package="runtime", version="1.0", tag=tag))
            headers = (
                "Requires-Dist: runtime==1.0",
                "Requires-Dist: helper>=2",
                "Requires-Dist: unix-only; sys_platform != 'win32'",
                'Requires-Dist: more; extra == "all"',
            )
            wheels.append(make_wheel(folder, package="demo-pkg", version="3.0+own.1", tag=tag, headers=headers))
    part = schema.Published(artifacts=tuple(map(artifact, wheels)))
    recipe = schema.Recipe(description="a test", name="demo.x", published=part, pythons=("3.12", "3.13"))
    text = 'description = "a test"\npythons = ["3.12", "3.13"]\n'
    for found in part.artifacts:
        text += "\n[[published.artifacts]]\n"
        text += "".join(f'{k} = "{v}"\n' for k, v in msgspec.to_builtins(found).items())
    (tmp_path / "demo.x.toml").write_text(text, encoding="utf-8")
    return lambda: (recipe, tmp_path / "demo.x.toml")


@pytest.fixture
def locked(made, shop: Path) -> tuple[schema.Recipe, Path]:
    """The same with the lock that it gets when the shop is the index."""
    recipe, file = made()
    wheels = [p for p in sorted(shop.glob("*.whl")) if "1.6" not in p.name]
    archive = tuple(locks.LockedArchive(url=address_of(p), sha256=sha256_file(p)) for p in wheels)
    lock = locks.Lock(format=locks.FORMAT, recipe=recipe.name, checksum="", archive=archive)
    locks.write(locks.file_of(file), lock)
    return recipe, file


@pytest.fixture
def _index_is_the_shop(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recipes.locking.wheels_dir", lambda: tmp_path / "wheels")
    for name in [n for n in os.environ if n.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shop))


@pytest.mark.integration
@pytest.mark.usefixtures("_index_is_the_shop")
def test_recorded_and_verified(locked, shop: Path) -> None:
    _, file = locked
    text = locks.file_of(file).read_text(encoding="utf-8")
    locks.file_of(file).unlink()
    assert "recorded; 5 wheels" in lock(str(file))
    assert locks.file_of(file).read_text(encoding="utf-8") == text
    assert "number-1.6" not in text  # the oldest Python has no such wheel, and one release serves all
    assert "verified" in lock(str(file))
    assert locks.file_of(file).read_text(encoding="utf-8") == text
    with pytest.raises(UsageError, match=r"no 'nummer'\. Did you mean 'number'"):
        lock(str(file), upgrade="nummer")
    with pytest.raises(UsageError, match="made of published wheels"):
        lock(str(file), check=True)
    make_wheel(shop, package="helper", version="2.1", tag="py3-none-any", headers=("Requires-Dist: number>1",))
    with pytest.raises(IntegrityError, match=r"helper-2\.1.*another file"):
        lock(str(file))
    assert "brought up to date" in lock(str(file), upgrade="helper")
    for wheel in shop.glob("number-*"):
        wheel.unlink()
    with pytest.raises(NetworkError, match="helper>=2"):
        lock(str(file))
    for wheel in file.with_name("wheels").glob("demo_pkg*"):
        wheel.unlink()
    with pytest.raises(InputError, match="build-dml --lane published") as caught:
        lock(str(file))
    assert "demo_pkg-3.0+own.1" in str(caught.value)


@pytest.mark.parametrize(("target", "platform"), [("windows-x64", "win_amd64"), ("windows-arm64", "win_arm64")])
def test_a_reader_of_pep_751_selects_the_pair(locked, target: str, platform: str, tmp_path: Path) -> None:
    recipe, file = locked
    folder = tmp_path / "wheels"
    names = [p.name for p in write_lockfiles(recipe, file, folder, "demo.x")]
    assert f"pylock.{target}.toml" in names
    pylock = Pylock.from_dict(tomllib.loads((folder / f"pylock.{target}.toml").read_text(encoding="utf-8")))
    pylock.validate()
    for python in ((3, 12), (3, 13)):
        tags = list(cpython_tags(python, platforms=[platform])) + list(_any())
        chosen = {str(p.name): w.filename for p, w in pylock.select(environment=WINDOWS, tags=tags)}
        tag = f"cp3{python[1]}-cp3{python[1]}-{platform}"
        assert chosen == {
            "demo-pkg": f"demo_pkg-3.0+own.1-{tag}.whl",
            "helper": "helper-2.1-py3-none-any.whl",
            "number": f"number-1.5-{tag}.whl",
            "runtime": f"runtime-1.0-{tag}.whl",
        }
    with pytest.raises(Exception, match="environment"):
        list(pylock.select(environment=WINDOWS | {"sys_platform": "linux"}, tags=list(_any())))


def _any():
    from packaging.tags import parse_tag

    return parse_tag("py3-none-any")


@pytest.mark.integration
@pytest.mark.usefixtures("_index_is_the_shop")
def test_pip_installs_from_the_requirements_with_hashes_only(locked, tmp_path: Path) -> None:
    recipe, file = locked
    folder = tmp_path / "wheels"
    write_lockfiles(recipe, file, folder, "published")
    text = folder / "requirements.demo-x-windows-arm64.txt"
    done = pip_resolves(text)
    assert done.returncode == 0, done.stderr
    assert "Would install demo-pkg-3.0+own.1 helper-2.1 number-1.5 runtime-1.0" in done.stdout
    digest = sha256_file(folder / "runtime-1.0-cp312-cp312-win_arm64.whl")
    text.write_text(text.read_text(encoding="utf-8").replace(digest, "0" * 64), encoding="utf-8")
    assert "DO NOT MATCH THE HASHES" in pip_resolves(text).stderr


def pip_resolves(requirements: Path) -> subprocess.CompletedProcess[str]:
    """What pip says of the requirements; its lock for the target lies beside them, not in this checkout."""
    target = ("--platform", "win_arm64", "--python-version", "3.12")
    argv = (
        sys.executable,
        "-m",
        "pip",
        "install",
        "--dry-run",
        "--no-deps",
        "--ignore-installed",
        "--require-hashes",
    )
    argv += ("--target", str(requirements.parent / "never-made"))
    return subprocess.run(
        [*argv, *target, "-r", str(requirements)], capture_output=True, text=True, timeout=120, encoding="utf-8"
    )


def test_what_is_not_locked_gives_no_file_and_says_so(
    locked, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe, file = locked
    found = locks.read(locks.file_of(file), "demo.x")
    archive = tuple(a for a in found.archive if "helper" not in a.url)
    locks.write(locks.file_of(file), msgspec.structs.replace(found, archive=archive))
    assert write_lockfiles(recipe, file, tmp_path / "wheels", "demo.x") == []
    assert "requires helper>=2, which the recipe's lock does not have" in " ".join(capsys.readouterr().err.split())
    locks.file_of(file).unlink()
    assert write_lockfiles(recipe, file, tmp_path / "wheels", "demo.x") == []


@pytest.mark.parametrize("damage", ["gone", "other", "text"])
def test_a_lock_file_goes_with_its_wheels(locked, tmp_path: Path, damage: str) -> None:
    recipe, file = locked
    folder = tmp_path / "wheels"
    (folder / "pylock.mine.toml").write_text("somebody's own", encoding="utf-8")
    first, *_ = written = write_lockfiles(recipe, file, folder, "demo.x")
    write_index(folder)
    before = {p: p.stat().st_mtime_ns for p in written}
    assert write_lockfiles(recipe, file, folder, "demo.x") == written
    assert {p: p.stat().st_mtime_ns for p in written} == before
    wheel = folder / "runtime-1.0-cp313-cp313-win_amd64.whl"
    if damage == "gone":
        wheel.unlink()
    elif damage == "other":
        make_wheel(folder, package="runtime", version="1.0", tag="cp313-cp313-win_amd64", files={"a.py": b""})
    else:
        first.write_text(first.read_text(encoding="utf-8")[:-30], encoding="utf-8")
    write_index(folder)
    left = {p.name for p in folder.glob("*.t*")}
    assert left == {"pylock.mine.toml", "pylock.windows-arm64.toml", "requirements.windows-arm64.txt"}
