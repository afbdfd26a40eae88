"""What the Windows targets of the miniature upstreams need besides: NuGet-like packages with DLLs and with Pythons.

The DLLs are made by hand. A Python's package is made of this machine's headers of that version, with the settings of
Windows, and an import library of everything that they declare.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from recipes.building import zig
from tests.recipes.audit.pe_builder import build_pe
from tests.recipes.upstream import archive
from wheelhouse.machine import interpreters

MACHINES = {"x64": "i386:x86-64", "arm64": "arm64"}
NUGET = "www.nuget.org/api/v2/package"
DECLARED = re.compile(r"PyAPI_(?:FUNC|DATA)\s*\([^)]*\)\s*\*?\s*(\w+)")
SETTINGS = """\
#ifndef Py_CONFIG_H
#define Py_CONFIG_H
#include <basetsd.h>
#include <io.h>
#define ALIGNOF_LONG 4
#define ALIGNOF_SIZE_T 8
#define HAVE_DECLSPEC_DLL 1
#define HAVE_DYNAMIC_LOADING 1
#define HAVE_ERRNO_H 1
#define HAVE_STDARG_PROTOTYPES 1
#define HAVE_STDDEF_H 1
#define HAVE_SYS_STAT_H 1
#define HAVE_SYS_TYPES_H 1
#define HAVE_WCHAR_H 1
#define MS_WIN32 1
#define MS_WIN64 1
#define MS_WINDOWS 1
#define NT_THREADS 1
#define PLATLIBDIR "lib"
#define Py_ENABLE_SHARED 1
#define SIZEOF_DOUBLE 8
#define SIZEOF_FLOAT 4
#define SIZEOF_FPOS_T 8
#define SIZEOF_HKEY 8
#define SIZEOF_INT 4
#define SIZEOF_LONG 4
#define SIZEOF_LONG_LONG 8
#define SIZEOF_PID_T 4
#define SIZEOF_SHORT 2
#define SIZEOF_SIZE_T 8
#define SIZEOF_TIME_T 8
#define SIZEOF_UINTPTR_T 8
#define SIZEOF_VOID_P 8
#define SIZEOF_WCHAR_T 2
#define WITH_DOC_STRINGS 1
#define WITH_THREAD 1
#endif
"""


def recipe_text(pythons: tuple[str, ...]) -> str:
    """Return a recipe that adds to the miniature one what compiles it for Windows on Linux."""
    lines = ['extends = "mini"', 'description = "Miniature upstreams, for Windows too"']
    lines += ["[onnxruntime]", 'package = "onnxruntime-directml"']
    lines += ["[toolchain]", 'cross-compiler = "zig"']
    for arch in MACHINES:
        lines.append(f"[target-pythons.windows-{arch}]")
        for version in pythons:
            library = f"tools/libs/python{version.replace('.', '')}.lib"
            address = f'url = "https://{NUGET}/{_package(arch)}/{version}.9"'
            lines.append(f'"{version}" = {{ {address}, include-root = "tools/include", library = "{library}" }}')
    return "\n".join(lines) + "\n"


def fill(mirror: Path, work: Path, pythons: tuple[str, ...]) -> None:
    """Put all packages below `mirror`."""
    for arch in MACHINES:
        _dll(work / f"d3d/build/native/bin/{arch}/D3D12Core.dll", arch)
        _dll(work / f"dml/bin/{arch}-win/DirectML.dll", arch)
        for version in pythons:
            content = _python(python_folder(work, version, arch), version, arch)
            _nuget(content, mirror, f"{_package(arch)}/{version}.9")
    (work / "dml/include").mkdir()
    (work / "dml/include/DirectML.h").write_text('#define MINI_DIRECTML "1.15.4"\n', encoding="utf-8")
    _nuget(work / "d3d", mirror, "Microsoft.Direct3D.D3D12/1.614.1")
    _nuget(work / "dml", mirror, "Mini.DirectML/1.15.4")


def python_folder(work: Path, version: str, arch: str) -> Path:
    """Return the content of a Python's package, before it is one."""
    return work / f"python{version}-{arch}"


def _nuget(content: Path, mirror: Path, package: str) -> None:
    """A package has its description at the top, so that nothing takes its one folder for a wrapping."""
    (content / f"{package.partition('/')[0]}.nuspec").write_text("<package/>\n", encoding="utf-8")
    archive(content, mirror / NUGET / package)


def _package(arch: str) -> str:
    return "python" if arch == "x64" else f"python{arch}"


def _dll(place: Path, arch: str) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(build_pe(machine=arch))


def _python(place: Path, version: str, arch: str) -> Path:
    ask = (*interpreters.find(version), "-c", "import sysconfig; print(sysconfig.get_path('include'))")
    headers = subprocess.run(ask, check=True, capture_output=True, text=True, encoding="utf-8").stdout.strip()
    shutil.copytree(headers, place / "tools/include")
    (place / "tools/include/pyconfig.h").write_text(SETTINGS, encoding="utf-8")
    texts = (file.read_text(encoding="utf-8", errors="replace") for file in (place / "tools/include").rglob("*.h"))
    names = sorted({name for text in texts for name in DECLARED.findall(text)})
    stem = f"python{version.replace('.', '')}"
    definition = place / f"{stem}.def"
    definition.write_text("\n".join([f"LIBRARY {stem}.dll", "EXPORTS", *names, ""]), encoding="utf-8")
    # without the DLL beside it CMake takes the library for a static one, and adds what the host's Python links with
    _dll(place / f"tools/{stem}.dll", arch)
    (place / "tools/libs").mkdir()
    _zig("dlltool", "-m", MACHINES[arch], "-d", str(definition), "-l", str(place / f"tools/libs/{stem}.lib"))
    return place


def _zig(*arguments: str) -> None:
    subprocess.run([str(zig.find()), *arguments], check=True, capture_output=True)
