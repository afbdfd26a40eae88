"""`invoke build-dml`: which lane makes the DirectML pair, and the common end of all lanes (index, sums, summary)."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from wheelhouse.errors import InputError, UnsupportedError, UsageError, nearest
from wheelhouse.files import human_size
from wheelhouse.paths import display, wheels_dir
from wheelhouse.process import render
from wheelhouse.processes.quoting import own_shell

if TYPE_CHECKING:
    from recipes.spec.request import Request

Lane = Literal["git", "published"]
LANES: tuple[Lane, ...] = ("git", "published")
RECIPES: dict[Lane, str] = {"git": "dml", "published": "published"}
"""The recipe that each lane takes when none is named."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A lane, and why it was taken, for the first line of the output."""

    lane: Lane
    why: str

    @property
    def line(self) -> str:
        """The first line that `invoke build-dml` prints."""
        return f"Lane: {self.lane} ({self.why})."


@dataclass(frozen=True, kw_only=True)
class Row:
    """One finished wheel for the summary: `seconds` is None when this run did not make it; `run`: where it was run."""

    path: Path
    size: int
    sha256: str
    seconds: float | None
    run: str = ""


def choose_lane(requested: str, *, recipe: str = "", system: str = sys.platform, plan: bool = False) -> Choice:
    """Return the lane to take on `system` (as in sys.platform): the requested one, or the one that fits.

    The git lane is the one of its own accord only where a recipe for it is there or `recipe` names one.
    Raise UsageError for an unknown lane, UnsupportedError for the git lane where DirectML cannot be compiled; a `plan`
    of it can be printed anywhere.
    """
    if requested and requested not in LANES:
        raise UsageError(f"There is no lane '{requested}'. {nearest(requested, LANES)}")
    windows = system == "win32"
    if requested == "git" and not windows and not plan and not _cross_compiles(recipe):
        raise UnsupportedError(
            "DirectML compiles on Windows only: its headers are the Windows SDK's, and the CMake files of both ONNX "
            f"Runtime and GenAI refuse any other system. This is {system}; nothing was downloaded.",
            remedy="Here you can take the published pair (`invoke build-dml --lane published`), compile GenAI without "
            "DirectML (`invoke build --recipe cpu`), or print what a Windows machine would run "
            "(`invoke build-dml --lane git --plan`); the Windows workflow in .github/workflows compiles the pair.",
        )
    if requested:
        return Choice(lane=requested, why="as asked with --lane")
    if windows and (recipe or _has_source_recipe()):
        return Choice(
            lane="git", why="this is Windows, where DirectML compiles; `--lane published` takes PyPI's binaries"
        )
    if windows:
        why = f"there is no recipe '{RECIPES['git']}' to compile; `--lane git --recipe FILE` takes one of yours"
        return Choice(lane="published", why=why)
    return Choice(lane="published", why=f"DirectML does not compile on {system}, so the binaries come from PyPI")


def _cross_compiles(recipe: str) -> bool:
    from recipes.spec.load import load

    return bool(recipe and load(recipe).toolchain.cross_compiler)


def _has_source_recipe() -> bool:
    from recipes.spec.load import available

    return RECIPES["git"] in available()


def require_possible(choice: Choice, request: Request) -> None:
    """Raise UsageError for what the command line asks of the published lane and only the git lane can do."""
    options = request.options
    asked = {
        "--target": request.target,
        "--arch": request.arch,
        "--ort": options.ort == "published",
        "--ort-home": options.ort_home,
        "--source-mirror": options.source_mirror,
        "--jobs": options.jobs,
    }
    given = [name for name, value in asked.items() if value]
    if choice.lane == "published" and given:
        raise UsageError(
            f"{' and '.join(given)} {'is' if len(given) == 1 else 'are'} for the git lane, and this is the published "
            f"one ({choice.why}): it takes the wheels that are published, for every processor that has them.",
            remedy="Leave it out, or compile: `--lane git --recipe FILE` (anywhere with `--plan`, else on Windows).",
        )


