"""What a build takes, said before it starts, and what it would fail for, found before anything is fetched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePath

from recipes.building import windows
from recipes.building.context import Context
from recipes.building.origins import built_folder
from recipes.sources.checkout import source_name
from recipes.spec.schema import Needs
from wheelhouse.errors import InputError, ToolchainError
from wheelhouse.files import human_size, require_space
from wheelhouse.paths import LONGEST_PATH, SWITCH, characters
from wheelhouse.steps import RECORD

CORE_ROOM = 2_000_000_000
"""Bytes that GenAI needs below the cache."""
NOT_IN_A_RULE = "&^;%"
"""Characters of folders with which nothing compiles on Windows: tried with CMake 4.4 and Ninja 1.13."""
BELOW_A_SOURCE = 150
"""Characters left for what lies below a source's folder, there and in its build folder."""


def jobs_for(needs: Needs, *, available: int, processors: int) -> int:
    """Return how many compilers the memory has room for; 0, which leaves it to the tools, where all processors fit."""
    fit = max(1, available // (needs.job_memory_mb * 1_000_000))
    return fit if fit < processors else 0


def lines(build: Context) -> Iterator[str]:
    """Yield what is fetched, what is compiled, and what that takes."""
    sources = [build.ort.source, build.genai.source] if build.builds_ort else [build.genai.source]
    count = sum(len(project.needed) for project in build.projects)
    archives = f", the archives of {build.ort.mirror}" if build.builds_ort and build.ort.mirror else ""
    named = ", ".join(f"{source_name(source)} {source.tag or source.pin}" for source in sources)
    yield f"fetched: {named}, {count} dependencies that their files name{archives}"
    pythons = ", ".join(build.tools.pythons)
    ort = f"ONNX Runtime {build.ort.version} and its wheel for Python {pythons}; " if build.builds_ort else ""
    yield f"compiled: {ort}GenAI {build.genai.version}'s core, then its module for Python {pythons}"
    basis = build.recipe.needs.basis or "by what other builds took"
    yield f"estimated, not measured ({basis}): {', '.join(_takes(build))}"


def _takes(build: Context) -> Iterator[str]:
    needs = build.recipe.needs
    if build.builds_ort and needs.hours:
        yield f"up to {needs.hours:g} hours without a compile cache"
    yield f"{human_size(_room(build))} below {build.layout.work}"
    each = human_size(needs.job_memory_mb * 1_000_000)
    jobs = f"so {build.options.jobs} at a time" if build.options.jobs else "as many as there are processors"
    yield f"{each} of memory per compiler, {jobs}"


def _room(build: Context) -> int:
    return int(build.recipe.needs.disk_gb * 1_000_000_000) if build.builds_ort else CORE_ROOM


def is_built(build: Context) -> bool:
    """Whether there is a core already: what a build takes then depends on what has changed."""
    return (Path(build.core) / RECORD).is_file()


def check(build: Context, *, kits: Path = Path(windows.KITS), long_paths: bool | None = None) -> None:
    """Raise for what a build would fail for later: no Python headers, too long a path, an old SDK, a small disk.

    `kits` is where Windows SDKs are; `long_paths` is what Windows allows, None where it does not say.
    """
    if not build.cross:
        for version, program in build.tools.pythons.items():
            _require_headers(Path(program), version, build.host.os == "windows")
    if build.host.os == "windows":
        _require_plain(build.genai_source, build.ort_build, PurePath(build.tools.cmake))
        if not long_paths:
            _require_short(build.genai_source, build.ort_build)
        windows.check_installed_sdks(kits, build.recipe.toolchain.sdk_probes)
    pythons = build.tools.pythons
    if build.builds_ort and not all((built_folder(build, python) / RECORD).is_file() for python in pythons):
        require_space(Path(build.layout.work), _room(build), "Building ONNX Runtime")
    elif not is_built(build):
        require_space(Path(build.layout.work), CORE_ROOM, "Building GenAI")


def _require_headers(program: Path, version: str, on_windows: bool) -> None:
    """The headers lie where the interpreter was installed to; Debian has them below /usr in a package of their own."""
    real = program.resolve()
    if on_windows:
        places = [real.parent / "include"]
        remedy = "Install that Python from python.org or with winget: the Store's and the embeddable one have none."
    else:
        places = [parent / "include" / f"python{version}" for parent in (program.parent.parent, real.parent.parent)]
        remedy = f"Debian, Ubuntu: `apt install python{version}-dev`; pyenv's and uv's Pythons have them."
    if real.exists() and not any((place / "Python.h").is_file() for place in places):
        raise ToolchainError(
            f"Python {version} ({program}) has no C headers: there is no {places[0] / 'Python.h'}.", remedy=remedy
        )


def _require_plain(*folders: PurePath) -> None:
    """CMake writes rules for cmd.exe with its own path and those of objects in them, and lists with semicolons."""
    for folder in folders:
        if wrong := sorted(set(str(folder)).intersection(NOT_IN_A_RULE)):
            raise InputError(
                f"{folder} has {' and '.join(wrong)} in it, which CMake, Ninja and cmd.exe take for something else.",
                remedy="Move the checkout to a folder such as C:\\w, and DML_WHEELHOUSE_CACHE, where it is set.",
            )


def _require_short(*folders: PurePath) -> None:
    for folder in folders:
        if characters(folder) + BELOW_A_SOURCE > LONGEST_PATH:
            raise InputError(
                f"{folder} is {characters(folder)} characters long, which leaves less than {BELOW_A_SOURCE} for what "
                f"lies below it: Windows takes {LONGEST_PATH} while long paths are off.",
                remedy=f"Move the checkout to a short folder such as C:\\w, or {SWITCH}.",
            )
