"""The published lane: wheels from PyPI by hash, taken over as they are or packed again, side by side in `wheels/`.

Works on every system, because nothing is compiled; after the first download it works without a network.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from recipes.spec import schema
from recipes.spec.load import hash_of
from recipes.wheels.pieces import taken
from recipes.wheels.placing import folder_lock, is_placed, place
from recipes.wheels.repack import NOT_RUN, TEMPLATE, Repacking, proof_of, repacking_of, wheel_command
from recipes.wheels.repack_files import assemble, open_wheel, write_project
from wheelhouse import manifests
from wheelhouse.downloads import IndexFile, cached_path, fetch_index_files, is_cached, pip_download
from wheelhouse.errors import IntegrityError, RecipeError, UsageError
from wheelhouse.files import remove_tree, require_space, sha256_bytes, sha256_file, write_atomic
from wheelhouse.paths import CLONE_SHORTER, ROOT, cache_dir, log_dir, require_short
from wheelhouse.process import Command, run
from wheelhouse.steps import Step, ensure, partial_of

ROOM = 900_000_000
"""Bytes below the cache that a whole run needs: the published wheels, and those that are made of them."""
PARALLEL = 2
"""Wheels packed at the same time: pip and the backend are one busy process each."""
SUM = "wheel.sha256"
_MODULES = ("pieces", "repack", "repack_files", "repack_metadata", "repack_materials")
CODE = (
    TEMPLATE,
    *(ROOT / "recipes" / "wheels" / f"{module}.py" for module in _MODULES),
    *(ROOT / "recipes" / "bill" / f"{module}.py" for module in ("materials", "sbom", "bom")),
)
"""What decides a packed wheel's bytes besides its inputs: when one of these changes, wheels are packed again."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """One wheel of the lane: where it lies in `wheels/`, the seconds that making it took, where it was ever run."""

    path: Path
    seconds: float
    run: str = ""


def build_published(recipe: schema.Recipe, recipe_file: Path, out: Path, pythons: Sequence[str] = ()) -> list[Made]:
    """Make the recipe's wheels for the given Pythons ("3.12"; none: all) and put them into `out`.

    Raise NetworkError, IntegrityError (a hash or a RECORD is wrong), RecipeError, UsageError (no such Python) or
    InputError (`out` lies too deep).
    """
    published = _published(recipe)
    chosen = select(published.artifacts, pythons)
    names = [made.filename if (made := repacking_of(a, published)) else a.filename for a in chosen]
    require_short(out, max(map(len, names), default=0) + len("..partial"), remedy=CLONE_SHORTER)
    needed = _files([*chosen, *_lending(chosen, published)])
    missing = [f for f in needed if not is_cached(f)]
    if missing:
        require_space(cache_dir(), ROOM, "The published lane")
        fetch_index_files(missing)
    common = _inputs_of_all(recipe_file)
    with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
        finished = list(pool.map(lambda artifact: _make(artifact, recipe, common, out), chosen))
    with folder_lock(out):
        for wheel in finished:
            place(wheel.path, out)
    runs = [NOT_RUN if (p := proof_of(a, published)).startswith(NOT_RUN) else p.partition(":")[0] for a in chosen]
    pairs = zip(finished, runs, strict=True)
    return [Made(path=out / wheel.path.name, seconds=wheel.seconds, run=run) for wheel, run in pairs]


def plan_published(recipe: schema.Recipe, pythons: Sequence[str] = ()) -> list[Command]:
    """Return every process that the lane would start on an empty cache, in order; starts none."""
    published = _published(recipe)
    chosen = select(published.artifacts, pythons)
    groups: dict[tuple[str, str], list[IndexFile]] = {}
    for file in _files([*chosen, *_lending(chosen, published)]):
        groups.setdefault((file.python, file.platform), []).append(file)
    downloads = [pip_download(files, cache_dir("downloads", f".{p}-{w}.partial")) for (p, w), files in groups.items()]
    packing = [
        wheel_command(repacking, partial / "project", partial / "metadata")
        for artifact in chosen
        if (repacking := repacking_of(artifact, published)) is not None
        and (partial := partial_of(_step_folder(repacking)))
    ]
    return [*downloads, *packing]


def index_files_of(recipe: schema.Recipe, pythons: Sequence[str] = ()) -> list[IndexFile]:
    """Return what the lane downloads for these Pythons (none: all)."""
    published = _published(recipe)
    chosen = select(published.artifacts, pythons)
    return _files([*chosen, *_lending(chosen, published)])


def select(artifacts: Iterable[schema.Artifact], pythons: Sequence[str]) -> list[schema.Artifact]:
    """Return the artifacts for these Pythons. Raise UsageError when one of them has none."""
    everything = list(artifacts)
    known = sorted({_python_version(a.python) for a in everything}, key=_as_numbers)
    for python in pythons:
        if python not in known:
            raise UsageError(
                f"There are no published wheels for Python {python}.", remedy=f"There are for {', '.join(known)}."
            )
    return [a for a in everything if not pythons or _python_version(a.python) in pythons]


def _as_numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _python_version(tag: str) -> str:
    """Return "3.12" for the Python tag "cp312"."""
    if not tag.startswith("cp3") or not tag[3:].isdecimal():
        raise RecipeError(f"'{tag}' is not the tag of a CPython 3.", remedy="Write it like 'cp312'.")
    return f"3.{tag[3:]}"


