"""Killed at any moment: the making of an environment, and of a report's files."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.recipes.wheel_factory import make_wheel
from tests.robustness.killing import Scene, killed
from wheelhouse.files import sha256_file, sha256_tree
from wheelhouse.machine import interpreters
from wheelhouse.paths import ROOT

pytestmark = [pytest.mark.integration, pytest.mark.skipif(sys.platform != "linux", reason="SIGKILL")]


ENVIRONMENT = """
import sys
from pathlib import Path
from smoke.environments import environment_recipes, pinned
environment_recipes.ENVIRONMENTS = Path(sys.argv[1])
made = pinned.prepare("demo")
out = Path(sys.argv[2])
out.unlink(missing_ok=True)
out.symlink_to(Path(made.python[0]).parent.parent)
"""


def test_a_killed_environment(tmp_path: Path) -> None:
    shelf, recipes = tmp_path / "shelf", tmp_path / "recipes"
    for package in ("runtime", "helper"):
        files = {f"{package}/part{number}.py": b"x = 1\n" * 1000 for number in range(40)}
        make_wheel(shelf, package=package, version="1.0", tag="py3-none-any", files=files)
    recipes.mkdir()
    (recipes / "demo.toml").write_text(
        f'label = "demo"\npython = "{interpreters.running()}"\nsize = 1000\ndeepest = 1\n'
        "resolved = []\nreplaceable = []\n"
        'packages = ["runtime==1.0", "helper==1.0"]\n[variables]\n',
        encoding="utf-8",
    )
    where = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": shelf.as_uri(), "PIP_CONFIG_FILE": os.devnull}
    scene = Scene(code=ENVIRONMENT, arguments=(str(recipes),), base=tmp_path, environment=where)

    def whole(place: Path) -> dict[str, str]:
        files = [p for p in (place / "out").rglob("site-packages/**/*") if p.is_file() and p.suffix != ".pyc"]
        return {path.name: sha256_file(path) for path in files}

    killed("an environment", scene, 14, whole)


REPORT = """
import sys
from pathlib import Path
from smoke.report import writing
from tests.smoke.report.test_report import EVERY
writing.write(EVERY, Path(sys.argv[1]))
"""


def test_a_killed_report(tmp_path: Path) -> None:
    scene = Scene(code=REPORT, arguments=(), base=tmp_path, environment={"PYTHONPATH": str(ROOT)})
    killed("a report", scene, 14, lambda place: sha256_tree(place / "out"))
