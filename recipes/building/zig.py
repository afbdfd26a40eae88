"""Zig's clang (PyPI's `ziglang`) as a cross-compiler: Windows targets on Linux, for sources that need no Visual Studio.

CMake takes one program per tool, and Zig is one for all: a small script per tool says which, and for what target.
"""

from __future__ import annotations

import importlib.util
import shlex
from collections.abc import Mapping
from pathlib import Path, PurePath

from recipes.building.context import Context
from recipes.spec.target import Target
from wheelhouse.errors import ToolchainError
from wheelhouse.files import write_atomic

TOOLS = {"cc": "C_COMPILER", "c++": "CXX_COMPILER", "ar": "AR", "ranlib": "RANLIB", "rc": "RC_COMPILER"}
TRIPLES: Mapping[str, str] = {"windows-x64": "x86_64-windows-gnu", "windows-arm64": "aarch64-windows-gnu"}
_PROCESSORS = {"x64": "AMD64", "arm64": "ARM64"}


def find() -> Path:
    """Return the program. Raise ToolchainError when PyPI's package is not installed."""
    spec = importlib.util.find_spec("ziglang")
    for folder in spec.submodule_search_locations or () if spec else ():
        program = Path(folder) / "zig"
        if program.is_file():
            return program
    raise ToolchainError("The recipe cross-compiles with Zig, which is not here.", remedy="`pip install ziglang`.")


def identity() -> str:
    """Return what tells one Zig from another. Raises as `find` does."""
    from importlib.metadata import version

    find()
    return f"ziglang {version('ziglang')}"


def folder(build: Context) -> PurePath:
    """Return where this build keeps its scripts and CMake's toolchain file."""
    return build.layout.work / "zig"


def toolchain_file(build: Context) -> PurePath:
    """Return CMake's toolchain file."""
    return folder(build) / "toolchain.cmake"


def write(build: Context) -> None:
    """Write the scripts and the toolchain file, where they are not there already."""
    place = Path(folder(build))
    for name, text in {**_scripts(find(), build.target), "toolchain.cmake": _toolchain(build.target)}.items():
        file = place / name
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            write_atomic(file, text)
            file.chmod(0o755)


def _scripts(zig: Path, target: Target) -> dict[str, str]:
    """Return the scripts by name. Zig compiles its C library for each optimisation: CMake's checks, which ask for none,
    get that of the build, which stands later on the command line."""
    options = f" -target {TRIPLES[target.name]} -O2"
    return {
        tool: f'#!/bin/sh\nexec {shlex.quote(str(zig))} {tool}{options if tool in {"cc", "c++"} else ""} "$@"\n'
        for tool in TOOLS
    }


def _toolchain(target: Target) -> str:
    """Return the toolchain file; no debug information: lld would write the place of a .pdb file into every library."""
    lines = ["set(CMAKE_SYSTEM_NAME Windows)", f"set(CMAKE_SYSTEM_PROCESSOR {_PROCESSORS[target.arch]})"]
    lines += [f'set(CMAKE_{name} "${{CMAKE_CURRENT_LIST_DIR}}/{tool}")' for tool, name in TOOLS.items()]
    lines += [f'set(CMAKE_{kind}_LINKER_FLAGS_INIT "-s")' for kind in ("SHARED", "MODULE", "EXE")]
    return "\n".join(lines) + "\n"
