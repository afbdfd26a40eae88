"""Stand-ins for Visual Studio in Windows Python in Wine, each where the real thing lies: made on Linux, run there.

The compiler behind them is the host's Zig (smoke/wine/whole/stand_in.c); CMake, Ninja and cmd.exe are the real ones.
"""

from __future__ import annotations

import json
from pathlib import Path, PureWindowsPath

from recipes.building import windows, zig
from recipes.spec.target import Arch, Target
from smoke.wine import places
from smoke.wine.namespace import Spec
from smoke.wine.parts import direct3d

NAMES = (
    "vswhere.exe and the records of Visual Studio's installer",
    "VsDevCmd.bat and a Windows SDK of one header",
    "cl, link, lib and rc: the host's Zig",
    "CMake's Visual Studio generator and MSBuild: CMake's Ninja Multi-Config",
    "git: the host's",
)
"""What stands for what."""
HERE = Path(__file__).resolve().parent / "stand_ins"
SDK = "10.0.26100.0"
_NINJA = r"Common7\IDE\CommonExtensions\Microsoft\CMake\Ninja"
_ARCHES: dict[str, Arch] = {"amd64": "x64", "arm64": "arm64"}
_VSDEVCMD = rf"""@echo off
if not "%1"=="-arch" exit /b 9
echo [vsdevcmd.bat] a stand-in has set the environment for %2
set "VSCMD_ARG_TGT_ARCH=%2"
if "%2"=="amd64" set "VSCMD_ARG_TGT_ARCH=x64"
set "CMAKE_TOOLCHAIN_FILE=%~dp0%2.cmake"
set "WindowsSdkDir={windows.KITS.parent}\"
set "WindowsSDKVersion={SDK}\"
set "PATH={windows.ASSUMED_VS}\{_NINJA};%PATH%"
"""


def make(folder: Path, ninja: Path) -> dict[str, str]:
    """Make all below `folder`, beside a `ninja` that is there; return where each has to be seen, but cmake.exe.

    Those are paths on drive C:, as smoke/wine/namespace.py takes them.
    """
    tools = folder / "studio" / "Common7" / "Tools"
    _write(tools / "VsDevCmd.bat", _VSDEVCMD.replace("\n", "\r\n"))
    for name, arch in _ARCHES.items():
        _write(tools / f"{name}.cmake", toolchain(Target(os="windows", arch=arch)))
    _write(folder / "kits" / SDK / "um" / "dxcore_interface.h", "struct DXCoreHardwareIDParts;\n")
    state = {"installationVersion": "17.14.0-stand-in", "installationPath": str(windows.ASSUMED_VS)}
    _write(folder / "instances" / "stand-in" / "state.json", json.dumps(state))
    for name in ("vswhere", "cmake"):
        _compile(folder, name)
    return {
        inside(windows.ASSUMED_VS): str(folder / "studio"),
        inside(windows.ASSUMED_VS / _NINJA / "ninja.exe"): str(ninja),
        inside(windows.KITS): str(folder / "kits"),
        inside(windows.INSTANCES): str(folder / "instances"),
        inside(windows.VSWHERE): str(folder / "vswhere.exe"),
    }


def toolchain(target: Target) -> str:
    """Return what CMake is told by the prompt: which tools there are, what they compile for, where sources lie not.

    No system: to Visual Studio's generator, too, another processor is no cross-compilation.
    """
    lines = [f'set(CMAKE_{name} "C:/stand-ins/zig-{tool}.exe")' for tool, name in zig.TOOLS.items()]
    flags = rf"-target {zig.TRIPLES[target.name]} -O2 \"-ffile-prefix-map=${{CMAKE_SOURCE_DIR}}=/src\""
    lines += [f'set(CMAKE_{language}_FLAGS_INIT "{flags}")' for language in ("C", "CXX")]
    lines += [f'set(CMAKE_{kind}_LINKER_FLAGS_INIT "-s")' for kind in ("SHARED", "MODULE", "EXE")]
    return "\n".join(lines) + "\n"


def inside(path: PureWindowsPath) -> str:
    """Return where a file of drive C: lies in a session in Wine."""
    return f"/prefix/drive_c/{path.relative_to('C:/').as_posix()}"


def _write(file: Path, content: str | bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))


def _compile(folder: Path, name: str) -> None:
    """Compile with the compiler of Wine's root: Zig would first build its C library in one more variant."""
    words = (
        "-std=c11",
        "-O2",
        "-municode",
        "-DUNICODE",
        "-static",
        "-s",
        "-o",
        f"/out/{name}.exe",
        f"/source/{name}.c",
    )
    spec = Spec(
        root=places.ground().tree,
        argv=("x86_64-w64-mingw32-gcc-win32", *words),
        binds={"/source": str(HERE), "/out": str(folder)},
    )
    direct3d.inside(spec, folder / f"{name}.json", f"stand-in-{name}", f"compiling {name}")
