"""GenAI's core, once, and its Python module, once per Python: CMake command lines as a person would type them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath

from recipes.building import zig
from recipes.building.context import CONFIG, Context, python_tag
from recipes.building.tools import cache_defines, cache_prefix_maps, cache_settings, generator
from recipes.sources.dependencies import disconnected
from wheelhouse.process import Command

BUILD_SECONDS = 2 * 3600.0


def core_commands(build: Context, prefix: PurePath) -> tuple[Command, ...]:
    """Return the commands that configure and build the core and install it into `prefix`."""
    defines = {
        "CMAKE_POSITION_INDEPENDENT_CODE": "ON",
        "ORT_HOME": str(build.ort_home),
        **_rpath_defines(build),
        **_interpreter_defines(next(iter(build.tools.pythons.values()), build.tools.python)),
        **build.genai.cmake_defines,
    }
    handed_over = disconnected(build.genai_project)
    return (
        _configure(build, build.genai_source, build.core_build, defines, handed_over),
        _compile(build, build.core_build, build.genai.build_targets),
        _install(build, build.core_build, prefix),
    )


def prefix_commands(build: Context, prefix: PurePath) -> tuple[Command, ...]:
    """Return the commands that install the header-only dependencies that the Python module finds as packages."""
    made: list[Command] = []
    for dependency in build.genai_project.needed:
        if dependency.install:
            folder = build.layout.work / f"{dependency.name}-build"
            source = build.genai_project.folder_of(dependency)
            made += [
                _configure(build, source, folder, dependency.cmake_defines),
                _install(build, folder, prefix),
            ]
    return tuple(made)


def module_commands(build: Context, python: str, folder: PurePath) -> tuple[Command, ...]:
    """Return the commands that compile the module for one Python and lay out its package in `folder`/payload."""
    defines = {
        "GENAI_SOURCE": str(build.genai_source),
        "GENAI_PACKAGE": build.genai.import_name,
        "onnxruntime-genai_DIR": str(build.core / "lib" / "cmake" / "onnxruntime-genai"),
        "ORT_HOME": str(build.ort_home),
        "CMAKE_PREFIX_PATH": str(build.prefix),
        **python_defines(build, python),
    }
    return (
        _configure(build, build.layout.overlay, folder / "build", defines),
        _compile(build, folder / "build"),
        _install(build, folder / "build", folder / "payload"),
    )


def _rpath_defines(build: Context) -> dict[str, str]:
    """Link with the final RUNPATH at once: the linker's build id would otherwise depend on where ORT_HOME lies."""
    if build.target.os == "windows":
        return {}
    return {"CMAKE_BUILD_WITH_INSTALL_RPATH": "ON", "CMAKE_INSTALL_RPATH": "$ORIGIN"}


def _interpreter_defines(python: str) -> dict[str, str]:
    """Name the interpreter in both spellings: otherwise one of CMake's find modules may choose another."""
    return {"Python_EXECUTABLE": python, "PYTHON_EXECUTABLE": python}


def python_defines(build: Context, python: str) -> dict[str, str]:
    """Return the defines of a Python: the interpreter that runs, and across processors what is compiled against."""
    defines = _interpreter_defines(build.tools.pythons[python])
    files = build.target_python(python)
    if files is None:
        return defines
    folder = build.target_python_folder(python)
    suffix = f".{python_tag(python)}-{build.target.wheel_platform}.pyd"
    return defines | {
        "Python_INCLUDE_DIR": str(folder / files.include_root),
        "Python_LIBRARY": str(folder / files.library),
        "PYTHON_MODULE_EXTENSION": suffix,  # the interpreter that runs would give its own processor's
    }


def tool_defines(build: Context) -> dict[str, str]:
    """Return the defines that say which tools CMake uses, where it would not find them by itself."""
    if build.zig:
        return {"CMAKE_TOOLCHAIN_FILE": str(zig.toolchain_file(build)), **cache_defines(build.tools)}
    return {} if build.visual_studio else cache_defines(build.tools)


def _configure(
    build: Context, source: PurePath, folder: PurePath, defines: Mapping[str, str], handed_over: tuple[str, ...] = ()
) -> Command:
    chosen = {"CMAKE_BUILD_TYPE": CONFIG, **defines, **tool_defines(build)}
    options = (f"-D{name}={value}" for name, value in chosen.items())
    argv = (build.tools.cmake, "-S", str(source), "-B", str(folder), *generator(build.target, build.host))
    return Command(argv=(*argv, *options, *handed_over), env=_reproducible(build, folder), timeout=BUILD_SECONDS)


def _compile(build: Context, folder: PurePath, targets: tuple[str, ...] = ()) -> Command:
    chosen = ("--target", *targets) if targets else ()
    parallel = ("--parallel", str(build.options.jobs)) if build.options.jobs else ("--parallel",)
    argv = (build.tools.cmake, "--build", str(folder), "--config", CONFIG, *parallel, *chosen)
    stamps = _reproducible(build, folder) if build.host.os == "windows" else {}
    env = cache_settings(build.tools, build.layout) | stamps
    return Command(argv=argv, env=env, timeout=BUILD_SECONDS)


def _install(build: Context, folder: PurePath, prefix: PurePath) -> Command:
    strip = ("--strip",) if build.target.os == "linux" else ()
    argv = (build.tools.cmake, "--install", str(folder), "--config", CONFIG, "--prefix", str(prefix), *strip)
    return Command(argv=argv, timeout=600)


def _reproducible(build: Context, folder: PurePath) -> dict[str, str]:
    """Return variables that keep the place and time of the build in `folder` out of the binaries.

    CMake reads the flags when it configures; MSVC's cl and link read theirs whenever they run.
    """
    if build.host.os == "windows":
        return {"CL": "/Brepro", "LINK": "/Brepro"}
    maps = (f"-ffile-prefix-map={build.layout.third_party}=/src", f"-ffile-prefix-map={build.layout.work}=/build")
    flags = " ".join((*maps, *cache_prefix_maps(build.tools, build.layout, folder)))
    return {"CFLAGS": flags, "CXXFLAGS": flags}
