"""CMake, Ninja, the compiler, a compile cache, Pythons: what a build uses, found without starting a process."""

from __future__ import annotations

import importlib.util
import json
import ntpath
import os
import posixpath
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath, PurePosixPath

from recipes.building import windows
from recipes.spec.target import Layout, Target
from wheelhouse.errors import ToolchainError
from wheelhouse.files import by_name, write_atomic
from wheelhouse.paths import cache_dir

VISUAL_STUDIO = "Visual Studio 17 2022"


@dataclass(frozen=True, kw_only=True)
class Tools:
    """What commands are written with: names or paths, one Python per version, and what identifies the compiler."""

    cmake: str
    ninja: str
    python: str
    """The Python of this program, with scikit-build-core."""
    pythons: Mapping[str, str]
    launcher: str = ""
    """A compile cache such as sccache, or nothing."""
    identity: str = ""


def assumed_tools(target: Target, pythons: Sequence[str]) -> Tools:
    """Return the tools by their usual names, for a transcript that is read on another system."""
    if target.os == "windows":
        found = {v: rf"C:\Python{v.replace('.', '')}\python.exe" for v in pythons}
        return Tools(cmake="cmake", ninja="ninja", python="python", pythons=found, launcher="sccache")
    return Tools(cmake="cmake", ninja="ninja", python="python3", pythons={v: f"/usr/bin/python{v}" for v in pythons})


def find_tools(target: Target, pythons: Sequence[str], *, minimum_cmake: str, compiler: str = "") -> Tools:
    """Return this machine's tools; `compiler` identifies one that is known.

    Raise ToolchainError naming the first that is missing or too old.
    """
    compiler = compiler or _compiler(target)
    cmake, ninja = _tool("cmake"), _tool("ninja")
    _require_cmake(cmake, minimum_cmake)
    launcher = shutil.which("sccache") or shutil.which("ccache") or ""
    return Tools(
        cmake=cmake,
        ninja=ninja,
        python=sys.executable,
        pythons={version: find_python(version) for version in pythons},
        launcher=launcher,
        identity=" | ".join([compiler, _told_apart("cmake", cmake), _told_apart("ninja", ninja)]),
    )


def tools_for_plan(target: Target, pythons: Sequence[str], compiler: str = "") -> Tools:
    """Return this machine's tools where they are known without asking, the usual names elsewhere; starts no process."""
    usual = assumed_tools(target, pythons)
    try:
        found = find_tools(target, (), minimum_cmake="0", compiler=compiler)
    except ToolchainError:
        return usual
    remembered = {version: entry.partition("\n")[0] for version, entry in _read_notebook(_notebook()).items()}
    running = {_running_version(): _base_python()}
    return replace(found, pythons={v: ({**usual.pythons, **remembered} | running)[v] for v in pythons})


def stamp(path: Path) -> str:
    """Return what identifies a program without starting it: the file it resolves to, its size, its time."""
    real = path.resolve()
    facts = real.stat()
    return f"{real} {facts.st_size} {facts.st_mtime_ns}"


def _compiler(target: Target) -> str:
    if target.os == "windows":
        installed = windows.identity(Path(windows.INSTANCES))
        if installed == "none" and shutil.which("cl") is None:
            raise windows.no_visual_studio(target.arch)
        return installed
    name = os.environ.get("CXX", "").split(" ")[0] or "c++"
    found = shutil.which(name)
    if found is None:
        raise ToolchainError(
            f"There is no C++ compiler: '{name}' was not found.",
            remedy="Install one (Debian, Ubuntu: `apt install g++`), or set CXX.",
        )
    return stamp(Path(found))


def _tool(name: str) -> str:
    """Find a program of a PyPI package in the running environment first, then on PATH."""
    suffix = ".exe" if os.name == "nt" else ""
    beside = Path(sys.executable).parent / f"{name}{suffix}"  # not resolved: a venv's own folder is meant
    if importlib.util.find_spec(name) is not None and beside.is_file():
        return str(beside)
    found = shutil.which(name)
    if found is None:
        raise ToolchainError(f"'{name}' was not found.", remedy=f"`pip install {name}` brings it.")
    return found


def _told_apart(name: str, program: str) -> str:
    """Return what identifies a tool; PyPI's by its version, because CI installs it anew before it restores a build."""
    from importlib.metadata import PackageNotFoundError, version

    if Path(program).parent == Path(sys.executable).parent:
        try:
            return f"{name} {version(name)}"
        except PackageNotFoundError:
            pass
    return stamp(Path(program))