def finish(folder: Path, seconds: Mapping[str, float]) -> list[Row]:
    """Audit the wheels that `seconds` names, index everything in `folder`, and return those wheels' summary rows.

    Raise AuditError when one of them must not be shipped: the index is left as it was.
    """
    from recipes.wheels.index import write_index
    from recipes.wheels.placing import facts_of
    from recipes.wheels.proof import prove

    prove(folder, facts_of([folder / name for name in sorted(seconds)]))
    return [
        Row(path=folder / w.filename, size=w.size, sha256=w.sha256, seconds=seconds[w.filename] or None)
        for w in write_index(folder)
        if w.filename in seconds
    ]


def summary(rows: Sequence[Row]) -> str:
    """Return the rows as a table for people: file, size, SHA-256, where it was run (if that is known), seconds."""
    columns = ("file", "size", "SHA-256", "run", "seconds")
    cells = [
        (row.path.name, human_size(row.size), row.sha256, row.run, f"{row.seconds:.1f}" if row.seconds else "unchanged")
        for row in rows
    ]
    table = [columns, *cells]
    widths = [max(len(line[i]) for line in table) for i in range(len(columns))]
    shown = [i for i, name in enumerate(columns) if name != "run" or any(row.run for row in rows)]
    return "\n".join(
        "  ".join(
            f"{line[i]:>{widths[i]}}" if columns[i] == "size" else f"{line[i]:<{widths[i]}}" for i in shown
        ).rstrip()
        for line in table
    )


def build(choice: Choice, request: Request) -> str:
    """Run the lane over `request` (an empty recipe means the lane's own) and return the summary."""
    out = wheels_dir()
    request = replace(request, recipe=request.recipe or RECIPES[choice.lane])
    if choice.lane == "git":
        return build_from_source(request, out)
    from recipes.spec.load import load, locate
    from recipes.wheels.lockfiles import write_lockfiles
    from recipes.wheels.published import build_published

    recipe, file = load(request.recipe), locate(request.recipe)
    made = build_published(recipe, file, out, request.options.pythons)
    runs = {wheel.path.name: wheel.run for wheel in made}
    rows = finish(out, {wheel.path.name: wheel.seconds for wheel in made})
    locked = write_lockfiles(recipe, file, out, RECIPES["published"])
    ends = [f"Locked in {display(out)}: {', '.join(path.name for path in locked)}"] if locked else []
    return "\n".join([summary([replace(row, run=runs[row.path.name]) for row in rows]), *ends])


def build_from_source(request: Request, out: Path) -> str:
    """Build all of a recipe's git lane, audit, index and try out what came out, record it; return the summary."""
    from recipes.building.built import WORDS, prove_and_record
    from recipes.building.parts import build_git_lane, context
    from recipes.spec.load import locate

    rows = finish(out, build_git_lane(request, out))
    sums = {row.path.name: row.sha256 for row in rows}
    entries = prove_and_record(context(request), locate(request.recipe).resolve(), out, sums)
    told = (f"Python {e.python}: {WORDS[e.state]}{f' ({e.note})' if e.note else ''}." for e in entries)
    return "\n".join([summary(rows), *told])


def plan(choice: Choice, request: Request, shell: str = "") -> str:
    """Return every command of the lane as it would be typed, in `shell` if one is given; nothing is run or fetched.

    Raise UsageError for a shell that is unknown, or that the git lane's target does not have.
    """
    request = replace(request, recipe=request.recipe or RECIPES[choice.lane])
    from recipes.building.transcript import known_shell, transcript

    if choice.lane == "git":
        return transcript(request, shell)
    from recipes.spec.load import load
    from recipes.wheels.published import plan_published

    commands = plan_published(load(request.recipe), request.options.pythons)
    chosen = known_shell(shell) if shell else own_shell()
    return "\n".join(render(command, chosen) for command in commands)


def index_all() -> str:
    """Write the index and SHA256SUMS over everything in `wheels/`; return a line about it."""
    from recipes.wheels.index import write_index

    folder = wheels_dir()
    wheels = write_index(folder)
    if not wheels:
        raise InputError(f"There are no wheels in {display(folder)}.", remedy="`invoke build-dml` makes some.")
    simple = folder / "simple"
    return f"{len(wheels)} wheels in {display(simple)}; pip takes it with --extra-index-url {simple.as_uri()}"
