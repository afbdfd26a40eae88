"""What a whole Windows Python in Wine lacks: venv's python.exe, complex numbers in the C runtime, git and a compiler.

Git for Windows and Visual Studio are in no registry of packages: programs that stand for them have the host's git and
Zig do the work. (Zig's own zig.exe does not run in Wine 10: NtLockFile is "not implemented" as Zig calls it.)
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from smoke.wine import places, setup
from smoke.wine.namespace import Spec
from smoke.wine.parts import direct3d
from wheelhouse.errors import InputError
from wheelhouse.files import sha256_file, write_atomic
from wheelhouse.steps import Step

SOURCE = Path(__file__).resolve().parent
RUNTIME = "ucrtbase.dll"
FORWARDED = "ucrtbase_wine.dll"
"""The name under which Wine's own C runtime stands beside ours."""
LAUNCHER = "launcher.exe"
STAND_IN = "stand-in.exe"
STAND_INS = "stand-ins"
"""The folder of programs that stand for the host's; it is on PATH there."""
STOOD_FOR = ("git", "zig-cc", "zig-c++", "zig-ar", "zig-ranlib", "zig-rc")
_COMPILER = ("x86_64-w64-mingw32-gcc-win32", "-std=c11", "-O2", "-Wall", "-Wextra", "-s", "-Wl,--no-insert-timestamp")
_COMMANDS = {
    RUNTIME: (
        "-shared", "-nostartfiles", "-static-libgcc", "-Wl,-e,0", "-o", f"/out/{RUNTIME}",
        "/source/complex.c", "/out/ucrtbase.def",
    ),
    LAUNCHER: ("-municode", "-DUNICODE", "-static", "-o", f"/out/{LAUNCHER}", "/source/launcher.c"),
    STAND_IN: ("-municode", "-DUNICODE", "-static", "-o", f"/out/{STAND_IN}", "/source/stand_in.c"),
}  # fmt: skip


def step() -> Step:
    """Return the step that compiles all."""
    sources = {name: sha256_file(SOURCE / name) for name in ("complex.c", "launcher.c", "stand_in.c")}
    commands = {f"command of {name}": " ".join((*_COMPILER, *command)) for name, command in _COMMANDS.items()}
    inputs = {**sources, **commands, "stand-ins": " ".join(STOOD_FOR), "compiler": direct3d.root_key()}
    return Step(name="Windows Python's missing parts", output=places.base() / "whole-compiled", inputs=inputs)


def ensure() -> Path:
    """Compile all unless they are there; return their folder. Raise StepFailedError with the compiler's words."""
    wanted = step()

    def make(folder: Path) -> None:
        builtin = (places.ground().libraries / RUNTIME).read_bytes()
        own = frozenset(_own_functions((SOURCE / "complex.c").read_text(encoding="utf-8")))
        write_atomic(folder / "ucrtbase.def", definition(_exports(builtin), own))
        write_atomic(folder / FORWARDED, direct3d.as_native(builtin))
        (folder / STAND_INS).mkdir()
        for name, command in _COMMANDS.items():
            _compile(folder, name, command)
        for name in STOOD_FOR:
            shutil.copyfile(folder / STAND_IN, folder / STAND_INS / f"{name}.exe")

    setup.ensure_unused(wanted, make)
    return wanted.output


def definition(exports: list[str], own: frozenset[str]) -> str:
    """Return the module definition of our C runtime: each export is ours, or forwarded to Wine's. Raise InputError."""
    if missing := sorted(own.difference(exports)):
        raise InputError(f"Wine's {RUNTIME} does not export {', '.join(missing)}.")
    forwarded = FORWARDED.removesuffix(".dll")
    lines = [f" {name} = {f'own_{name}' if name in own else f'{forwarded}.{name}'}" for name in exports]
    return "\n".join([f"LIBRARY {RUNTIME}", "EXPORTS", *lines]) + "\n"


def _own_functions(source: str) -> set[str]:
    """Return the names that the source defines: `own_NAME(` written out, and OF_ONE(NAME) with its float twin."""
    pairs = re.findall(r"OF_ONE\((c\w+)\)", source)
    return {*re.findall(r"\bown_(c\w+)\(", source), *pairs, *(f"{name}f" for name in pairs)}


def _exports(dll: bytes) -> list[str]:
    import pefile

    with pefile.PE(data=dll) as pe:
        return sorted(symbol.name.decode("ascii") for symbol in pe.DIRECTORY_ENTRY_EXPORT.symbols if symbol.name)


def _compile(folder: Path, name: str, command: tuple[str, ...]) -> None:
    spec = Spec(
        root=places.ground().tree,
        argv=(*_COMPILER, *command),
        binds={"/source": str(SOURCE), "/out": str(folder)},
    )
    direct3d.inside(spec, folder / "build.json", f"whole-{name}", f"compiling {name}")
