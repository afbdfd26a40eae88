"""ONNX Runtime, built by its own build script: one build folder, one wheel per Python."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from recipes.building.context import CONFIG, Context
from recipes.building.genai_build import python_defines, tool_defines
from recipes.building.tools import VISUAL_STUDIO, cache_settings
from recipes.staging.ort_home import Origin, find_libraries
from wheelhouse.errors import StepFailedError
from wheelhouse.files import by_name
from wheelhouse.process import Command

BUILD_SECONDS = 4 * 3600.0
"""Upstream's own DirectML job is capped at 210 minutes."""


def commands(build: Context) -> tuple[Command, ...]:
    """Return build.py's command line for every Python; the second and later only add their wheel."""
    script = build.ort_source / "tools" / "ci_build" / "build.py"
    # /Brepro keeps the time of the build out of every object and DLL; cl and link read these variables themselves
    stamps = {"CL": "/Brepro", "LINK": "/Brepro"} if build.host.os == "windows" else {}
    env = cache_settings(build.tools, build.layout) | stamps
    return tuple(
        Command(argv=(path, str(script), *_arguments(build, python)), env=env, timeout=BUILD_SECONDS)
        for python, path in build.tools.pythons.items()
    )


def _arguments(build: Context, python: str) -> Iterator[str]:
    yield from ("--build_dir", str(build.ort_build), "--config", CONFIG, "--update", "--build")
    jobs = (str(build.options.jobs),) if build.options.jobs else ()
    yield from ("--parallel", *jobs, "--skip_tests", "--skip_submodule_sync", "--compile_no_warning_as_error")
    yield from ("--cmake_generator", VISUAL_STUDIO if build.visual_studio else "Ninja")
    if build.tools.cmake != "cmake":
        yield from ("--cmake_path", build.tools.cmake)
    yield from build.ort.build_flags
    if build.visual_studio and build.target.arch == "arm64":
        yield "--arm64"
    yield from build.ort.target_flags.get(build.target.name, ())
    yield from build.ort_project.options
    defines = dict(build.ort.cmake_defines) | build.ort_project.source_dirs | tool_defines(build)
    if build.cross:
        defines |= python_defines(build, python)
    if defines:
        yield "--cmake_extra_defines"
        yield from (f"{name}={value}" for name, value in defines.items())


def output_folders(build: Context) -> tuple[Path, ...]:
    """Return where the binaries can be: Visual Studio's generator adds a level that Ninja does not have."""
    folder = Path(build.ort_build)
    return (folder / CONFIG / CONFIG, folder / CONFIG)


def built_origin(build: Context) -> Origin:
    """Return what was built as an origin for staging. Raise InputError when a library is missing."""
    return Origin(
        label=f"ONNX Runtime built in {build.ort_build}",
        include_dirs=tuple(Path(build.ort_source) / folder for folder in build.ort.staging.include_dirs),
        libraries=find_libraries(output_folders(build), build.ort.staging, build.target),
    )


def built_wheels(build: Context, tags: tuple[str, ...]) -> dict[str, Path]:
    """Return python tag to wheel. Raise StepFailedError when the build ended well and still left one out."""
    found: dict[str, Path] = {}
    for folder in output_folders(build):
        for wheel in sorted((folder / "dist").glob(f"*-{build.ort.version}*.whl"), key=by_name):
            found.setdefault(wheel.name.split("-")[2], wheel)
    missing = [tag for tag in tags if tag not in found]
    if missing:
        raise StepFailedError(
            f"ONNX Runtime's build left no wheel {build.ort.version} for {', '.join(missing)} below {build.ort_build}.",
            remedy="Look at its log; the recipe's version must be the one in the source's VERSION_NUMBER.",
        )
    return {tag: found[tag] for tag in tags}
