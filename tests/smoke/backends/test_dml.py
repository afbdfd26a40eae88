import itertools
import zipfile

import pytest

from smoke.backends import dml
from smoke.environments import directml_pair
from wheelhouse.errors import UnsupportedError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Wheels of several versions; all count as installable on "cp312" only."""
    from smoke.environments import wheel_fit
    from wheelhouse.errors import InputError

    def python_for(wheels, preferred):
        if any("cp312" not in wheel.name for wheel in wheels):
            raise InputError("no")
        return preferred

    monkeypatch.setattr(wheel_fit, "python_for", python_for)
    for package, version, python in itertools.product(
        ("onnxruntime_directml", "onnxruntime_genai_directml"), ("1.9.0", "1.24.4"), ("cp311", "cp312", "cp313")
    ):
        if (version, python) != ("1.24.4", "cp313"):
            make(tmp_path / f"{package}-{version}-{python}-{python}-win_amd64.whl")
    make(tmp_path / "onnxruntime_directml-not_a_version.whl")
    return tmp_path


def make(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x", "")
    return path


def test_the_newest_pair_that_installs_together(folder):
    names = [wheel.name for wheel in dml.find_pair((), folder)]
    assert names == [
        "onnxruntime_directml-1.24.4-cp312-cp312-win_amd64.whl",
        "onnxruntime_genai_directml-1.24.4-cp312-cp312-win_amd64.whl",
    ]


def test_a_wheel_that_is_given_is_taken(folder):
    given = folder / "onnxruntime_genai_directml-1.9.0-cp312-cp312-win_amd64.whl"
    assert dml.find_pair([given], folder)[1] == given
    foreign = folder / "onnxruntime_genai_directml-1.9.0-cp311-cp311-win_amd64.whl"
    assert dml.find_pair([foreign], folder) == ()


def test_half_a_pair_is_none(tmp_path):
    make(tmp_path / "onnxruntime_directml-1.24.4-cp312-cp312-win_amd64.whl")
    assert dml.find_pair((), tmp_path) == ()


def test_windows_without_wheels_says_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setattr(dml, "wheels_dir", lambda: tmp_path)
    status = dml.NativeWindows().status()
    assert not status.ready
    assert not status.makeable
    assert "invoke build-dml" in status.remedy
    with pytest.raises(UnsupportedError):
        dml.NativeWindows().prepare(())


def test_windows_with_a_pair_makes_the_environment_of_it(folder, monkeypatch):
    from smoke.environments import pinned

    monkeypatch.setattr(dml, "wheels_dir", lambda: folder)
    monkeypatch.setattr(pinned, "prepare", lambda name, wheels: (name, [wheel.name[:20] for wheel in wheels]))
    assert dml.NativeWindows().status().ready
    assert dml.NativeWindows().prepare(()) == ("dml", ["onnxruntime_directml", "onnxruntime_genai_di"])


def test_the_environment_recipe_exists():
    from smoke.environments import environment_recipes

    assert set(environment_recipes.environment(dml.ENVIRONMENT).replaceable) == set(directml_pair.PACKAGES)


def test_a_system_without_direct3d_says_so():
    assert not dml.NoDirect3D().status().makeable
    with pytest.raises(UnsupportedError, match="Direct3D 12"):
        dml.NoDirect3D().prepare(())