def _require_cmake(cmake: str, minimum: str) -> None:
    """Check the version where that needs no process: of PyPI's package, or in the name of CMake's module folder."""
    from importlib.metadata import PackageNotFoundError, version

    from packaging.version import Version

    if Path(cmake).parent == Path(sys.executable).parent:
        try:
            found = version("cmake")
        except PackageNotFoundError:
            return
    else:
        shares = sorted((Path(cmake).resolve().parent.parent / "share").glob("cmake-[0-9]*"), key=by_name)
        if not shares:
            return  # not told: CMake itself checks cmake_minimum_required
        found = shares[-1].name.removeprefix("cmake-")
    if Version(found) < Version(minimum):
        raise ToolchainError(
            f"CMake {found} ({cmake}) is too old: the sources need {minimum}.",
            remedy=f"`pip install 'cmake>={minimum}'` into this environment.",
        )


def find_python(version: str) -> str:
    """Return the path of a Python of that version; what was found is remembered, so that a second run asks no process.

    Raise ToolchainError when this machine has none.
    """
    if version == _running_version():
        return _base_python()
    notebook = _notebook()
    known = _read_notebook(notebook)
    path, _, seen = known.get(version, "").partition("\n")
    if path and Path(path).is_file() and stamp(Path(path)) == seen:
        return path
    found = _ask_for_python(version)
    write_atomic(notebook, json.dumps(known | {version: f"{found}\n{stamp(Path(found))}"}, indent=1))
    return found


def _notebook() -> Path:
    return cache_dir("pythons.json")


def _running_version() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _base_python() -> str:
    """Return the interpreter behind a virtual environment: its headers are what an extension is compiled against."""
    return getattr(sys, "_base_executable", "") or sys.executable


def _ask_for_python(version: str) -> str:
    from wheelhouse.machine.interpreters import find
    from wheelhouse.paths import log_dir
    from wheelhouse.process import Command, run

    lines: list[str] = []
    # in no code page: a user's name is in the path
    probe = "import sys; sys.stdout.buffer.write((sys._base_executable or sys.executable).encode('utf-8'))"
    run(Command(argv=(*find(version), "-c", probe), timeout=60), log=log_dir() / "python.log", on_line=lines.append)
    return lines[-1].strip()


def _read_notebook(path: Path) -> dict[str, str]:
    try:
        return {str(k): str(v) for k, v in json.loads(path.read_text(encoding="utf-8")).items()}
    except (OSError, ValueError, AttributeError):
        return {}


def cache_defines(tools: Tools) -> dict[str, str]:
    """Return the CMake defines for a Ninja that is not on PATH and for a compile cache, where there is one."""
    ninja = {} if tools.ninja == "ninja" else {"CMAKE_MAKE_PROGRAM": tools.ninja}
    if not tools.launcher:
        return ninja
    return ninja | {"CMAKE_C_COMPILER_LAUNCHER": tools.launcher, "CMAKE_CXX_COMPILER_LAUNCHER": tools.launcher}


def cache_settings(tools: Tools, layout: Layout) -> dict[str, str]:
    """Return the variables with which ccache finds objects of checkouts in other folders; none for other caches.

    Paths below the folder that holds both sources and builds count as relative, and the folder itself does not count.
    """
    root = _shared_root(tools, layout)
    return {} if root is None else {"CCACHE_BASEDIR": str(root), "CCACHE_NOHASHDIR": "1"}


def cache_prefix_maps(tools: Tools, layout: Layout, folder: PurePath) -> tuple[str, ...]:
    """Return what keeps the relative paths out of binaries that ccache shows a compiler, which runs in `folder`.

    The last that fits wins, so the sources come after the builds, of whose path theirs begins with a part.
    """
    if _shared_root(tools, layout) is None:
        return ()
    places = ((layout.work, "/build"), (layout.third_party, "/src"))
    rules = posixpath if isinstance(folder, PurePosixPath) else ntpath  # the builder's, not those of who plans here
    return tuple(f"-ffile-prefix-map={rules.relpath(place, folder)}={name}" for place, name in places)


def _shared_root(tools: Tools, layout: Layout) -> PurePath | None:
    """Return the folder that sources and builds have in common, where ccache compiles; the root of all is none."""
    if PurePath(tools.launcher).stem != "ccache":
        return None
    root = next((parent for parent in layout.work.parents if layout.third_party.is_relative_to(parent)), None)
    return root if root is not None and root != root.parent else None


def generator(target: Target, host: Target) -> tuple[str, ...]:
    """Return CMake's generator options.

    Across processors on Windows it is Visual Studio's: ONNX Runtime's build.py refuses Ninja with --arm64.
    """
    if host.os == "windows" and target.arch != host.arch:
        return ("-G", VISUAL_STUDIO, "-A", "ARM64" if target.arch == "arm64" else "x64")
    return ("-G", "Ninja")
