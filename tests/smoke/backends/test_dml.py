import itertools

import pytest
from packaging.tags import Tag

from smoke.backends import dml
from smoke.environments import directml_pair, wheel_fit
from tests.recipes.wheel_factory import make_wheel
from wheelhouse.errors import InputError, UnsupportedError
from wheelhouse.machine import interpreters


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Wheels of two versions for three Pythons; the newer has none for 3.13. This Python is 3.12."""
    for package, version, python in itertools.product(
        ("onnxruntime_directml", "onnxruntime_genai_directml"), ("1.9.0", "1.24.4"), ("cp311", "cp312", "cp313")
    ):
        if (version, python) != ("1.24.4", "cp313"):
            make(tmp_path / f"{package}-{version}-{python}-{python}-win_amd64.whl")
    (tmp_path / "onnxruntime_directml-not_a_version.whl").write_bytes(b"")
    monkeypatch.setattr(wheel_fit, "_supported", supported)
    machine(monkeypatch, running="3.12")
    return tmp_path


def supported(version):
    tag = "cp" + version.replace(".", "")
    return frozenset([Tag(tag, tag, "win_amd64")])


def machine(monkeypatch, *, running, others=()):
    """Let this Python be `running`, and let the machine have `others`."""
    monkeypatch.setattr(interpreters, "running", lambda: running)
    monkeypatch.setattr(interpreters, "_found", lambda version, _: ("python",) if version in others else None)


def make(path, *requires):
    name, version, *tag = path.stem.split("-")
    headers = tuple(f"Requires-Dist: {line}" for line in requires)
    return make_wheel(path.parent, package=name, version=version, tag="-".join(tag), headers=headers)


def test_the_newest_pair_that_installs_together(folder):
    names = [wheel.name for wheel in dml.find_pair((), folder).wheels]
    assert names == [
        "onnxruntime_directml-1.24.4-cp312-cp312-win_amd64.whl",
        "onnxruntime_genai_directml-1.24.4-cp312-cp312-win_amd64.whl",
    ]


def test_a_wheel_that_is_given_is_taken(folder):
    given = folder / "onnxruntime_genai_directml-1.9.0-cp312-cp312-win_amd64.whl"
    assert dml.find_pair([given], folder).wheels[1] == given
    foreign = folder / "onnxruntime_genai_directml-1.9.0-cp311-cp311-win_amd64.whl"
    assert dml.find_pair([foreign], folder).python == "3.11"
    other_system = make(folder / "onnxruntime_genai_directml-1.9.0-cp311-cp311-win32.whl")
    assert dml.find_pair([other_system], folder) is None


@pytest.mark.parametrize(
    ("running", "others", "version", "python"),
    [
        ("3.11", ("3.13",), "1.24.4", "3.11"),  # this Python's, whatever else there is
        ("3.13", ("3.11", "3.12"), "1.9.0", "3.13"),  # an older pair that runs here beats a newer one that needs more
        ("3.15", ("3.13",), "1.9.0", "3.13"),  # one whose Python is found
        ("3.15", ("3.11", "3.13"), "1.24.4", "3.11"),
    ],
)
def test_the_pair_is_one_that_this_machine_can_start(folder, monkeypatch, running, others, version, python):
    machine(monkeypatch, running=running, others=others)
    pair = dml.find_pair((), folder)
    assert pair.python == python
    assert pair.problem is None
    assert [wheel.name.split("-")[1] for wheel in pair.wheels] == [version, version]


def test_a_pair_whose_python_is_missing_is_not_ready(folder, monkeypatch):
    machine(monkeypatch, running="3.15")
    monkeypatch.setattr(dml, "wheels_dir", lambda: folder)
    status = dml.NativeWindows().status()
    assert not status.ready
    assert "was not found (this one is 3.15)" in status.reason
    assert "invoke build-dml --python 3.15" in status.remedy


def test_half_a_pair_that_is_given_gets_the_half_that_belongs_to_it(tmp_path, monkeypatch):
    monkeypatch.setattr(wheel_fit, "_supported", supported)
    monkeypatch.setattr(dml, "wheels_dir", lambda: tmp_path)
    machine(monkeypatch, running="3.12")
    ort, genai, tag = "onnxruntime_directml", "onnxruntime_genai_directml", "cp312-cp312-win_amd64"
    for version in ("1.24.4", "1.30.0+ours.1"):
        make(tmp_path / f"{ort}-{version}-{tag}.whl")
    old = make(tmp_path / f"{genai}-0.14.1-{tag}.whl", "onnxruntime-directml==1.24.4", "numpy")
    new = make(tmp_path / f"{genai}-0.18.0-{tag}.whl", "onnxruntime_directml==1.30.0+ours.1")
    versions = [dml.find_pair([half], tmp_path).wheels for half in (old, new, tmp_path / f"{ort}-1.24.4-{tag}.whl")]
    assert [(a.name.split("-")[1], b) for a, b in versions] == [
        ("1.24.4", old),
        ("1.30.0+ours.1", new),
        ("1.24.4", old),
    ]
    assert dml.find_pair((), tmp_path).wheels[1] == new
    lonely = make(tmp_path / "elsewhere" / f"{genai}-0.14.0-{tag}.whl", "onnxruntime-directml>=1.99")
    with pytest.raises(InputError, match=r"no wheel that makes a pair with .*0\.14\.0.*>=1\.99") as caught:
        dml.NativeWindows().prepare([lonely])
    assert "--wheel" in caught.value.remedy
    both = dml.find_pair([tmp_path / f"{ort}-1.24.4-{tag}.whl", lonely], tmp_path)
    assert both.wheels[1] == lonely  # two that are given are taken as they are


def test_half_a_pair_is_none(tmp_path):
    make(tmp_path / "onnxruntime_directml-1.24.4-cp312-cp312-win_amd64.whl")
    assert dml.find_pair((), tmp_path) is None


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
