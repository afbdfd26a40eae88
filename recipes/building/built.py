"""What was really built: recorded beside the recipe for each target and Python; no plan is taken for a build.

`NAME.built.toml` is written by the program when the audit has passed, and says how far the trial of the wheels came.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import field

from recipes.building.context import Context, python_tag
from recipes.sources.lock import block, value_text
from recipes.spec.load import hash_of
from recipes.spec.schema import Recipe
from recipes.spec.schema_parts import Part, TargetName
from recipes.wheels.trial import State, Trial, try_out
from wheelhouse import strict_toml
from wheelhouse.errors import InputError
from wheelhouse.file_locks import locked
from wheelhouse.files import by_name, write_atomic
from wheelhouse.strict_toml import PythonVersion, Sha256

FORMAT = 1
HEAD = "# Written by `invoke build` when audit, installation and smoke have passed; do not edit.\n"
PLAN_ONLY = "plan only"
WORDS: dict[State, str] = {"built": "built", "smoked": "built and smoked"}


class Built(Part, frozen=True, kw_only=True):
    """One build of one Python's wheels: by which run, when, from which text of the recipe, with what, to what."""

    target: TargetName
    python: PythonVersion
    state: State
    note: str = ""
    """Why it was not smoked."""
    by: str
    when: str
    recipe_hash: Sha256
    tools: dict[str, str] = field(default_factory=dict)
    wheels: dict[str, Sha256] = field(default_factory=dict)


class Record(Part, frozen=True, kw_only=True):
    """All of one recipe."""

    format: int
    recipe: str
    built: tuple[Built, ...] = ()


def file_of(recipe_file: Path) -> Path:
    """Return the place of a recipe's record."""
    return recipe_file.with_suffix(".built.toml")


def read(recipe_file: Path) -> tuple[Built, ...]:
    """Return what is recorded. Raise InputError for another recipe's or a newer record, RecipeError for a wrong one."""
    file = file_of(recipe_file)
    return _read(file, recipe_file.stem) if file.exists() else ()


def _read(file: Path, recipe: str) -> tuple[Built, ...]:
    found = strict_toml.read(file)
    if (found.get("format"), found.get("recipe")) != (FORMAT, recipe):
        raise InputError(
            f"{file} has format {found.get('format')} and is for recipe '{found.get('recipe')}'; "
            f"expected {FORMAT} and '{recipe}'.",
            remedy="Restore it, remove it, or update this program.",
        )
    return strict_toml.convert(found, Record, str(file)).built


def merge(recipe_file: Path, folder: Path) -> int:
    """Take over what other machines have recorded of a recipe: its records below `folder`; return how many entries.

    Raises as `read` does; InputError when there is none.
    """
    files = sorted(folder.rglob(file_of(recipe_file).name), key=by_name)
    found = [entry for file in files for entry in _read(file, recipe_file.stem)]
    if not found:
        raise InputError(f"There is no {file_of(recipe_file).name} with an entry below {folder}.")
    # the newest of a target and Python: every machine has begun with the record that is committed
    _add(recipe_file, sorted(found, key=lambda one: one.when))
    return len(found)


def status(recipe: Recipe, recipe_file: Path, target: str) -> str:
    """Return what is known of a target: "plan only", "built", "built and smoked"; of which Pythons, by whom, when."""
    return _told(recipe, [one for one in read(recipe_file) if one.target == target], hash_of(recipe_file))


def _told(recipe: Recipe, found: list[Built], current: str) -> str:
    if not found:
        return PLAN_ONLY
    parts = []
    for state in ("smoked", "built"):
        some = [one for one in found if one.state == state]
        if some:
            every = len(some) == len(recipe.pythons)
            pythons = "" if every else f" for {', '.join(sorted((one.python for one in some), key=_minor))}"
            parts.append(f"{WORDS[state]}{pythons} ({'; '.join(dict.fromkeys(map(_circumstances, some)))})")
    older = any(one.recipe_hash != current for one in found)
    return ", ".join(parts) + (", from an earlier text of the recipe" if older else "")


