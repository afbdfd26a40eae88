"""What a build from source costs beside the same commands typed by hand, and what a compile cache saves."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from front.benching.timing import Part, Row, Spent, once, run
from wheelhouse import scratch
from wheelhouse.paths import ROOT

_BUILD = "the miniature upstreams, built by us against the same CMake commands typed by hand"
_CHANGE = "one changed file: ours, by another commit in the recipe, against the first build"
_CACHE = "objects of a second checkout through the compile cache, against compiling them"


def builds() -> Iterator[Row]:
    """The miniature by us and by hand, and by us again after a change of one file."""
    if (why := _why_not()) is not None:
        yield Row(name="build", what=_BUILD, unit="times", skipped=why)
        return
    with scratch.folder() as name:
        folder = name / "mini"
        ours, hand = once(lambda: _part("ours", folder)), once(lambda: _part("hand", folder))
        _part("change", folder)
        changed = once(lambda: _part("ours", folder))
        nothing = once(lambda: _part("ours", folder))
    yield Row(
        name="build",
        what=_BUILD,
        unit="times",
        value=ours.wall / hand.wall,
        cpu_s=ours.cpu,
        parts=(Part("ours", ours.wall), Part("by hand", hand.wall)),
        note="ours fetches, checks, packs two wheels and audits besides",
    )
    yield Row(
        name="change",
        what=_CHANGE,
        unit="times",
        value=changed.wall / ours.wall,
        cpu_s=changed.cpu,
        parts=(Part("changed", changed.wall), Part("first", ours.wall), Part("nothing changed", nothing.wall)),
        note="ONNX Runtime stays; another commit is another checkout, so all of GenAI is compiled",
    )


def caches() -> Iterator[Row]:
    """The same commands in two checkouts that share a compile cache."""
    cache = shutil.which("ccache")
    why = _why_not() or ("There is no ccache here." if cache is None else None)
    if why is not None or cache is None:
        yield Row(name="cache", what=_CACHE, unit="times", limit=5.0, least=True, skipped=why or "")
        return
    with scratch.folder() as name:
        shared, found = {"CCACHE_DIR": f"{name}/ccache"}, []
        for place in ("one", "another"):
            folder = name / place
            _part("staged", folder)
            spent = once(lambda folder=folder: _part("hand", folder, cache, env=shared))  # type: ignore[misc]
            found.append((spent, float(json.loads((folder / "hand.json").read_text(encoding="utf-8"))["compilers"])))
    (cold, compiled), (warm, taken) = found
    yield Row(
        name="cache",
        what=_CACHE,
        unit="times",
        value=compiled / max(taken, 0.001),
        limit=5.0,
        least=True,
        cpu_s=warm.cpu,
        parts=(
            Part("compilers, first checkout", compiled),
            Part("compilers, second", taken),
            Part("all commands, first", cold.wall),
            Part("all commands, second", warm.wall),
        ),
        note="configuring and linking (with link-time optimisation) no cache of objects can save",
    )


def _part(part: str, folder: Path, *more: str, env: dict[str, str] | None = None) -> Spent | None:
    run((sys.executable, "-m", "front.benching.miniature", part, str(folder), *more), ROOT, env=env)
    return None


def _why_not() -> str | None:
    if sys.platform != "linux" or shutil.which("c++") is None:
        return "The miniature upstreams are compiled on Linux, with a C++ compiler."
    if importlib.util.find_spec("pybind11") is None or not (ROOT / "tests" / "upstream").is_dir():
        return "The miniature upstreams need the tests' requirements (`pip install -e '.[test]'`)."
    return None
