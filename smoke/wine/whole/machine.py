"""A user's Windows in Wine: whole Pythons and a profile that stays on drive C:, and how a program is started there.

The prefix itself is as fresh in every run as in all others (see process_one.py); what a user has is bound into it.
"""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

from smoke.wine import namespace, places, setup
from smoke.wine.namespace import Spec
from smoke.wine.parts import rounding
from smoke.wine.parts.direct3d import wine_variables
from smoke.wine.whole import compiled, pythons
from wheelhouse.errors import UsageError
from wheelhouse.files import sha256_bytes, write_atomic
from wheelhouse.paths import SHORT, cache_dir

_DRIVE = "/prefix/drive_c"
_STAND_IN = Path(__file__).resolve().parent.parent / "inside" / "stand_in.py"
_CERTIFICATES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
"""Variables that name a file of certificates: it is on drive Z:."""
PASSED = (
    "DML_WHEELHOUSE_D3D12", "DML_WHEELHOUSE_TEST", "PYTEST_", "WINEDEBUG", "SOURCE_DATE_EPOCH", "NO_COLOR", "COLUMNS",
    "PIP_INDEX_URL", "PIP_DEFAULT_TIMEOUT", "PIP_TRUSTED_HOST", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
    "http_proxy", "https_proxy", "no_proxy",
)  # fmt: skip
"""Variables of the caller that reach programs there, by the beginnings of their names."""
_FILE_SYSTEM = r"System\\ControlSet001\\Control\\FileSystem"
"""The key that says how long paths may be."""
_SETTINGS = {
    # LLVM's OpenMP, which torch has, asks Windows for what Wine does not know, and aborts.
    "KMP_AFFINITY": "disabled",
    # Linux gives AMX to programs that ask for it; OpenVINO for Windows does not ask, and Wine not on its behalf.
    "ONEDNN_MAX_CPU_ISA": "AVX512_CORE_FP16",
    # Windows' own store of certificates, which pip asks otherwise, is empty in Wine.
    "PIP_USE_DEPRECATED": "legacy-certs",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Whose Windows, where in the profile the checkout lies, and which of the Pythons runs it."""

    user: str
    folder: str
    minor: str

    @property
    def home(self) -> Path:
        r"""What is C:\users\USER there."""
        return places.base() / "users" / self.user

    @property
    def checkout(self) -> Path:
        """The checkout as this system names it."""
        return self.home / self.folder

    @property
    def environment(self) -> str:
        """The name of the virtual environment in the checkout."""
        first = pythons.recipe().pythons[0].minor
        return ".venv" if self.minor == first else f".venv-{self.minor}"

    @property
    def python(self) -> str:
        """The project's Python there, as Windows names it."""
        place = PureWindowsPath(rf"C:\users\{self.user}", self.folder, self.environment, "Scripts", "python.exe")
        return str(place)


def choose(*, python: str, user: str, folder: str) -> Machine:
    """Return the machine meant. Raise UsageError for a Python that there is none of, or a name that is none."""
    recipe = pythons.recipe()
    known = [each.minor for each in recipe.pythons]
    if python and python not in known:
        raise UsageError(f"There is no whole Windows Python {python}.", remedy=f"There are {' and '.join(known)}.")
    if set(user).intersection('\\/:*?"<>|') or set(folder).intersection(':*?"<>|') or ".." in folder:
        raise UsageError(f"'{user}' and '{folder}' have to be names that Windows allows, below its profile.")
    where = folder.replace("\\", "/").strip("/")
    return Machine(user=user or recipe.user, folder=where or recipe.folder, minor=python or known[0])


def program_of(minor: str) -> str:
    r"""Return the Python that an installer has left on drive C:, as Windows names it."""
    return rf"C:\Python{minor.replace('.', '')}\python.exe"


def started(machine: Machine, *, start: str | None = None) -> tuple[str, ...]:
    """Return the command line that starts a program in the checkout there (or in the profile's folder `start`).

    Make the runtime and the Pythons if they are not there. Raise what making them may.
    """
    setup.make_runtime()
    for folder in ("AppData/Local/Temp", "AppData/Roaming", machine.folder if start is None else start):
        (machine.home / folder).mkdir(parents=True, exist_ok=True)
    spec = _spec(machine, start=machine.folder if start is None else start)
    folder = sha256_bytes(machine.folder.encode())[:8]
    first = "" if start is None else ".first"
    file = places.base() / "users" / f"{machine.user}.{folder}.{machine.environment}{first}.json"
    write_atomic(file, spec.text())
    return namespace.session(file)


def _spec(machine: Machine, *, start: str) -> Spec:
    own = {each.minor: pythons.ensure(each) for each in pythons.recipe().pythons}
    libraries = compiled.ensure()
    profile = f"{_DRIVE}/users/{machine.user}"
    downloads = cache_dir("downloads")
    downloads.mkdir(parents=True, exist_ok=True)
    binds = {f"{_DRIVE}/Python{minor.replace('.', '')}": str(folder) for minor, folder in own.items()}
    binds[profile] = str(machine.home)
    for cache in (SHORT, f"{machine.folder}/.cache"):  # where it lies depends on how deep the checkout is
        binds[f"{profile}/{cache}/downloads"] = str(downloads)  # they are checked by their hashes anyway
    stand_ins = f"{_DRIVE}/{compiled.STAND_INS}"
    binds |= {stand_ins: str(libraries / compiled.STAND_INS), f"{stand_ins}/stand-in": str(_starter(machine))}
    folders = [str(PureWindowsPath(program_of(minor)).parent) for minor in own] + [f"C:\\{compiled.STAND_INS}"]
    used = (places.runtime(), libraries, *(folder.parent for folder in own.values()))
    plant = {f"{places.SYSTEM32}/{name}": str(libraries / name) for name in (compiled.RUNTIME, compiled.FORWARDED)}
    return Spec(
        root=places.ground().tree,
        prefix=str(places.prefix() / places.FILES),
        display=True,
        argv=("wine",),
        env={**wine_variables(), **rounding.variables(), **_SETTINGS, **_certificates(), "USER": machine.user,
             "LOGNAME": machine.user, "WINEPATH": ";".join(folders),
             "WINEDLLOVERRIDES": f"{wine_variables()['WINEDLLOVERRIDES']};{compiled.RUNTIME.removesuffix('.dll')}=n,b"},
        pass_env=PASSED,
        binds={**rounding.binds(), **binds},
        plant={**plant, **{name: str(file) for name, file in _registry(machine).items()}},
        uses=tuple(str(places.use_lock(part)) for part in used),
        start=f"{profile}/{start}",
    )  # fmt: skip


def _starter(machine: Machine) -> Path:
    """Return the script that a stand-in starts: on the host, beside which the root's libraries mean nothing."""
    words = (sys.executable, "-I", str(_STAND_IN), str(machine.home), machine.user)
    compiled_before = os.environ.get("ZIG_GLOBAL_CACHE_DIR") or str(Path.home() / ".cache" / "zig")
    script = places.base() / "users" / f"{machine.user}.stand-in"
    variables = f"LD_PRELOAD= ZIG_GLOBAL_CACHE_DIR={shlex.quote(compiled_before)}"
    write_atomic(script, f'#!/bin/sh\n{variables} exec chroot /host {shlex.join(words)} "$@"\n')
    script.chmod(0o755)
    return script


def registry_of(text: str, user: str) -> str:
    """Return the user's part of the registry with the profile of `user` in place of the one who made the prefix."""
    name = "".join(c if c.isascii() else f"\\x{ord(c):04x}" for c in user)
    return text.replace(r"\\users\\root", rf"\\users\\{name}")


def with_long_paths(text: str) -> str:
    """Return the machine's part of the registry with paths of any length, as on a machine of somebody who develops."""
    return f'{text}\n[{_FILE_SYSTEM}] 0\n"LongPathsEnabled"=dword:00000001\n'


def _registry(machine: Machine) -> dict[str, Path]:
    """Return the files of this user's registry, by the names that they have in a prefix."""
    made: dict[str, Path] = {}
    for name, change in (("user.reg", lambda text: registry_of(text, machine.user)), ("system.reg", with_long_paths)):
        made[name] = places.base() / "users" / f"{machine.user}.{name}"
        text = (places.prefix() / places.FILES / name).read_text(encoding="utf-8")
        write_atomic(made[name], change(text))
    return made


def _certificates() -> dict[str, str]:
    """Return the caller's variables that name files of certificates, as programs there name those."""
    return {name: places.windows(Path(os.environ[name])) for name in _CERTIFICATES if os.environ.get(name)}
