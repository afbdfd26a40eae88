"""Wheels compiled from a pinned sdist: when, from what, and what is refused."""

from __future__ import annotations

import io
import platform
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from smoke.environments import environment_recipes, pinned, pip
from smoke.environments.compiled import from_sdist
from smoke.environments.environment_recipes import CompiledSdist
from wheelhouse.errors import IntegrityError, ToolchainError, UnsupportedError
from wheelhouse.files import sha256_bytes
from wheelhouse.machine import interpreters

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the library has wheels for Windows")


def _sdist(*members: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name in members:
            entry = tarfile.TarInfo(name)
            entry.size = 3
            archive.addfile(entry, io.BytesIO(b"abc"))
    return buffer.getvalue()


def _source(content: bytes, **changes: object) -> CompiledSdist:
    settings: dict[str, object] = {
        "package": "thing",
        "version": "1.0",
        "sha256": sha256_bytes(content),
        "project": "npu_legacy",
        "platform": sys.platform,
        "machines": (platform.machine(),),
        "epoch": 1_700_000_000,
    }
    return CompiledSdist(**(settings | changes))


class Index:
    """Stands in for pip: serves `content` as the sdist and packs a wheel out of what it is told to build."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.built: list[dict[str, str]] = []

    def download(self, requirement: str, folder: Path, *, sha256: str = "") -> Path:
        assert requirement == "thing==1.0"
        assert sha256
        path = folder / "thing-1.0.tar.gz"
        path.write_bytes(self.content)
        return path

    def build(self, project: Path, folder: Path, settings: tuple[str, ...], *, variables, shown) -> None:
        sdist = Path(settings[0].partition("SDIST=")[2])
        assert (sdist / "src").is_dir()
        self.built.append({"project": project.name, **variables})
        with zipfile.ZipFile(folder / "thing-1.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr("thing.py", "")


@pytest.fixture
def index(monkeypatch, tmp_path) -> Index:
    monkeypatch.setenv("DML_WHEELHOUSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CXX", sys.executable)  # anything that exists: only its presence matters
    served = Index(_sdist("thing-1.0/src/thing.cpp"))
    monkeypatch.setattr(pip, "download", served.download)
    monkeypatch.setattr(pip, "build", served.build)
    return served


def test_is_compiled_once_and_found_again(index):
    source = _source(index.content)
    assert from_sdist.built(source) is None
    made = from_sdist.wheel(source)
    assert made == from_sdist.wheel(source) == from_sdist.built(source)
    assert index.built == [{"project": "npu_legacy", "SOURCE_DATE_EPOCH": "1700000000"}]
    assert [path.name for path in made.parent.iterdir() if not path.name.startswith(".")] == [made.name]


def test_a_damaged_wheel_is_made_again(index):
    source = _source(index.content)
    from_sdist.wheel(source).write_bytes(b"")
    assert from_sdist.built(source) is None
    assert zipfile.is_zipfile(from_sdist.wheel(source))
    assert len(index.built) == 2


def test_another_sdist_means_another_build(index):
    from_sdist.wheel(_source(index.content))
    index.content = _sdist("thing-1.0/src/thing.cpp", "thing-1.0/src/more.cpp")
    from_sdist.wheel(_source(index.content))
    assert len(index.built) == 2


def test_a_file_that_is_not_the_pinned_one_is_refused(index):
    with pytest.raises(IntegrityError, match="is pinned"):
        from_sdist.wheel(_source(index.content, sha256="0" * 64))
    assert not index.built


def test_an_sdist_cannot_write_beside_its_folder(index):
    index.content = _sdist("thing-1.0/src/thing.cpp", "../../outside")
    with pytest.raises(IntegrityError, match="cannot be unpacked"):
        from_sdist.wheel(_source(index.content))
    assert not index.built


def test_says_when_the_processor_is_wrong(index):
    source = _source(index.content, machines=("riscv128",))
    assert isinstance(from_sdist.obstacle(source), UnsupportedError)
    with pytest.raises(UnsupportedError, match="riscv128"):
        from_sdist.wheel(source)


def test_says_when_there_is_no_compiler(index, monkeypatch):
    monkeypatch.delenv("CXX")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ToolchainError, match="no C\\+\\+ compiler") as refused:
        from_sdist.wheel(_source(index.content))
    assert "apt install g++" in refused.value.remedy


def test_the_npu_library_is_compiled_on_linux_and_taken_from_its_wheel_on_windows(monkeypatch):
    recipe = environment_recipes.environment("npu-legacy")
    assert recipe.compiled is not None
    on_windows = [pin for pin in recipe.packages if pin.startswith(f"{recipe.compiled.package}==")]
    assert on_windows == [f'intel-npu-acceleration-library=={recipe.compiled.version}; sys_platform == "win32"']
    monkeypatch.setattr(sys, "platform", "linux")
    assert from_sdist.needed(recipe.compiled)
    monkeypatch.setattr(sys, "platform", "win32")
    assert not from_sdist.needed(recipe.compiled)


@pytest.mark.skipif(sys.platform != "linux", reason="nothing is compiled elsewhere")
def test_an_environment_that_needs_a_compiler_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("DML_WHEELHOUSE_CACHE", str(tmp_path))
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")

    def find(_):
        raise ToolchainError("There is no such Python.", remedy="Install it.")

    monkeypatch.setattr(interpreters, "find", find)
    found = pinned.status("npu-legacy")
    assert not found.ready
    assert not found.makeable
    assert "aarch64" in found.reason


@pytest.mark.integration
def test_the_same_sources_make_the_same_wheel(monkeypatch, tmp_path):
    source = environment_recipes.environment("npu-legacy").compiled
    assert source is not None
    made = [from_sdist.wheel(source).read_bytes()]  # the one that is used, and that other tests need
    for name in ("two", "three"):
        monkeypatch.setenv("DML_WHEELHOUSE_CACHE", str(tmp_path / name))
        made.append(from_sdist.wheel(source).read_bytes())
        if made[-1] == made[-2]:
            break  # else the kept one may be from before the compiler was updated: a third has to be like the second
    assert made[-1] == made[-2]
    with zipfile.ZipFile(io.BytesIO(made[-1])) as wheel:
        assert str(tmp_path).encode() not in wheel.read(
            "intel_npu_acceleration_library/lib/libintel_npu_acceleration_library.so"
        )
