"""The Debian root: debootstrap, the packages, and whether they are the versions that were tested."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from smoke.wine import mounts, namespace, places
from smoke.wine.namespace import Spec
from smoke.wine.recipe import LOCK, WineRecipe
from wheelhouse import steps
from wheelhouse.console import task, warn
from wheelhouse.errors import InputError, NetworkError, StepFailedError, ToolchainError, UnsupportedError
from wheelhouse.files import remove_tree, write_atomic
from wheelhouse.process import Command, run
from wheelhouse.steps import Step

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
MIRROR_VARIABLE = "DML_WHEELHOUSE_DEBIAN_MIRROR"

_SECONDS = 1800.0
# Documentation and translations of 300 packages are not installed; copyright files are.
_DPKG = """\
force-unsafe-io
path-exclude=/usr/share/doc/*
path-include=/usr/share/doc/*/copyright
path-exclude=/usr/share/man/*
path-exclude=/usr/share/info/*
path-exclude=/usr/share/locale/*
"""
_DPKG_FILE = "etc/dpkg/dpkg.cfg.d/small"
_APT = 'APT::Install-Recommends "false";\nAcquire::Languages "none";\nAcquire::Retries "3";\nDPkg::Use-Pty "0";\n'
_NO_SERVICES = "#!/bin/sh\n# Nothing may be started inside this root.\nexit 101\n"
_UNREACHABLE = (
    "Could not resolve",
    "Temporary failure",
    "Failed getting release file",
    "Unable to connect",
    "Failed to fetch",
    "Couldn't download",
    "Connection timed out",
)


def step(recipe: WineRecipe) -> Step:
    """Return the step that makes the root."""
    inputs = {
        "suite": f"{recipe.suite} {recipe.architecture}",
        "packages": " ".join(recipe.packages),
        "settings": _DPKG + _APT,
    }
    return Step(name=f"Debian {recipe.suite} with Wine", output=places.root(), inputs=inputs)


def ensure(recipe: WineRecipe) -> None:
    """Make the root unless it is there. What a killed run has downloaded or bootstrapped is used again."""
    wanted = step(recipe)
    mounts.remove(steps.partial_of(wanted.output))

    def make(folder: Path) -> None:
        bootstrapped = _bootstrapped(recipe)
        with task("copying the bootstrapped system"):
            copy = ("cp", "--archive", "--reflink=auto", str(bootstrapped), str(folder / places.FILES))
            run(Command(argv=copy), log=places.log("copy"), echo=False)
        _configure(folder / places.FILES)
        _install(folder, recipe)

    steps.ensure(wanted, make, quiet_when_fresh=True)
    for leftover in (places.base() / "bootstrap", places.archives()):
        mounts.remove(leftover)


def _bootstrapped(recipe: WineRecipe) -> Path:
    """Return a minimal system, made by debootstrap as a step of its own: it is half of what can be interrupted."""
    wanted = Step(
        name=f"Debian {recipe.suite}",
        output=places.base() / "bootstrap",
        inputs={"suite": f"{recipe.suite} {recipe.architecture}", "settings": _DPKG},
    )
    mounts.remove(steps.partial_of(wanted.output))
    steps.ensure(wanted, lambda folder: _debootstrap(folder / places.FILES, recipe), quiet_when_fresh=True)
    return wanted.output / places.FILES


def _debootstrap(target: Path, recipe: WineRecipe) -> None:
    if shutil.which("debootstrap") is None or not KEYRING.exists():
        raise ToolchainError(
            "debootstrap and the keys of Debian's archive are needed to make the Wine runtime.",
            remedy="`apt-get install debootstrap debian-archive-keyring`, then run the same again.",
        )
    cache = places.archives()
    cache.mkdir(parents=True, exist_ok=True)
    options = ("--variant=minbase", f"--arch={recipe.architecture}", f"--keyring={KEYRING}", f"--cache-dir={cache}")
    mirror = os.environ.get(MIRROR_VARIABLE)
    write_atomic(target / _DPKG_FILE, _DPKG)  # also for the packages that debootstrap installs
    argv = (
        "debootstrap",
        *options,
        "--keep-debootstrap-dir",  # else it wants an empty folder to begin with
        "--include=ca-certificates",
        recipe.suite,
        str(target),
        *([mirror] if mirror else []),
    )
    _run(namespace.isolated(*argv), "debootstrap", f"debootstrap {recipe.suite}")
    remove_tree(target / "debootstrap")


def _configure(files: Path) -> None:
    write_atomic(files / "etc/apt/apt.conf.d/small", _APT)
    policy = files / "usr/sbin/policy-rc.d"
    write_atomic(policy, _NO_SERVICES)
    policy.chmod(0o755)
    # A copy: the host's file may be a link to a place that the root does not have.
    resolver = Path("/etc/resolv.conf")
    write_atomic(files / "etc/resolv.conf", resolver.read_bytes() if resolver.exists() else b"")


def _install(folder: Path, recipe: WineRecipe) -> None:
    cache = places.archives()
    (cache / "partial").mkdir(parents=True, exist_ok=True)
    files = folder / places.FILES

    def inside(*argv: str, name: str, title: str) -> None:
        spec = Spec(
            root=str(files),
            argv=argv,
            writable=True,
            env={"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"},
            pass_env=("http_proxy", "https_proxy", "no_proxy"),
            binds={"/var/cache/apt/archives": str(cache)},
        )
        write_atomic(folder / f"{name}.json", spec.text())
        _run(namespace.session(folder / f"{name}.json"), name, title)

    inside("apt-get", "update", name="apt-update", title="reading Debian's package lists")
    inside(
        "apt-get", "install", "--yes", *recipe.packages, name="apt-install", title="installing Wine, Mesa, mingw-w64"
    )
    inside(
        "sh", "-c", "dpkg-query -W -f '${Package} ${Version}\\n' > /packages.txt && rm -rf /var/lib/apt/lists/*",
        name="packages", title="recording versions",
    )  # fmt: skip
    (files / places.PACKAGES).rename(folder / places.PACKAGES)


def _run(argv: tuple[str, ...], name: str, title: str) -> None:
    log = places.log(name)
    try:
        with task(title) as shown:
            run(Command(argv=argv, timeout=_SECONDS, env={"LC_ALL": "C.UTF-8"}), log=log, on_line=shown.update)
    except StepFailedError as error:
        text = log.read_text(encoding="utf-8", errors="replace")
        if any(sign in text for sign in _UNREACHABLE):
            raise NetworkError(
                "Debian's archive cannot be reached.",
                remedy=f"Check the network and http_proxy, or name a mirror in {MIRROR_VARIABLE}; "
                "what has arrived is kept for the next run.",
                log=log,
            ) from error
        raise


@dataclass(frozen=True, kw_only=True)
class Drift:
    """One package whose version is not the recorded one; `recorded` or `here` is empty where it is absent."""

    package: str
    recorded: str
    here: str


def parse(text: str, source: str) -> dict[str, str]:
    """Return package to version from lines "package version". Raise InputError for any other line."""
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or line.startswith("#"):
            continue
        if len(words) != 2:
            raise InputError(f"{source}, line {number}: expected 'package version', found '{line}'.")
        found[words[0]] = words[1]
    return found


def drift() -> list[Drift]:
    """Return how the root's packages differ from those that the self-test was last recorded with."""
    here = parse((places.root() / places.PACKAGES).read_text(encoding="utf-8"), places.PACKAGES)
    recorded = parse(LOCK.read_text(encoding="utf-8"), LOCK.name) if LOCK.exists() else {}
    names = sorted(n for n in here.keys() | recorded.keys() if here.get(n) != recorded.get(n))
    return [Drift(package=n, recorded=recorded.get(n, ""), here=here.get(n, "")) for n in names]


def upstream_version(version: str) -> str:
    """Return the upstream part of a Debian version: "10.0" of "10.0~repack-6"."""
    return version.split(":", 1)[-1].rsplit("-", 1)[0].split("~", 1)[0].split("+", 1)[0]


def verify(recipe: WineRecipe) -> None:
    """Say how the packages differ from the recorded ones. Raise UnsupportedError for an untested Wine."""
    here = parse((places.root() / places.PACKAGES).read_text(encoding="utf-8"), places.PACKAGES)
    wine = upstream_version(here["libwine"])
    if wine not in recipe.tested_wine:
        raise UnsupportedError(
            f"Debian {recipe.suite} now has Wine {wine}; this program was tested with {', '.join(recipe.tested_wine)}.",
            remedy="Add the version to tested-wine in recipes/wine/trixie.toml and run `invoke wine-setup`: "
            "its self-test then says whether it works.",
        )
    moved = drift()
    for change in moved:
        if change.package in recipe.decisive:
            warn(f"{change.package} is {change.here or 'absent'}, recorded was {change.recorded or 'none'}")
    if moved:
        warn(f"Debian has moved on: {len(moved)} packages differ from {LOCK.name}; Wine is {wine}, a tested version")


def record() -> None:
    """Write the root's packages as those that the self-test passed with."""
    lines = (places.root() / places.PACKAGES).read_text(encoding="utf-8")
    write_atomic(LOCK, f"# Every package of the Wine root when its self-test last passed.\n{lines}")
