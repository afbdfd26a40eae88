"""A built package becomes a wheel: metadata that pins the paired ONNX Runtime exactly, licences, SBOM, fixed times.

scikit-build-core packs what CMake has laid out, through the same template as the published lane. It runs in this
program's own Python whatever Python the module is for, so target Pythons need nothing installed.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePath

from recipes.bill.materials import Artifact, Materials, Patch
from recipes.bill.materials import Source as SourceMaterial
from recipes.building.context import Context, python_tag
from recipes.sources.checkout import Checkout, source_name
from recipes.spec.fetched import Dependency
from recipes.spec.load import hash_of
from recipes.wheels.local_version import with_local
from wheelhouse.errors import InputError, RecipeError, StepFailedError
from wheelhouse.files import move, sha256_file, write_atomic
from wheelhouse.process import Command
from wheelhouse.processes.own_settings import for_pip


def version_of(build: Context) -> str:
    """Return the wheel's version: upstream's, with our local part."""
    return with_local(build.genai.version, build.genai.local_version)


def ort_version(build: Context) -> str:
    """Return the version of the paired ONNX Runtime wheel: with our local part where this build makes it."""
    return with_local(build.ort.version, build.ort.local_version if build.builds_ort else "")


def requirements(build: Context) -> list[str]:
    """Return the wheel's requirements: the recipe's own, and the paired ONNX Runtime, exactly."""
    return [*build.genai.requires, f"{build.ort.package}=={ort_version(build)}"]


def wheel_tag(build: Context, python: str) -> str:
    """Return the wheel's tag, as 'cp312-cp312-win_amd64'."""
    tag = python_tag(python)
    return f"{tag}-{tag}-{build.target.wheel_platform}"


def filename(build: Context, python: str) -> str:
    """Return the wheel's file name."""
    return f"{build.genai.package.replace('-', '_')}-{version_of(build)}-{wheel_tag(build, python)}.whl"


def command(build: Context, python: str, folder: PurePath, epoch: int | str) -> Command:
    """Return the command that packs `folder`/project into a wheel in `folder`; it downloads nothing."""
    pip = (build.tools.python, "-m", "pip", "--disable-pip-version-check", "wheel")
    tags = ("--config-settings", f"wheel.tags={wheel_tag(build, python)}")  # `-C` is unknown to pip before 23.1
    options = ("--no-deps", "--no-index", "--no-build-isolation", *tags)
    return Command(
        argv=(*pip, *options, "--wheel-dir", str(folder), for_pip(folder / "project")),
        env={"SOURCE_DATE_EPOCH": str(epoch)},
        timeout=600,
        temporary=folder / ".temporary",
    )


def write_project(build: Context, folder: Path) -> None:
    """Write the scikit-build-core project `folder`/project around `folder`/payload.

    Raise StepFailedError when the payload is not a package, InputError for a licence or readme that is not there.
    """
    from recipes.wheels.repack import render_project

    project, payload, source = folder / "project", folder / "payload", Path(build.genai_source)
    package = payload / build.genai.import_name
    if not (package / "__init__.py").is_file():
        raise StepFailedError(f"The build left no package '{build.genai.import_name}' in {payload}.")
    _add_extra_files(build, package)
    described = build.genai.metadata
    for name in (described.readme, *described.licence_files):
        if not (source / name).is_file():
            raise InputError(f"{source} has no {name}, which the recipe names.", remedy="Correct [genai.metadata].")
    readme = (source / described.readme).read_text(encoding="utf-8")
    licences = _copy_licences(source, described.licence_files, project)
    fields = _fields(build, readme, licences)
    write_atomic(project / "pyproject.toml", render_project(fields))
    write_atomic(project / "README.md", readme)
    move(payload, project / "payload")
    (project / "dist-info").mkdir()  # the template takes it over; nothing of ours goes there


def finish(build: Context, wheel: Path, materials: Materials) -> None:
    """Put SBOM and provenance into the packed wheel and its members into order; raise AuditError if it is wrong."""
    from recipes.audit import audit_wheels, require_clean
    from recipes.bill.sbom_embed import embed_sboms

    embed_sboms(wheel, materials, origin_of=lambda name: _origin(build, name))
    roots = (str(build.layout.third_party), str(build.layout.work))
    require_clean(audit_wheels([wheel], own=True, online=False, build_roots=roots))


