"""The compiled d3d12.dll, and the Wine prefix that it and Wine's own are put into."""

from __future__ import annotations

import filecmp
from collections.abc import Callable
from pathlib import Path

from smoke.wine import mounts, namespace, places
from smoke.wine.namespace import Spec
from smoke.wine.parts import host_wine
from smoke.wine.recipe import SHIM, WineRecipe
from wheelhouse import steps
from wheelhouse.console import task
from wheelhouse.errors import InputError
from wheelhouse.files import sha256_file, sha256_tree, write_atomic
from wheelhouse.process import Command, run
from wheelhouse.steps import Step

DLL = "d3d12.dll"
FORWARDED = "d3d12_wine.dll"
"""The name under which Wine's own d3d12.dll stands beside ours: what d3d12.def forwards to."""
OVERRIDES = "d3d12=n;winedbg.exe=d;mscoree=;mshtml="
"""Ours, not the built-in, as d3d12; no debugger, no .NET, no browser."""
NO_DEBUGGER = (
    r"HKLM\Software\Microsoft\Windows NT\CurrentVersion\AeDebug", "/v", "Debugger", "/d", r"C:\no-debugger.exe", "/f",
)  # fmt: skip
"""What `reg add` is given, so that a program that crashes ends at once. Disabling winedbg.exe is not enough: Wine waits
for a debugger that it could start but that never came up, and the program hangs until its time is over."""

_MARKER = slice(0x40, 0x60)
_MARKER_TEXT = b"Wine builtin DLL"
BUILD = "/var/build"  # in the memory layer of the session
_SECONDS = 300.0


def wine_variables() -> dict[str, str]:
    """Return the variables of every Wine process."""
    return {
        "WINEPREFIX": "/prefix",
        "WINEDLLOVERRIDES": OVERRIDES,
        "WINEDEBUG": "-all",
        # Only the software driver: others would look for hardware first.
        "VK_DRIVER_FILES": places.ground().vulkan,
    }


def as_native(dll: bytes) -> bytes:
    """Return a built-in DLL of Wine so that Wine loads it as if Windows' own: without the marker after its DOS header.

    Wine replaces a DLL that carries the marker by its own of the same name, and there is none named FORWARDED.
    """
    if not dll[_MARKER].startswith(_MARKER_TEXT):
        raise InputError("This is not a DLL built into Wine: it has no 'Wine builtin DLL' marker at byte 64.")
    return dll[: _MARKER.start] + bytes(_MARKER.stop - _MARKER.start) + dll[_MARKER.stop :]


def shim_step(recipe: WineRecipe) -> Step:
    """Return the step that compiles our d3d12.dll."""
    inputs = {
        "source": sha256_tree(SHIM),
        "tested Wine": ",".join(host_wine.tested(recipe)),
        "compiler": root_key(),
    }
    return Step(name="d3d12.dll", output=places.shim(), inputs=inputs)


def prefix_step(recipe: WineRecipe) -> Step:
    """Return the step that makes the Wine prefix with both d3d12.dll in it."""
    inputs = {"root": root_key(), "d3d12.dll": shim_step(recipe).key, "settings": f"{OVERRIDES} {NO_DEBUGGER}"}
    return Step(name="Wine prefix", output=places.prefix(), inputs=inputs)


def root_key() -> str:
    """Return what identifies the root's content: its packages with their versions."""
    return sha256_file(places.root() / places.PACKAGES)


def ensure_shim(recipe: WineRecipe) -> None:
    """Compile the d3d12.dll unless it is there."""

    def make(folder: Path) -> None:
        configure = ("cmake", "-S", "/source", "-B", BUILD, "-G", "Unix Makefiles")
        options = (
            "-DCMAKE_TOOLCHAIN_FILE=/source/mingw-w64.cmake",
            "-DCMAKE_BUILD_TYPE=None",
            f"-DTESTED_WINE={','.join(host_wine.tested(recipe))}",
        )
        script = f'"$@" && cmake --build {BUILD} --verbose && cmake --install {BUILD} --prefix /out'
        spec = Spec(
            root=places.ground().tree,
            argv=("sh", "-c", script, "sh", *configure, *options),
            binds={"/source": str(SHIM), "/out": str(folder)},
        )
        inside(spec, folder / "build.json", "shim", "compiling d3d12.dll")
        if not (folder / DLL).is_file():
            raise InputError(f"The build of {SHIM} installed no {DLL}.", log=places.log("shim"))

    steps.ensure(shim_step(recipe), make, quiet_when_fresh=True)


def ensure_prefix(recipe: WineRecipe, compiled: Callable[[], object] = lambda: None) -> None:
    """Make the prefix unless it is there: the registry and folders of a fresh Windows, and Direct3D as we want it.

    `compiled` is called before our d3d12.dll is needed, at the very end: it may be made meanwhile.
    """

    def make(folder: Path) -> None:
        files = folder / places.FILES
        files.mkdir()
        spec = Spec(
            root=places.ground().tree,
            prefix=str(files),
            writable=True,
            argv=("sh", "-c", 'wineboot --init && wine reg add "$@"', "sh", *NO_DEBUGGER),
            env=wine_variables(),
            cwd="/",
        )
        inside(spec, folder / "wineboot.json", "wineboot", "making a Wine prefix")
        drive = files / "dosdevices" / "z:"
        drive.unlink(missing_ok=True)
        drive.symlink_to("/host")
        _link_builtins(files)
        compiled()
        _place_direct3d(files)

    steps.ensure(prefix_step(recipe), make, quiet_when_fresh=True)


def _link_builtins(prefix: Path) -> None:
    """Replace Wine's copies of its own libraries by links to them: 700 MB that are in the root already."""
    ground = places.ground()
    for copy in (prefix / places.SYSTEM32).iterdir():
        original = ground.libraries / copy.name
        if copy.is_file() and original.is_file() and filecmp.cmp(copy, original, shallow=False):
            copy.unlink()
            copy.symlink_to(f"{ground.windows}/{copy.name}")


def _place_direct3d(prefix: Path) -> None:
    system = prefix / places.SYSTEM32
    builtin = places.ground().libraries / DLL
    (system / DLL).unlink(missing_ok=True)  # a link by now: writing through it would change the root
    write_atomic(system / DLL, (places.shim() / DLL).read_bytes())
    write_atomic(system / FORWARDED, as_native(builtin.read_bytes()))


def inside(spec: Spec, file: Path, name: str, title: str) -> None:
    """Run a program of the set-up in a session; its SPEC goes to `file`. Raise StepFailedError with its words."""
    mounts.remove(file)
    write_atomic(file, spec.text())
    with task(title) as shown:
        run(Command(argv=namespace.session(file), timeout=_SECONDS), log=places.log(name), on_line=shown.update)
