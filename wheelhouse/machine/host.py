"""What this machine has, as data: gathered here, judged by `front.doctor`, printed by `invoke doctor --json`.

Nothing heavy is imported and nothing is changed. What cannot be found out is None or absent, never guessed.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from wheelhouse.files import sha256_bytes
from wheelhouse.machine import host_linux, host_windows, interpreters
from wheelhouse.machine.facts import Cpu, Facts, Interpreter, Memory, Package, Tool
from wheelhouse.paths import ROOT, cache_dir, log_dir

TOOLS: Mapping[str, tuple[str, ...]] = {
    "c++": ("--version",),
    "clang++": ("--version",),
    "cmake": ("--version",),
    "debootstrap": ("--version",),
    "git": ("--version",),
    "ninja": ("--version",),
    "sccache": ("--version",),
    "wine": ("--version",),
}
"""Programs to look for, and what makes each print its version."""
PYTHONS = tuple(f"3.{minor}" for minor in range(9, 16))
INTERESTING_CPU = frozenset(
    {"amx_bf16", "amx_int8", "amx_tile", "asimd", "asimddp", "avx", "avx2", "avx512_bf16", "avx512_vnni", "avx512f",
     "avx_vnni", "bf16", "f16c", "i8mm"}
)  # fmt: skip
ONNXRUNTIMES = re.compile(r"(onnxruntime|ort-nightly)(-[a-z-]+)?")
TOOL_SECONDS = 10.0


def gather() -> Facts:
    """Ask this machine. Starts the version command of each tool, at most ten seconds each, all at once."""
    places = {"checkout": ROOT, "cache": cache_dir()}
    with ThreadPoolExecutor(max_workers=8) as pool:
        tools = [pool.submit(find_tool, name, arguments) for name, arguments in TOOLS.items()]
        pythons = [pool.submit(_find_python, version) for version in PYTHONS]
        windows = pool.submit(host_windows.gather) if sys.platform == "win32" else None
        found_tools = {t.name: t for future in tools if (t := future.result()) is not None}
        found_pythons = tuple(p for future in pythons if (p := future.result()) is not None)
    return Facts(
        system=sys.platform,
        name=system_name(),
        machine=platform.machine(),
        cpu=cpu(),
        memory=memory(),
        disk={name: free_space(place) for name, place in places.items()},
        places={name: str(place) for name, place in places.items()},
        root=hasattr(os, "geteuid") and os.geteuid() == 0,
        tools=found_tools,
        this_python=_this_python(),
        pythons=found_pythons,
        onnxruntimes=onnxruntimes(installed_packages()),
        devices=host_linux.devices() if sys.platform == "linux" else (),
        libraries=host_linux.libraries() if sys.platform == "linux" else {},
        windows=windows.result() if windows else None,
    )


def system_name() -> str:
    """Return the operating system as people call it: "Debian GNU/Linux 13 (trixie)", "Windows 11 10.0.26100"."""
    try:
        if platform.system() == "Linux":  # not on Windows in Wine, where the file is there as well
            return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        pass
    return f"{platform.system()} {platform.release()} {platform.version()}"


def cpu() -> Cpu:
    """Return the processor: model, how many of it this process may use, and the instruction sets that matter here."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    model, flags = host_linux.cpu() if sys.platform == "linux" else host_windows.cpu()
    known = None if flags is None else tuple(sorted(INTERESTING_CPU & flags))
    return Cpu(model=model or platform.processor() or "unknown", usable=usable, features=known)


def memory() -> Memory:
    """Return the memory in bytes. A container's limit counts where it is smaller than the machine."""
    import psutil

    seen = psutil.virtual_memory()
    limit = host_linux.memory_limit() if sys.platform == "linux" else None
    total = min(seen.total, limit) if limit else seen.total
    return Memory(total=total, available=min(seen.available, total))


def free_swap() -> int:
    """Return the bytes of swap (on Windows: of the paging files) that are not in use; 0 where that is not known."""
    import psutil

    try:
        return int(psutil.swap_memory().free)
    except (OSError, RuntimeError):
        return 0


def free_space(folder: Path) -> int:
    """Return the bytes free where `folder`, which need not exist yet, would lie."""
    existing = next(p for p in (folder, *folder.parents) if p.exists())
    return shutil.disk_usage(existing).free


def find_tool(name: str, arguments: tuple[str, ...] = ("--version",)) -> Tool | None:
    """Return the program and its version ("" when it does not tell), or None when it is not on PATH.

    Next to the running Python counts too: CMake and Ninja from PyPI lie there without the environment being entered.
    """
    path = shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
    return None if path is None else Tool(name=name, path=path, version=parse_version(_ask(path, arguments)))


def parse_version(text: str) -> str:
    """Return the first thing in a program's output that looks like a version, or ""."""
    found = re.search(r"(?<![\w.])v?(\d+(?:\.\d+)+)", text) or re.search(r"\bwine-(\d+(?:\.\d+)*)", text)
    return found[1] if found else ""


def _ask(path: str, arguments: tuple[str, ...]) -> str:
    from wheelhouse.errors import WheelhouseError
    from wheelhouse.process import Command, run

    lines: list[str] = []
    log = log_dir() / "doctor" / f"{Path(path).name}-{sha256_bytes(path.encode())[:8]}.log"
    command = Command(argv=(path, *arguments), timeout=TOOL_SECONDS)
    try:
        run(command, log=log, check=False, echo=False, on_line=lines.append)
    except WheelhouseError:
        return ""
    return "\n".join(lines)


def _find_python(version: str) -> Interpreter | None:
    found = interpreters.located(version)
    if found is None:
        return None
    told = parse_version(_ask(found[0], (*found[1:], "--version")))
    return Interpreter(path=" ".join(found), version=told or version)


def _this_python() -> Interpreter:
    import importlib.util
    import sysconfig

    header = Path(sysconfig.get_path("include")) / "Python.h"
    return Interpreter(
        path=sys.executable,
        version=platform.python_version(),
        pip=importlib.util.find_spec("pip") is not None,
        venv=importlib.util.find_spec("venv") is not None and importlib.util.find_spec("ensurepip") is not None,
        headers=header.is_file(),
    )


def installed_packages() -> list[Package]:
    """Return the distributions that are installed in the running environment."""
    from importlib.metadata import distributions

    return [Package(name=d.name.lower().replace("_", "-"), version=d.version) for d in distributions() if d.name]


def onnxruntimes(packages: Iterable[Package]) -> tuple[Package, ...]:
    """Return those that are a flavour of ONNX Runtime or of GenAI, in name order, each once."""
    return tuple(sorted({p for p in packages if ONNXRUNTIMES.fullmatch(p.name)}, key=lambda p: p.name))


def to_json(value: msgspec.Struct) -> str:
    """Return a structure as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(value), indent=1).decode()