def _fields(build: Context, readme: str, licences: list[str]) -> dict[str, object]:
    described = build.genai.metadata
    author = {"name": described.author, "email": described.author_email}
    return {
        "name": build.genai.package,
        "version": version_of(build),
        "summary": described.summary,
        "readme": readme,
        "readme_type": "text/markdown" if described.readme.endswith(".md") else "text/plain",
        "author": {key: value for key, value in author.items() if value},
        "licence": described.licence,
        "licence_files": licences,
        "requires_python": described.requires_python,
        "keywords": [],
        "classifiers": [],
        "dependencies": requirements(build),
        "urls": {"Homepage": described.homepage} if described.homepage else {},
        "entry_points": {},
    }


def _copy_licences(source: Path, names: tuple[str, ...], project: Path) -> list[str]:
    for name in names:
        write_atomic(project / Path(name).name, (source / name).read_bytes())
    return sorted(Path(name).name for name in names)


def _add_extra_files(build: Context, package: Path) -> None:
    dependencies = {d.name: d for d in build.genai.dependencies}
    for spec in build.genai.extra_files.get(build.target.os, ()):
        name, _, inside = spec.format(arch=build.target.arch).partition(":")
        if name not in dependencies:
            raise RecipeError(f"extra-files names '{name}', which is no dependency of recipe '{build.recipe.name}'.")
        source = Path(build.genai_project.folder_of(dependencies[name])) / inside
        if not source.is_file():
            raise InputError(
                f"{source} is not there, which the recipe puts into the wheel.", remedy="Correct the path."
            )
        shutil.copyfile(source, package / source.name)


def _origin(build: Context, name: str) -> str:
    """Name the source of a binary in the wheel: a dependency's, where extra-files brought it, else GenAI's own."""
    for spec in build.genai.extra_files.get(build.target.os, ()):
        dependency, _, inside = spec.partition(":")
        if PurePath(inside).name == PurePath(name).name:
            return dependency
    return source_name(build.genai.source)


def materials_of(
    build: Context,
    checkouts: Mapping[str, Checkout],
    recipe_file: Path,
    *,
    inputs: Mapping[str, str],
    toolchain: Mapping[str, str],
    known: Callable[[str], str | None],
    dependencies: Sequence[Dependency],
) -> Materials:
    """Return what a wheel is made from, for its SBOM and provenance.

    `checkouts` maps names of sources to checkouts, `known` addresses to recorded hashes; `dependencies` are GenAI's.
    `inputs` and `toolchain` must hold no path, or two builds from two folders would differ.
    """
    sources = {source_name(build.genai.source): build.genai.source}
    if build.builds_ort:
        sources[source_name(build.ort.source)] = build.ort.source
    sources |= {d.name: d.source for d in dependencies if d.source}
    patches = [
        Patch(applies_to=name, file=p.file, sha256=sha256_file(Path(build.layout.patches) / p.file), reason=p.reason)
        for name, source in sources.items()
        for p in source.patches
    ]
    return Materials(
        name=build.genai.package,
        version=version_of(build),
        licence=build.genai.metadata.licence,
        recipe=build.recipe.name,
        recipe_hash=hash_of(recipe_file),
        sources=tuple(
            SourceMaterial(name=name, url=source.repository, commit=checkouts[name].commit, version=source.tag or "")
            for name, source in sources.items()
        ),
        artifacts=_artifacts(build, known, dependencies),
        patches=tuple(patches),
        toolchain=toolchain,
        inputs=inputs,
        epoch=checkouts[source_name(build.genai.source)].epoch,
    )


def _artifacts(
    build: Context, known: Callable[[str], str | None], dependencies: Sequence[Dependency]
) -> tuple[Artifact, ...]:
    """List the archives that were downloaded: configure-time dependencies, and ONNX Runtime where it is a release."""
    archives = [(d.name, "", d.url, d.sha256) for d in dependencies if d.url is not None]
    release = build.ort.published.get(build.target.name)
    if build.options.ort == "published" and release is not None:
        archives.append((build.ort.package, build.ort.version, release.url, release.sha256))
    return tuple(
        Artifact(name=name, version=version, filename=PurePath(url).name, sha256=sha256 or known(url) or "", url=url)
        for name, version, url, sha256 in archives
    )
