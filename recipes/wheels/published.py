"""The published lane: wheels from PyPI by hash, taken over as they are or packed again, side by side in `wheels/`.

Works on every system, because nothing is compiled; after the first download it works without a network.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from recipes.bill.materials import Artifact, Materials
from recipes.spec import schema
from recipes.wheels.placing import folder_lock, is_placed, place
from recipes.wheels.repack import TEMPLATE, Repacking, check_payload, check_wheel, wheel_command, write_project
from recipes.wheels.repack_metadata import Change
from wheelhouse.downloads import IndexFile, cached_path, fetch_index_files, is_cached, pip_download, verified
from wheelhouse.errors import IntegrityError, RecipeError, UsageError
from wheelhouse.files import remove_tree, require_space, sha256_bytes, sha256_file, write_atomic
from wheelhouse.paths import ROOT, cache_dir, log_dir
from wheelhouse.process import Command, run
from wheelhouse.steps import Step, ensure, partial_of

ROOM = 400_000_000
"""Bytes below the cache that a whole run needs: eight wheels, and one at a time unpacked."""
PARALLEL = 2
"""Wheels packed at the same time: pip and the backend are one busy process each."""
SUM = "wheel.sha256"
_MODULES = ("wheels/repack", "wheels/repack_metadata", "bill/materials", "bill/sbom", "bill/sbom_embed", "bill/bom")
CODE = (TEMPLATE, *(ROOT / "recipes" / f"{module}.py" for module in _MODULES))
"""What decides a packed wheel's bytes besides its inputs: when one of these changes, wheels are packed again."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """One wheel of the lane, where it lies in `wheels/`, and the seconds that making it took this time."""

    path: Path
    seconds: float


def build_published(recipe: schema.Recipe, recipe_file: Path, out: Path, pythons: Sequence[str] = ()) -> list[Made]:
    """Make the recipe's wheels for the given Pythons ("3.12"; none: all) and put them into `out`.

    Raise NetworkError, IntegrityError (a hash or a RECORD is wrong), RecipeError or UsageError (no such Python).
    """
    published = _published(recipe)
    chosen = select(published.artifacts, pythons)
    if any(not is_cached(f) for f in _files(chosen)):
        require_space(cache_dir(), ROOM, "The published lane")
        fetch_index_files(_files(chosen))
    with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
        finished = list(pool.map(lambda artifact: _make(artifact, recipe, recipe_file), chosen))
    with folder_lock(out):
        for wheel in finished:
            if not is_placed(wheel.path, out):
                place(verified(wheel.path, wheel.sha256), out)
    return [Made(path=out / wheel.path.name, seconds=wheel.seconds) for wheel in finished]


def plan_published(recipe: schema.Recipe, pythons: Sequence[str] = ()) -> list[Command]:
    """Return every process that the lane would start on an empty cache, in order; starts none."""
    published = _published(recipe)
    chosen = select(published.artifacts, pythons)
    groups: dict[tuple[str, str], list[IndexFile]] = {}
    for file in _files(chosen):
        groups.setdefault((file.python, file.platform), []).append(file)
    downloads = [pip_download(files, cache_dir("downloads", f".{p}-{w}.partial")) for (p, w), files in groups.items()]
    packing = [
        wheel_command(repacking, partial_of(_step_folder(repacking)) / "project", partial_of(_step_folder(repacking)))
        for artifact in chosen
        if (repacking := _repacking(artifact, published)) is not None
    ]
    return [*downloads, *packing]


def index_files_of(recipe: schema.Recipe, pythons: Sequence[str] = ()) -> list[IndexFile]:
    """Return what the lane downloads for these Pythons (none: all)."""
    return _files(select(_published(recipe).artifacts, pythons))


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


def _repacking(artifact: schema.Artifact, published: schema.Published) -> Repacking | None:
    rule = next((r for r in published.repack if r.package == artifact.package), None)
    return None if rule is None else Repacking(artifact=artifact, rule=rule, epoch=published.source_date_epoch)


