"""Where the ONNX Runtime for ORT_HOME comes from: built here, a published release, or the user's own folder."""

from __future__ import annotations

from pathlib import Path

from recipes.building.context import Context, python_tag
from recipes.building.lane_run import hash_part, hash_text
from recipes.sources.archives import fetch_archive
from recipes.sources.pins import Pins
from recipes.spec.schema import ReleaseArchive
from recipes.staging.header_closure import closure
from recipes.staging.ort_home import Origin, find_libraries, origin_from_home
from wheelhouse.errors import InputError
from wheelhouse.files import files_below, sha256_file
from wheelhouse.steps import Step, ensure, recorded_inputs
from wheelhouse.unpacking import unpack


def built_folder(build: Context, python: str) -> Path:
    """Return the folder of the step that builds ONNX Runtime for one Python: its wheel, and lib/."""
    return Path(build.layout.work) / f"ort-{python_tag(python)}"


def find_origin(build: Context, pins: Pins) -> Origin:
    """Return the origin that the options choose.

    Raises InputError for a folder or library that is missing, NetworkError or IntegrityError for a release.
    """
    if build.options.ort == "given":
        return origin_from_home(_given_home(build), build.ort.staging, build.target)
    if build.options.ort == "published":
        return _published(build, pins)
    libraries = [built_folder(build, python) / "lib" for python in build.tools.pythons]
    return Origin(
        label="the ONNX Runtime built here",
        include_dirs=tuple(Path(build.ort_source) / folder for folder in build.ort.staging.include_dirs),
        libraries=find_libraries(libraries, build.ort.staging, build.target),
    )


def check_early(build: Context) -> None:
    """Raise before anything is fetched what is known by then: a bad --ort-home, no release for the target."""
    if build.options.ort == "given":
        origin = origin_from_home(_given_home(build), build.ort.staging, build.target)
        closure(build.ort.staging.headers, origin.include_dirs, optional=build.ort.staging.optional_headers)
    elif build.options.ort == "published":
        _release(build)


def fingerprint(build: Context) -> str:
    """Return what tells whether staging must run again, without reading large files."""
    if build.options.ort == "given":
        files = files_below(_given_home(build))
        return hash_text("\n".join(f"{p} {p.stat().st_size} {p.stat().st_mtime_ns}" for p in files))
    if build.options.ort == "published":
        return hash_part(build.ort.published)
    inputs = recorded_inputs(built_folder(build, next(iter(build.tools.pythons)))) or {}
    inputs.pop("Python", None)  # the library is the same for every Python
    words = (word for name, value in sorted(inputs.items()) for word in (name, *value.split()))
    return hash_text(" ".join(word for word in words if not word.startswith(("Python_", "PYTHON_"))))


def _given_home(build: Context) -> Path:
    home = build.options.ort_home
    if home is None or not home.is_dir():
        raise InputError(f"The folder {home} of --ort-home does not exist.", remedy="Give an existing ORT_HOME.")
    return home


def _release(build: Context) -> ReleaseArchive:
    release = build.ort.published.get(build.target.name)
    if release is None:
        raise InputError(
            f"Recipe '{build.recipe.name}' names no published ONNX Runtime for {build.target.name}.",
            remedy="Add [onnxruntime.published] to it, build it (--ort build), or give yours (--ort-home FOLDER).",
        )
    return release


def _published(build: Context, pins: Pins) -> Origin:
    release = _release(build)
    mirror = build.options.source_mirror
    archive = fetch_archive(release.url, build.ort.package, pins, sha256=release.sha256, mirror=mirror)
    unpacked = Path(build.layout.work) / "ort-release"
    step = Step(name="unpack ONNX Runtime", output=unpacked, inputs={"archive": sha256_file(archive)})
    ensure(step, lambda into: unpack(archive, into), quiet_when_fresh=True)
    return Origin(
        label=release.url,
        include_dirs=(unpacked / release.include_root,),
        libraries=find_libraries([unpacked / release.library_root], build.ort.staging, build.target),
    )
