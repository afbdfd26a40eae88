"""A wheel that upstream has packed gets a version of ours, and is the same wheel otherwise."""

import subprocess
import sys
import zipfile

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from recipes.audit import audit_wheels
from recipes.wheels.local_version import localize, with_local
from tests.recipes.contexts import context, mini_recipe
from tests.recipes.wheel_factory import make_wheel
from wheelhouse.errors import InputError

EPOCH = 1_700_000_000


def contents(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_name_metadata_and_record_change_and_nothing_else(tmp_path):
    files = {"demo_pkg/__init__.py": b"1.0", "demo_pkg-1.0.data/data/share/x": b"x"}
    wheel = make_wheel(tmp_path, tag="py3-none-any", files=files, headers=("Summary: not Version: 1.0",))
    made = localize(wheel, "mini.1", tmp_path / "out", epoch=EPOCH)
    assert made.name == "demo_pkg-1.0+mini.1-py3-none-any.whl"
    old, new = contents(wheel), contents(made)
    moved = {name.replace("demo_pkg-1.0.d", "demo_pkg-1.0+mini.1.d"): data for name, data in old.items()}
    assert new.keys() == moved.keys()
    changed = {name for name in new if new[name] != moved[name]}
    assert changed == {"demo_pkg-1.0+mini.1.dist-info/METADATA", "demo_pkg-1.0+mini.1.dist-info/RECORD"}
    metadata = new["demo_pkg-1.0+mini.1.dist-info/METADATA"].decode()
    assert "\nVersion: 1.0+mini.1\nSummary: not Version: 1.0\n" in metadata
    assert list(new)[-1].endswith("/RECORD")


def test_it_passes_the_audit_and_is_always_the_same(tmp_path):
    made = []
    for folder in ("one", "two"):
        wheel = make_wheel(tmp_path / folder, tag="py3-none-any")
        made.append(localize(wheel, "mini.1", tmp_path / folder / "out", epoch=EPOCH))
    assert made[0].read_bytes() == made[1].read_bytes()
    before, after = ({finding.rule for finding in audit_wheels([path], online=False)} for path in (wheel, made[0]))
    assert after <= before


@pytest.mark.integration
def test_pip_installs_it(tmp_path):
    made = localize(make_wheel(tmp_path, tag="py3-none-any"), "mini.1", tmp_path / "out", epoch=EPOCH)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--target", str(tmp_path / "t")]
    subprocess.run([*pip, "--find-links", str(made.parent), "demo-pkg==1.0+mini.1"], check=True)
    assert (tmp_path / "t" / "demo_pkg-1.0+mini.1.dist-info").is_dir()


def test_metadata_of_another_version_is_refused(tmp_path):
    wheel = make_wheel(tmp_path)
    renamed = wheel.rename(tmp_path / wheel.name.replace("1.0", "2.0"))
    with pytest.raises(InputError, match=r"no METADATA that says version 2\.0"):
        localize(renamed, "mini.1", tmp_path / "out", epoch=EPOCH)
    wheel.write_bytes(b"PK")
    with pytest.raises(InputError, match="not a readable wheel"):
        localize(wheel, "mini.1", tmp_path / "out", epoch=EPOCH)


def test_only_a_requirement_with_the_local_part_names_ours_alone():
    assert with_local("1.0", "") == "1.0"
    ours = Version(with_local("1.0", "mini.1"))
    assert ours > Version("1.0")
    assert Requirement("x==1.0").specifier.contains(ours)
    assert not Requirement("x==1.0+mini.1").specifier.contains(Version("1.0"))


@pytest.mark.parametrize(
    ("origin", "required"), [("build", "1.23.4+mini.1"), ("published", "1.23.4"), ("given", "1.23.4")]
)
def test_the_pair_requires_ours_only_where_it_is_built(tmp_path, origin, required):
    from dataclasses import replace

    from recipes.building import packing

    build = context(tmp_path, recipe=mini_recipe())
    build = replace(build, options=replace(build.options, ort=origin))
    assert packing.requirements(build)[-1] == f"miniort=={required}"
