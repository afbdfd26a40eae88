"""Killed at any moment, with a signal that nobody can catch: the next run finishes, byte by byte as if nothing was.

What is killed are real runs in processes of their own: the published lane over small wheels (pip downloads, the build
backend, placing, the index), and a folder that a step fills and its manifest lists, as models and exports are.
`DML_WHEELHOUSE_KILLS` says how often in all (default 36; CI: 200), with the other test_kills_of_*.py; the moments are
spread over an undisturbed run's time, and two are killed at a time: a run waits more than it computes.
"""

from __future__ import annotations

import os
import random
import shutil
import time
from pathlib import Path

import pytest

from tests.recipes.wheel_factory import make_wheel
from tests.robustness.killing import Scene, kill_and_finish, share, told
from wheelhouse.files import sha256_file, sha256_tree

pytestmark = [pytest.mark.integration, pytest.mark.skipif(os.name != "posix", reason="SIGKILL")]

LANE = """
import sys
from pathlib import Path
from recipes.spec import schema
from recipes.spec.load import load
from recipes.wheels.index import write_index
from recipes.wheels.published import build_published
recipe, out = Path(sys.argv[1]), Path(sys.argv[2])
build_published(load(str(recipe)), recipe, out)
write_index(out)
"""

RECIPE = """
description = "two small wheels"
pythons = ["3.12"]
targets = ["windows-x64"]
[published]
source-date-epoch = 1700000000
[[published.artifacts]]
package = "runtime"
version = "1.0"
filename = "{runtime}"
sha256 = "{runtime_sha}"
python = "cp312"
platform = "win_amd64"
[[published.artifacts]]
package = "demo-pkg"
version = "1.0"
filename = "{demo}"
sha256 = "{demo_sha}"
python = "cp312"
platform = "win_amd64"
[[published.repack]]
package = "demo-pkg"
local-version = "fixed.1"
reason = "because it cannot be installed"
licence = "MIT"
licence-files = ["demo_pkg/LICENSE"]
requires = ["runtime==1.0"]
"""


@pytest.fixture
def lane(tmp_path: Path) -> Scene:
    offered = tmp_path / "offered"
    runtime = make_wheel(offered, package="runtime")
    demo = make_wheel(offered, headers=("Requires-Dist: runtime>=9",), files={"demo_pkg/LICENSE": b"MIT"})
    recipe = tmp_path / "demo.toml"
    recipe.write_text(
        RECIPE.format(
            runtime=runtime.name,
            runtime_sha=sha256_file(runtime),
            demo=demo.name,
            demo_sha=sha256_file(demo),
        ),
        encoding="utf-8",
    )
    where = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(offered)}
    return Scene(code=LANE, arguments=(str(recipe),), base=tmp_path, environment=where)


def test_a_killed_published_lane_is_finished_by_the_next(lane: Scene) -> None:
    lane.finish("undisturbed")
    took = lane.finish("again")
    times = share(62)

    def whole(place: Path) -> str:
        return sha256_tree(place / "out")

    assert whole(lane.base / "again") == whole(lane.base / "undisturbed")
    told("the published lane", lambda number: kill_and_finish(lane, number, times, took, whole), times)


STEP = """
import sys, time
from pathlib import Path
from wheelhouse import manifests
from wheelhouse.files import remove_tree
from wheelhouse.steps import Step, ensure

def make(partial):
    for number in range(40):
        (partial / f"{number}.bin").write_bytes(bytes([number]) * 300_000)
        time.sleep(0.005)
    manifests.write(partial)

out = Path(sys.argv[1])
out.parent.mkdir(parents=True, exist_ok=True)
ensure(Step(name="fill", output=out, inputs={"a": "1"}), make, damage=manifests.damage)
assert manifests.damage(out) is None
"""


def test_a_killed_step_is_made_again_as_a_whole(tmp_path: Path) -> None:
    scene = Scene(code=STEP, arguments=(), base=tmp_path, environment={})
    took = scene.finish("undisturbed")
    files = {p.name: sha256_file(p) for p in (tmp_path / "undisturbed" / "out").glob("*.bin")}
    assert len(files) == 40
    moments = random.Random(time.time_ns())

    def kill(number: int) -> None:
        here = tmp_path / f"killed-{number}"
        process = scene.start(here.name)
        time.sleep(moments.uniform(took / 4, took))
        process.kill()
        process.wait()
        scene.finish(here.name)
        assert {p.name: sha256_file(p) for p in (here / "out").glob("*.bin")} == files
        assert sorted(p.name for p in here.iterdir() if p.name.startswith(".out.") and p.is_dir()) == []
        shutil.rmtree(here)

    told("a step", kill, share(100))
