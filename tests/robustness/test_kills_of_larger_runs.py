"""Killed at any moment: a build from source, and a smoke run from nothing.

The smoke run makes the tiny model, exports it twice, heals one export, computes the reference, starts workers and
writes its report; whatever of it a kill hits, the next run comes to the same exports and verdicts.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from smoke.environments import pinned
from smoke.heal import known_norms
from tests.recipes import upstream
from tests.robustness.killing import Scene, killed
from wheelhouse.files import sha256_file, sha256_tree
from wheelhouse.paths import ROOT, cache_dir

pytestmark = [pytest.mark.integration, pytest.mark.skipif(sys.platform != "linux", reason="SIGKILL, and c++ on Linux")]


GIT = """
import os, shutil, sys
from pathlib import Path
from recipes.building import parts
from recipes.spec import target
from recipes.spec.request import Request, options_from
base, here = Path(sys.argv[1]), Path(os.environ["KILLED_BY_TEST"])
shutil.copyfile(base / "mini.toml", here / "mini.toml")
target.third_party_dir = lambda: here / "third_party"
options = options_from(source_mirror=str(base / "mirror"))
parts.build_git_lane(Request(recipe=str(here / "mini.toml"), options=options), Path(sys.argv[2]), until="wheel")
"""


def test_a_killed_build_from_source(tmp_path: Path) -> None:
    upstream.make_upstream(tmp_path / "mini", pybind11=True)
    variables = {k: v for k, v in upstream.environment(tmp_path).items() if "CACHE" not in k}
    scene = Scene(code=GIT, arguments=(str(tmp_path / "mini"),), base=tmp_path, environment=variables)

    def whole(place: Path) -> dict[str, str]:
        return {path.name: sha256_file(path) for path in (place / "out").glob("*.whl")}

    killed("a build from source", scene, 6, whole)


def beside(path: Path) -> bool:
    """Whether a file of an export tells of its making, with times."""
    return path.name.startswith(".") or path.name == known_norms.NAME


SMOKE = """
import os, sys
from pathlib import Path
from invoke import main
shared, cache = Path(sys.argv[1]), Path(os.environ["DML_WHEELHOUSE_CACHE"])
cache.mkdir(exist_ok=True)
for name in ("environments", "downloads"):
    if not (cache / name).exists():
        (cache / name).symlink_to(shared / name)
wanted = ["smoke", "--backend", "ort-cpu:fp32,ort-cpu:dml-fp16", "--model", "tiny-phi3", "--quick"]
main.program.run(["invoke", *wanted, "--report", sys.argv[2]])
"""


def test_a_killed_smoke_run(tmp_path: Path) -> None:
    for name in (pinned.MAIN, pinned.ORT):
        pinned.prepare(name)
    shared = str(cache_dir().resolve())
    scene = Scene(code=SMOKE, arguments=(shared,), base=tmp_path, environment={"PYTHONPATH": str(ROOT)})

    def whole(place: Path) -> tuple[object, ...]:
        results = json.loads((place / "out" / "report.json").read_text(encoding="utf-8"))["results"]
        exports = [path for path in sorted((place / "cache" / "exports").glob("*/*")) if path.is_dir()]
        healed = [json.loads(file.read_bytes()) for export in exports for file in export.glob(known_norms.NAME)]
        return (
            [(r["backend"], r["variant"], r["verdict"], r["text"]) for r in results],
            [(path.name, sha256_tree(path, skip=beside)) for path in exports],
            [{key: value for key, value in said.items() if key != "seconds"} for said in healed],
            sha256_file(place / "cache" / "models" / "tiny-phi3" / "model.safetensors"),
        )

    killed("a smoke run from nothing", scene, 4, whole)
