"""Facts that only Windows has: Visual Studio, SDKs, DirectX adapters, long paths, a stray onnxruntime.dll.

What decides is pure, over text and folders, so that it is tested on every system; `gather` runs on Windows alone.
"""

from __future__ import annotations

import json
import os
import platform
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from wheelhouse.machine import dxgi, windows_drivers
from wheelhouse.machine.facts import Adapter, Library, Sdk, VisualStudio, Windows
from wheelhouse.paths import long_paths

DIRECTML = "DirectML.dll"
VC_RUNTIME = ("msvcp140.dll", "vcruntime140.dll", "vcruntime140_1.dll")
"""What the pair's DLLs import, and a fresh Windows need not have."""

SDK_PROBE = ("um/dxcore_interface.h", "DXCoreHardwareIDParts")
_PROCESSOR_FEATURES = {"avx": 39, "avx2": 40, "avx512f": 41, "asimd": 19, "asimddp": 43}
"""Numbers of PF_* for IsProcessorFeaturePresent; Windows does not tell of the rest."""


def gather() -> Windows:
    """Ask this Windows machine."""
    adapters, problem = adapters_or_problem()
    system_root = Path(os.environ.get("SYSTEMROOT", r"C:\Windows"))
    programs = Path(os.environ.get("PROGRAMFILES(X86)", r"C:\Program Files (x86)"))
    return Windows(
        visual_studios=parse_vswhere(_vswhere(programs)),
        sdks=sdks(programs / "Windows Kits" / "10" / "Include"),
        adapters=adapters,
        adapters_problem=problem,
        long_paths=long_paths(),
        system_onnxruntime=dll_version(system_root / "System32" / "onnxruntime.dll"),
        build=int(platform.version().rpartition(".")[2] or 0),
        drivers=windows_drivers.installed(),
        directml=directml_libraries([Path(entry) for entry in sys.path], system_root / "System32"),
        vc_runtime={name: dll_version(system_root / "System32" / name) for name in VC_RUNTIME},
    )


def directml_libraries(packages: Sequence[Path], system: Path) -> tuple[Library, ...]:
    """Return every DirectML.dll that a Python with these folders could load, in the order in which it would.

    The one beside onnxruntime.dll comes first: ONNX Runtime's wheels load it from their own folder.
    """
    places = [folder / "onnxruntime" / "capi" / DIRECTML for folder in packages]
    found = [path for path in (*places, system / DIRECTML) if path.is_file()]
    return tuple(Library(path=str(path), version=dll_version(path)) for path in dict.fromkeys(found))


def adapters_or_problem(create_factory: dxgi.CreateFactory | None = None) -> tuple[tuple[Adapter, ...], str]:
    """Return DXGI's adapters, or none and why DXGI could not be asked."""
    try:
        return tuple(Adapter(**asdict(adapter)) for adapter in dxgi.list_adapters(create_factory)), ""
    except dxgi.DxgiError as error:
        return (), str(error)


def _vswhere(programs: Path) -> str:
    from wheelhouse.errors import WheelhouseError
    from wheelhouse.paths import log_dir
    from wheelhouse.process import Command, run

    lines: list[str] = []
    program = programs / "Microsoft Visual Studio" / "Installer" / "vswhere.exe"
    command = Command(argv=(str(program), "-all", "-products", "*", "-format", "json", "-utf8"), timeout=60)
    try:
        run(command, log=log_dir() / "doctor" / "vswhere.log", check=False, echo=False, on_line=lines.append)
    except WheelhouseError:  # there is no vswhere, so there is no Visual Studio 2017 or later
        return "[]"
    return "\n".join(lines)


def parse_vswhere(output: str) -> tuple[VisualStudio, ...]:
    """Return the installations that vswhere's JSON names, newest first, with the compilers that lie there."""
    try:
        found: list[dict[str, Any]] = json.loads(output)
        studios = [
            VisualStudio(
                name=str(entry.get("displayName") or entry.get("productId") or "Visual Studio"),
                version=str(entry.get("installationVersion", "")),
                path=str(entry["installationPath"]),
                compilers=compilers(Path(entry["installationPath"])),
            )
            for entry in found
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        return ()
    return tuple(sorted(studios, key=lambda s: numbers(s.version), reverse=True))


def compilers(installation: Path) -> tuple[str, ...]:
    """Return the architectures ("x64", "arm64") that some cl.exe of this Visual Studio builds for."""
    programs = installation.glob("VC/Tools/MSVC/*/bin/Host*/*/cl.exe")
    return tuple(sorted({program.parent.name.lower() for program in programs}))


def sdks(include: Path) -> tuple[Sdk, ...]:
    """Return the Windows 10 and 11 SDKs below "Windows Kits/10/Include" that have headers, newest first."""
    found = [folder for folder in include.glob("10.*") if (folder / "um").is_dir()]
    ordered = sorted(found, key=lambda folder: numbers(folder.name), reverse=True)
    return tuple(Sdk(version=folder.name, hardware_id_parts=_declares(folder, *SDK_PROBE)) for folder in ordered)


def _declares(folder: Path, header: str, symbol: str) -> bool:
    try:
        text = (folder / header).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return re.search(rf"\b{symbol}\b", text) is not None


def numbers(version: str) -> tuple[int, ...]:
    """Return a version's numbers, for sorting: "17.14.3" is (17, 14, 3)."""
    return tuple(int(n) for n in re.findall(r"\d+", version))


def dll_version(path: Path) -> str:
    """Return the version in a DLL's resources, "unknown" when it has none, "" when there is no such file."""
    if not path.is_file():
        return ""
    import pefile

    try:
        with pefile.PE(str(path), fast_load=True) as pe:
            pe.parse_data_directories([pefile.DIRECTORY_ENTRY["IMAGE_DIRECTORY_ENTRY_RESOURCE"]])
            info = getattr(pe, "VS_FIXEDFILEINFO", None)
    except (pefile.PEFormatError, OSError):
        return "unknown"
    if not info:
        return "unknown"
    high, low = info[0].FileVersionMS, info[0].FileVersionLS
    return f"{high >> 16}.{high & 0xFFFF}.{low >> 16}.{low & 0xFFFF}"


def cpu() -> tuple[str, frozenset[str] | None]:
    """Return the processor's name and those of its features that Windows tells of (elsewhere: nothing known)."""
    if sys.platform == "win32":
        import ctypes

        present = ctypes.windll.kernel32.IsProcessorFeaturePresent
        features = {name for name, number in _PROCESSOR_FEATURES.items() if present(number)}
        return os.environ.get("PROCESSOR_IDENTIFIER", ""), frozenset(features)
    return "", None