def _circumstances(one: Built) -> str:
    return f"{one.by}, {one.when[:10]}{f': {one.note}' if one.note else ''}"


def _minor(python: str) -> int:
    return int(python.partition(".")[2])


def prove_and_record(build: Context, recipe_file: Path, folder: Path, wheels: Mapping[str, str]) -> list[Built]:
    """Try out the wheels that a build made in `folder` (name to SHA-256), record how far they came, and return that.

    Raises as `try_out` does.
    """
    entries = []
    for python, program in build.tools.pythons.items():
        mine = {n: sha for n, sha in sorted(wheels.items()) if f"-{python_tag(python)}-" in n}
        trial = try_out(
            [folder / name for name in mine],
            python=program,
            module=build.genai.import_name,
            smoke=build.genai.smoke,
            why_not=_why_not(build),
        )
        entries.append(_entry(build, python, trial, mine, hash_of(recipe_file)))
    _add(recipe_file, entries)
    return entries


def _why_not(build: Context) -> str:
    if build.cross:
        return f"not tried: compiled on {build.host.name}"
    return "" if build.builds_ort else "not tried: the ONNX Runtime that it requires was not built with it"


def _entry(build: Context, python: str, trial: Trial, wheels: Mapping[str, str], recipe_hash: str) -> Built:
    run = os.environ
    by = (
        f"{run.get('GITHUB_SERVER_URL')}/{run.get('GITHUB_REPOSITORY')}/actions/runs/{run.get('GITHUB_RUN_ID')}"
        if run.get("GITHUB_ACTIONS") == "true"
        else "by hand"
    )
    return Built(
        target=build.target.name,
        python=python,
        state=trial.state,
        note=trial.note,
        by=by,
        when=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        recipe_hash=recipe_hash,
        tools=toolchain(build),
        wheels=dict(wheels),
    )


def _add(recipe_file: Path, entries: list[Built]) -> None:
    """Put entries in place of those for the same target and Python, unless they say the same but for when and who."""
    file = file_of(recipe_file)
    with locked(file):
        known = {(one.target, one.python): one for one in read(recipe_file)}
        for new in entries:
            old = known.get((new.target, new.python))
            if old is None or msgspec.structs.replace(old, by=new.by, when=new.when) != new:
                known[new.target, new.python] = new
        made = sorted(known.values(), key=lambda one: (one.target, _minor(one.python)))
        text = _text(Record(format=FORMAT, recipe=recipe_file.stem, built=tuple(made)))
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            write_atomic(file, text)


def _text(record: Record) -> str:
    lines = [f"format = {record.format}", f"recipe = {value_text(record.recipe)}"]
    return HEAD + "\n".join([*lines, *(line for one in record.built for line in block("built", one))]) + "\n"


def toolchain(build: Context) -> dict[str, str]:
    """Return target, compiler and CMake as CMake itself has identified them: versions, no paths."""
    return {"target": build.target.name, **dict(_identified(Path(build.core_build)))}


def _identified(folder: Path) -> Iterator[tuple[str, str]]:
    wanted = (("C++ compiler", "CMAKE_CXX_COMPILER_ID"), ("C++ version", "CMAKE_CXX_COMPILER_VERSION"))
    for file in sorted((folder / "CMakeFiles").glob("*/CMakeCXXCompiler.cmake"), key=by_name):
        text = file.read_text(encoding="utf-8", errors="replace")
        for label, variable in wanted:
            if match := re.search(rf'set\({variable} "([^"]*)"\)', text):
                yield label, match[1]
        yield "CMake", file.parent.name


if __name__ == "__main__":
    import sys

    from recipes.spec.load import locate
    from wheelhouse.console import show

    show(f"{merge(locate(sys.argv[1]).resolve(), Path(sys.argv[2]))} entries taken over")