def _published(recipe: schema.Recipe) -> schema.Published:
    if recipe.published is None:
        raise RecipeError(
            f"Recipe '{recipe.name}' has no [published] part.",
            remedy="Use `--recipe published`, or compile it with `--lane git`.",
        )
    return recipe.published


def _files(artifacts: Iterable[schema.Artifact]) -> list[IndexFile]:
    return [
        IndexFile(
            package=a.package,
            version=a.version,
            filename=a.filename,
            sha256=a.sha256,
            python=_python_version(a.python),
            platform=a.platform,
        )
        for a in artifacts
    ]


def _lending(chosen: Iterable[schema.Artifact], published: schema.Published) -> list[schema.Artifact]:
    """Return the donors that the chosen wheels need, each once."""
    repackings = [r for artifact in chosen if (r := repacking_of(artifact, published)) is not None]
    return list({d.filename: d for r in repackings for d in r.donors.values()}.values())


def _step_folder(repacking: Repacking) -> Path:
    return cache_dir("published", repacking.filename.removesuffix(".whl"))


@dataclass(frozen=True, kw_only=True)
class _Finished:
    """A wheel in the cache, ready to be placed: the download itself or what it was packed into."""

    path: Path
    seconds: float


def _make(artifact: schema.Artifact, recipe: schema.Recipe, common: Mapping[str, str], out: Path) -> _Finished:
    repacking = repacking_of(artifact, _published(recipe))
    if repacking is None:
        checked = Step(
            name=f"check {artifact.filename}",
            output=cache_dir("published", artifact.filename.removesuffix(".whl")),
            inputs={"artifact": artifact.sha256},
        )
        outcome = ensure(checked, lambda _: _check(_fetched(artifact)), quiet_when_fresh=True)
        source = cached_path(artifact.sha256, artifact.filename)
        if manifests.doubted() or not is_placed(source, out):
            source = _fetched(artifact)
        return _Finished(path=source, seconds=outcome.seconds)
    inputs = _inputs(repacking, common)
    step = Step(name=f"pack {repacking.filename}", output=_step_folder(repacking), inputs=inputs)
    outcome = ensure(
        step,
        lambda folder: _pack(repacking, folder, recipe, inputs),
        quiet_when_fresh=True,
        damage=lambda folder: _damage(folder / repacking.filename, out),
    )
    return _Finished(path=step.output / repacking.filename, seconds=outcome.seconds)


def _fetched(artifact: schema.Artifact) -> Path:
    """Return the published wheel, hashed just now: what the pin names is what is read, and nothing else."""
    return fetch_index_files(_files([artifact]))[artifact.filename]


def _damage(wheel: Path, out: Path) -> str | None:
    """Say what has happened to a packed wheel since, or None. Its content is read where it is copied, or doubted."""
    try:
        recorded = (wheel.parent / SUM).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return "its recorded hash cannot be read"
    if not wheel.is_file():
        return f"{wheel.name} is gone"
    if (manifests.doubted() or not is_placed(wheel, out)) and sha256_file(wheel) != recorded:
        return f"{wheel.name} has been damaged"
    return None


def _check(source: Path) -> None:
    """Read a wheel that is taken over as it is. Raise IntegrityError when it contradicts its RECORD."""
    taken(source, "")


def _inputs(repacking: Repacking, common: Mapping[str, str]) -> dict[str, str]:
    donors = {f"wheel of {package}": donor.sha256 for package, donor in repacking.donors.items()}
    return {"published wheel": repacking.artifact.sha256, **donors, **common}


def _inputs_of_all(recipe_file: Path) -> dict[str, str]:
    """Return the inputs that every wheel of a run has: they are read once, and looked for in folders of packages."""
    from importlib.metadata import version

    code = "".join(sha256_file(path) for path in CODE)
    return {
        "recipe": hash_of(recipe_file),
        "packing code": sha256_bytes(code.encode()),
        **{tool: version(tool) for tool in ("scikit-build-core", "cyclonedx-python-lib")},
    }


def _pack(repacking: Repacking, folder: Path, recipe: schema.Recipe, inputs: Mapping[str, str]) -> None:
    from recipes.bill.sbom import sbom_files
    from recipes.wheels.repack_materials import materials_of

    project, packed, wheel = folder / "project", folder / "metadata", folder / repacking.filename
    donors = {package: _fetched(donor) for package, donor in repacking.donors.items()}
    opened = open_wheel(repacking, _fetched(repacking.artifact), donors)
    changes = write_project(repacking, opened, project)
    packed.mkdir()
    run(wheel_command(repacking, project, packed), log=log_dir() / f"pack-{wheel.stem}.log", remedy=_PACK_REMEDY)
    if not (packed / wheel.name).is_file():
        got = ", ".join(p.name for p in packed.glob("*.whl")) or "no wheel"
        raise IntegrityError(f"scikit-build-core was to make {wheel.name} and made {got}.")
    texts = sbom_files(materials_of(repacking, opened, recipe, inputs, changes))
    assemble(repacking, opened, packed / wheel.name, wheel, texts, changes)
    write_atomic(folder / SUM, sha256_file(wheel) + "\n")
    remove_tree(project)
    remove_tree(packed)


_PACK_REMEDY = "If scikit-build-core is missing there, `pip install -e .` in the checkout brings it."
