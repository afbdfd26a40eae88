"""ORT_HOME is complete, for the right processor, consistent, and stays what it was."""

import json

import pytest

from recipes.spec.schema import Recipe
from recipes.spec.target import Target
from recipes.staging import ort_home
from tests.recipes import binary_files
from tests.recipes.upstream import HERE, recipe_text
from wheelhouse import strict_toml
from wheelhouse.errors import InputError, IntegrityError

LINUX, WINDOWS, ARM = (
    Target(os="linux", arch="x64"),
    Target(os="windows", arch="x64"),
    Target(os="windows", arch="arm64"),
)
COMMITS = dict.fromkeys(("ort", "genai", "mathlib", "pybind11"), "0" * 40)
ORT = strict_toml.decode(recipe_text(COMMITS), Recipe, "mini").onnxruntime


@pytest.fixture
def home(tmp_path):
    """An ORT_HOME as a release archive has it, for Linux and Windows at once."""
    (tmp_path / "home/lib").mkdir(parents=True)
    headers = HERE / "ort/include/onnxruntime/core/session"
    (tmp_path / "home/include").mkdir()
    for header in headers.glob("*.h"):
        (tmp_path / "home/include" / header.name).write_bytes(header.read_bytes())
    (tmp_path / "home/lib/libonnxruntime.so.1.23.4").write_bytes(binary_files.elf())
    (tmp_path / "home/lib/onnxruntime.dll").write_bytes(binary_files.pe())
    (tmp_path / "home/lib/onnxruntime.lib").write_bytes(binary_files.import_library())
    return tmp_path / "home"


def stage(home, target=LINUX, ort=ORT):
    into = home.parent / "staged"
    return ort_home.stage(ort, target, ort_home.origin_from_home(home, ort.staging, target), into), into


@pytest.mark.parametrize(
    ("target", "libraries"),
    [(LINUX, {"lib/libonnxruntime.so"}), (WINDOWS, {"lib/onnxruntime.dll", "lib/onnxruntime.lib"})],
)
def test_closure_and_libraries_are_staged_and_listed(home, target, libraries):
    manifest, into = stage(home, target)
    headers = {"onnxruntime_c_api.h", "onnxruntime_ep_c_api.h", "onnxruntime_float16.h"}
    assert manifest.files.keys() == {f"include/{h}" for h in headers} | libraries
    assert (manifest.api_version, manifest.library_version) == (23, (1, 23))
    assert ort_home.verify(into) == manifest


@pytest.mark.parametrize("folder", ["include", "lib"])
def test_a_folder_that_is_no_ort_home(home, folder):
    (home / folder).rename(home / "elsewhere")
    with pytest.raises(InputError, match=f"is no ORT_HOME: it has no {folder}/"):
        stage(home)


def test_missing_header_or_library(home):
    (home / "include/onnxruntime_ep_c_api.h").unlink()
    with pytest.raises(InputError, match=r"onnxruntime_ep_c_api\.h, which onnxruntime_c_api\.h includes"):
        stage(home)
    (home / "lib/onnxruntime.lib").unlink()
    with pytest.raises(InputError, match=r"library onnxruntime\.lib is in none of"):
        stage(home, WINDOWS)


def test_wrong_processor(home):
    with pytest.raises(InputError, match=r"onnxruntime\.dll is for x64, but the target is windows-arm64"):
        stage(home, ARM)


def test_truncated_library(home):
    file = home / "lib/onnxruntime.dll"
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"onnxruntime\.dll is truncated"):
        stage(home, WINDOWS)


def test_headers_newer_than_the_library(home):
    header = home / "include/onnxruntime_c_api.h"
    header.write_text(
        header.read_text(encoding="utf-8").replace("ORT_API_VERSION 23", "ORT_API_VERSION 24"), encoding="utf-8"
    )
    with pytest.raises(InputError, match=r"ORT API 24, newer than its library 1\.23"):
        stage(home)


def test_older_headers_are_fine(home):
    header = home / "include/onnxruntime_c_api.h"
    header.write_text(
        header.read_text(encoding="utf-8").replace("ORT_API_VERSION 23", "ORT_API_VERSION 22"), encoding="utf-8"
    )
    assert stage(home)[0].api_version == 22


def test_a_library_older_than_the_pair(home):
    (home / "lib/libonnxruntime.so.1.23.4").write_bytes(binary_files.elf(version="1.22.0"))
    header = home / "include/onnxruntime_c_api.h"
    header.write_text(
        header.read_text(encoding="utf-8").replace("ORT_API_VERSION 23", "ORT_API_VERSION 22"), encoding="utf-8"
    )
    with pytest.raises(InputError, match=r"is 1\.22, but the recipe pairs with 1\.23\.4"):
        stage(home)


@pytest.mark.parametrize("name", ["include/onnxruntime_c_api.h", "lib/libonnxruntime.so"])
@pytest.mark.parametrize("harm", ["remove", "swap", "truncate"])
def test_every_staged_file_is_watched(home, name, harm):
    _, into = stage(home)
    file = into / name
    if harm == "remove":
        file.unlink()
    elif harm == "swap":
        file.write_bytes(binary_files.elf("arm64"))
    else:
        file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(IntegrityError, match=f"{name}.*(missing|was staged)"):
        ort_home.verify(into)


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"files": 3, "api-version": 1, "library-version": null}'])
def test_a_damaged_manifest(home, content):
    _, into = stage(home)
    if content is None:
        (into / ort_home.MANIFEST).unlink()
    else:
        (into / ort_home.MANIFEST).write_text(content, encoding="utf-8")
    with pytest.raises(IntegrityError, match=r"manifest\.json is missing or damaged"):
        ort_home.verify(into)


def test_the_manifest_is_json_that_others_can_read(home):
    _, into = stage(home)
    content = json.loads((into / ort_home.MANIFEST).read_text(encoding="utf-8"))
    assert content["api-version"] == 23
    assert all(len(digest) == 64 for digest in content["files"].values())
