"""What was installed into an environment, compared with what is there."""

import sys
import sysconfig
from pathlib import Path

import pytest

from smoke.environments import whole
from tests.recipes.wheel_factory import make_wheel
from wheelhouse.process import Command, run


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with a package that pip installed, as in an environment."""
    folder = tmp_path_factory.mktemp("environment")
    wheel = make_wheel(
        folder, tag="py3-none-any", files={"demo_pkg/__init__.py": b"x = 1\n", "demo_pkg/lib.so": b"\x7fELF"}
    )
    names = {"base": str(folder), "platbase": str(folder)}
    place = Path(sysconfig.get_path("purelib", scheme="venv", vars=names))
    pip = (
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "install",
        "--no-deps",
        "--no-compile",
        "--quiet",
    )
    run(Command(argv=(*pip, "--no-index", "--target", str(place), str(wheel))), log=folder / "log", echo=False)
    return folder, place


def test_what_was_installed_is_whole(installed):
    assert whole.damage(installed[0]) is None


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda file: file.unlink(), "lib.so is gone"),
        (lambda file: file.write_bytes(b"\x7fELX"), "lib.so has been changed"),
        (lambda file: (file.unlink(), file.mkdir()), "lib.so cannot be read"),
    ],
)
def test_harm_is_named(installed, harm, words):
    folder, place = installed
    file = place / "demo_pkg" / "lib.so"
    harm(file)
    try:
        assert whole.damage(folder) == words
    finally:
        file.rmdir() if file.is_dir() else file.unlink(missing_ok=True)
        file.write_bytes(b"\x7fELF")


def test_no_packages_are_no_damage(tmp_path):
    assert whole.damage(tmp_path) is None