def _step_folder(repacking: Repacking) -> Path:
    return cache_dir("published", repacking.filename.removesuffix(".whl"))


@dataclass(frozen=True, kw_only=True)
class _Finished:
    """A wheel in the cache, ready to be placed: the download itself or what it was packed into."""

    path: Path
    sha256: str
    seconds: float


def _make(artifact: schema.Artifact, recipe: schema.Recipe, recipe_file: Path) -> _Finished:
    source = cached_path(artifact.sha256, artifact.filename)
    repacking = _repacking(artifact, _published(recipe))
    if repacking is None:
        checked = Step(
            name=f"check {artifact.filename}",
            output=cache_dir("published", artifact.filename.removesuffix(".whl")),
            inputs={"artifact": artifact.sha256},
        )
        outcome = ensure(checked, lambda _: check_wheel(source), quiet_when_fresh=True)
        return _Finished(path=source, sha256=artifact.sha256, seconds=outcome.seconds)
    inputs = _inputs(repacking, recipe_file)
    step = Step(name=f"pack {repacking.filename}", output=_step_folder(repacking), inputs=inputs)
    outcome = ensure(step, lambda folder: _pack(repacking, source, folder, recipe, inputs), quiet_when_fresh=True)
    sha256 = (step.output / SUM).read_text(encoding="utf-8").strip()
    return _Finished(path=step.output / repacking.filename, sha256=sha256, seconds=outcome.seconds)


def _inputs(repacking: Repacking, recipe_file: Path) -> dict[str, str]:
    from importlib.metadata import version

    code = "".join(sha256_file(path) for path in CODE)
    return {
        "published wheel": repacking.artifact.sha256,
        "recipe": sha256_file(recipe_file),
        "packing code": sha256_bytes(code.encode()),
        **{tool: version(tool) for tool in ("scikit-build-core", "cyclonedx-python-lib")},
    }


def _pack(repacking: Repacking, source: Path, folder: Path, recipe: schema.Recipe, inputs: Mapping[str, str]) -> None:
    from recipes.bill.sbom_embed import embed_sboms

    project, wheel = folder / "project", folder / repacking.filename
    changes = write_project(repacking, source, project)
    run(wheel_command(repacking, project, folder), log=log_dir() / f"pack-{repacking.tag}.log", remedy=_PACK_REMEDY)
    if not wheel.is_file():
        got = ", ".join(p.name for p in folder.glob("*.whl")) or "no wheel"
        raise IntegrityError(f"scikit-build-core was to make {wheel.name} and made {got}.")
    embed_sboms(wheel, _materials(repacking, recipe, inputs, changes), origin_of=lambda _: repacking.artifact.package)
    check_wheel(wheel)
    check_payload(project, wheel)
    write_atomic(folder / SUM, sha256_file(wheel) + "\n")
    remove_tree(project)


_PACK_REMEDY = "If scikit-build-core is missing there, `pip install -e .` in the checkout brings it."


def _materials(
    repacking: Repacking, recipe: schema.Recipe, inputs: Mapping[str, str], changes: Sequence[Change]
) -> Materials:
    artifact = repacking.artifact
    published = Artifact(
        name=artifact.package,
        version=artifact.version,
        filename=artifact.filename,
        sha256=artifact.sha256,
        purl=f"pkg:pypi/{artifact.package}@{artifact.version}?file_name={artifact.filename}",
        licence=repacking.rule.licence,
    )
    return Materials(
        name=repacking.rule.package,
        version=repacking.version,
        licence=repacking.rule.licence,
        recipe=recipe.name,
        recipe_hash=inputs["recipe"],
        artifacts=(published,),
        toolchain={"scikit-build-core": inputs["scikit-build-core"]},
        inputs=inputs,
        changes=tuple(f"{c.field}: {c.was or '(none)'} -> {c.now}" for c in changes),
        epoch=repacking.epoch,
    )
