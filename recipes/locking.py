"""`invoke lock`: record what a recipe's request comes to, verify it, record one entry anew, or only compare."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from recipes.building.context import compiled_parts
from recipes.sources import lock as locks
from recipes.sources.archives import fetch_archive
from recipes.sources.checkout import source_name
from recipes.sources.declared import declaration_of, mirrored
from recipes.sources.dependencies import Project
from recipes.sources.fetching import fetch_projects
from recipes.sources.pins import Pins
from recipes.spec.load import load, locate
from recipes.spec.request import options_from
from recipes.spec.schema import Recipe
from recipes.spec.target import parse_target, real_layout
from recipes.staging.header_closure import api_version
from recipes.wheels.requirements import record
from wheelhouse import scratch
from wheelhouse.errors import InputError, IntegrityError, RecipeError, UsageError, nearest
from wheelhouse.paths import display, wheels_dir


def lock(spec: str, *, upgrade: str = "", check: bool = False, source_mirror: str = "") -> str:
    """Record or verify the lock of a recipe for all its targets; return a line about it, or the differences.

    Raises IntegrityError for something that moved, or with `check` for a difference; UsageError for an unknown
    `upgrade`; and what fetching raises.
    """
    recipe, file = load(spec), locate(spec).resolve()
    if recipe.genai is None:
        return _lock_published(recipe, file, upgrade=upgrade, check=check)
    projects, pins = tuple(_projects(recipe)), Pins(file)
    if (check or upgrade) and not pins.file.exists():
        raise InputError(
            f"There is no {display(pins.file)} yet.", remedy=f"`invoke lock --recipe {spec}` records it first."
        )
    if check:
        return _check(projects, pins)
    mirror = options_from(source_mirror=source_mirror).source_mirror
    before = locks.read(pins.file, recipe.name)
    try:
        if upgrade:
            pins.forget(upgrade)
        _record(recipe, projects, pins, mirror)
    except BaseException:
        if before is not None:
            locks.write(pins.file, before)  # nothing half upgraded
        else:
            pins.file.unlink(missing_ok=True)
        raise
    after = pins.read()
    size = len(after.source), len(after.dependency), len(after.archive)
    what = "recorded" if before is None else "verified" if before == after else "brought up to date"
    return f"{display(pins.file)}: {what}; {size[0]} sources, {size[1]} declared dependencies, {size[2]} archives"


def lock_status(recipe: Recipe, file: Path) -> str:
    """Return 'locked', or 'unlocked' for a recipe that compiles and was fetched nowhere yet (every build writes the
    lock), or 'pinned' for one that is made of pinned binaries."""
    if recipe.genai is None:
        return "pinned"
    return "unlocked" if locks.read(locks.file_of(file), recipe.name) is None else "locked"


def _lock_published(recipe: Recipe, file: Path, *, upgrade: str, check: bool) -> str:
    """Record or verify what a published recipe's wheels require; what is locked stays unless `upgrade` names it."""
    if check:
        raise UsageError(
            f"--check compares with upstream's sources, and '{recipe.name}' is made of published wheels.",
            remedy=f"`invoke lock --recipe {recipe.name}` verifies what they require.",
        )
    place = locks.file_of(file)
    before = locks.read(place, recipe.name)
    names = [Path(archive.url).name.split("-")[:2] for archive in before.archive] if before else []
    known = sorted({package for package, _ in names})
    if upgrade and upgrade != "all" and upgrade not in known:
        raise UsageError(f"The lock has no '{upgrade}'. {nearest(upgrade, known)}".rstrip())
    kept = sorted({f"{package}=={version}" for package, version in names if upgrade not in {"all", package}})
    with scratch.folder() as work:
        after = record(recipe, wheels_dir(), work, kept)
    hashes = {Path(archive.url).name: archive.sha256 for archive in before.archive} if before and not upgrade else {}
    for name, found in ((Path(archive.url).name, archive.sha256) for archive in after.archive):
        if hashes.get(name, found) != found:
            raise IntegrityError(
                f"{name} has SHA-256 {found}, but {hashes[name]} is locked: that index delivers another file.",
                remedy="Look at `pip config list`; do not use it before you know why.",
            )
    locks.write(place, after)
    now = locks.read(place, recipe.name)
    what = "recorded" if before is None else "verified" if before == now else "brought up to date"
    return f"{display(place)}: {what}; {len(after.archive)} wheels that the pair requires"


def _projects(recipe: Recipe) -> Iterator[Project]:
    ort, genai = compiled_parts(recipe)
    for name in recipe.targets:
        target = parse_target(name)
        for part in (ort, genai):
            yield Project(part=part, target=target, layout=real_layout(recipe, target))


def _record(recipe: Recipe, projects: tuple[Project, ...], pins: Pins, mirror: str) -> None:
    fetch_projects(projects, pins, mirror=mirror)
    for pythons in recipe.target_pythons.values():
        for version, files in pythons.items():
            fetch_archive(files.url, f"python{version}", pins, sha256=files.sha256, mirror=mirror)
    ort = projects[0]
    for folder in compiled_parts(recipe)[0].staging.include_dirs:
        if (Path(ort.checkout) / folder / "onnxruntime_c_api.h").is_file():
            found = api_version(Path(ort.checkout) / folder)
            wanted = compiled_parts(recipe)[0].api_version
            if found != wanted:
                raise RecipeError(
                    f"Recipe '{recipe.name}' says api-version = {wanted}, but the header at "
                    f"{ort.part.source.pin} says {found}.",
                    remedy="Correct api-version in the recipe.",
                )
            pins.learn_api_version(found)


def _check(projects: tuple[Project, ...], pins: Pins) -> str:
    """Compare the lock with upstream's files in the checkouts that are there; fetches and writes nothing."""
    recorded = {(d.of, d.name): d.origin for d in pins.read().dependency}
    compared, found = set[tuple[str, str]](), dict[str, None]()
    for project in projects:
        name = source_name(project.part.source)
        if not Path(project.checkout).is_dir():
            found[f"{name} is not checked out: `invoke fetch` first"] = None
            continue
        declared = [(d.parent or name, d.name, declaration_of(project, d)) for d in project.needed if d.declared_in]
        for of, entry, said in [*declared, *((name, row.name, row) for row in mirrored(project))]:
            compared.add((of, entry))
            known = recorded.get((of, entry), "nothing")
            if known != said.origin:
                found[f"{said.place} of {of}: {entry} is {said.origin}, the lock has {known}"] = None
    found |= dict.fromkeys(f"the lock has {e} of {of}, which nothing declares" for of, e in recorded.keys() - compared)
    if found:
        raise IntegrityError(
            f"{display(pins.file)} and upstream's tables differ: {'; '.join(found)}.",
            remedy="`invoke lock` records what is missing, `invoke lock --upgrade NAME` what has changed.",
        )
    return f"{display(pins.file)} agrees with upstream's tables: {len(compared)} entries"
