"""The miniature upstreams, built by us or by the same commands typed by hand: `python -m front.benching.miniature`.

It runs in a process of its own, as a user's command would: PART FOLDER [CACHE]. PART is `ours` (the whole lane),
`staged` (ours up to ORT_HOME), `hand` (the commands alone; what compilers took: hand.json), `change` (another commit).
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from recipes.building import genai_build, ort_build
from recipes.building.context import Context
from recipes.building.git_lane import GitLane
from recipes.building.parts import context
from recipes.sources.pins import Pins
from recipes.spec.request import Request, options_from
from wheelhouse.files import write_atomic
from wheelhouse.process import Command


def main(part: str, folder: Path, cache: str = "") -> None:
    """Do one part in `folder`; `cache` is the compile cache to use, none unless it is named."""
    upstream: Any = importlib.import_module("tests.recipes.upstream")  # what the tests build
    if not folder.exists():
        upstream.make_upstream(folder, pybind11=True)
    os.environ.update(upstream.environment(folder))
    if part == "change":
        _change(folder, upstream)
        return
    build = _context(folder, cache)
    if part == "hand":
        _by_hand(build, folder)
        return
    lane = GitLane(build=build, recipe_file=folder / "mini.toml", pins=Pins(folder / "mini.toml"))
    lane.fetch_all()
    lane.build_ort()
    lane.stage()
    if part == "ours":
        lane.build_core()
        lane.pack()


def _context(folder: Path, cache: str) -> Context:
    asked = Request(recipe=str(folder / "mini.toml"), options=options_from(source_mirror=str(folder / "mirror")))
    found = context(asked)
    layout = replace(found.layout, third_party=folder / "third_party", wheels=folder / "wheels")
    return replace(found, tools=replace(found.tools, launcher=cache), layout=layout)


def _by_hand(build: Context, folder: Path) -> None:
    """Run the compiling commands in a build folder of its own, over the sources and the ORT_HOME that are there."""
    work = folder / "cache" / "by-hand"
    shutil.copytree(build.ort_home, work / "ort-home", dirs_exist_ok=True)
    build = replace(build, layout=replace(build.layout, work=work))
    for command in _commands(build, work):
        subprocess.run(command.argv, env=command.environment(), check=True, stdout=subprocess.DEVNULL)
    write_atomic(folder / "hand.json", json.dumps({"compilers": sum(_objects(work))}))


def _commands(build: Context, work: Path) -> Iterator[Command]:
    yield from ort_build.commands(build)
    yield from genai_build.core_commands(build, work / "core")
    yield from genai_build.prefix_commands(build, work / "prefix")
    for python in build.tools.pythons:
        yield from genai_build.module_commands(build, python, Path(build.wheel(python)))


def _objects(work: Path) -> Iterator[float]:
    """Yield the seconds that each object took, by Ninja's logs."""
    for log in work.rglob(".ninja_log"):
        for line in log.read_text(encoding="utf-8").splitlines()[1:]:
            start, end, _, name, *_ = line.split("\t")
            if name.endswith(".o"):
                yield (int(end) - int(start)) / 1000


def _change(folder: Path, upstream: Any) -> None:
    """Put another commit of GenAI, with one changed file, upstream and into the recipe."""
    repository, recipe = folder / "mirror/mini/genai", folder / "mini.toml"
    (repository / "src/core.c").write_text(
        (repository / "src/core.c").read_text(encoding="utf-8") + "\n/* changed */\n", encoding="utf-8"
    )
    old = upstream.git(repository, "rev-parse", "HEAD")
    upstream.git(repository, "commit", "--quiet", "--all", "--message", "second")
    upstream.git(repository, "tag", "--force", "v1")
    new = upstream.git(repository, "rev-parse", "HEAD")
    recipe.write_text(recipe.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
