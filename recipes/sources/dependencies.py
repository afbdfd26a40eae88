"""What upstream's CMake would download while configuring: fetched first, by pin, so that configuring needs no network.

CMake itself only warns about a missing one; here every one is there before it starts, or the run ends with its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath

from recipes.sources.archives import fetch_archive, take_over
from recipes.sources.checkout import commands, fetch, refuse_foreign, source_name
from recipes.sources.pins import Pins
from recipes.spec.fetched import Dependency
from recipes.spec.schema import GenAI, OnnxRuntime
from recipes.spec.target import Layout, Target
from wheelhouse.errors import InputError
from wheelhouse.process import Command
from wheelhouse.steps import Step, ensure


@dataclass(frozen=True, kw_only=True)
class Project:
    """A source whose CMake downloads things: its part of the recipe, the target, and where this build keeps them."""

    part: OnnxRuntime | GenAI
    target: Target
    layout: Layout

    @property
    def checkout(self) -> PurePath:
        """Where the source itself is."""
        return self.layout.source(source_name(self.part.source), self.part.source.pin)

    @property
    def needed(self) -> tuple[Dependency, ...]:
        """The dependencies that a build for this target configures with."""
        on = {name for name, value in self.part.cmake_defines.items() if value.upper() in {"ON", "TRUE", "1"}}
        if isinstance(self.part, OnnxRuntime):
            on |= {*self.part.build_flags, *self.part.target_flags.get(self.target.name, ())}
        return tuple(d for d in self.part.dependencies if d.needed_for(self.target.name, on))

    def folder_of(self, dependency: Dependency) -> PurePath:
        """Where the dependency lies once fetched; what upstream declares, by the pin of the source that declares it."""
        if dependency.source is not None:
            return self.layout.dependency(dependency.name, dependency.source.pin)
        if dependency.url is not None:
            return self.layout.dependency(dependency.name, PurePosixPath(dependency.url).name)
        owner = "ort-" if isinstance(self.part, OnnxRuntime) else ""
        arch = f"-{self.target.arch}" if any("{arch}" in path for path in dependency.take) else ""
        return self.layout.dependency(f"{owner}{dependency.name}{arch}", self.part.source.pin)

    @property
    def source_dirs(self) -> dict[str, str]:
        """The CMake defines that hand the dependencies over."""
        plain = [d for d in self.needed if not d.option]
        return {f"FETCHCONTENT_SOURCE_DIR_{d.name.upper()}": str(self.folder_of(d)) for d in plain}

    @property
    def options(self) -> tuple[str, ...]:
        """The options of build.py that hand the others over."""
        return tuple(part for d in self.needed if d.option for part in (d.option, str(self.folder_of(d))))


def disconnected(project: Project) -> tuple[str, ...]:
    """Return the CMake options that hand the dependencies over and forbid every further download."""
    return (
        "-DFETCHCONTENT_FULLY_DISCONNECTED=ON",
        *(f"-D{name}={value}" for name, value in project.source_dirs.items()),
    )


def plan(project: Project, dependency: Dependency, *, mirror: str) -> tuple[Command | str, ...]:
    """Return the commands that fetch it; what this program fetches itself, as a remark."""
    folder = project.folder_of(dependency)
    if dependency.source is not None:
        return commands(dependency.source, folder, project.layout.patches, mirror=mirror)
    if dependency.url is not None:
        pin = (
            f"SHA-256 {dependency.sha256}"
            if dependency.sha256
            else "its SHA-256 is recorded in the lock, then verified"
        )
        return (f"download {dependency.url} ({pin}) and unpack it to {folder}",)
    of = dependency.parent or source_name(project.part.source)
    entry = f" as {dependency.entry}" if dependency.entry else ""
    return (f"fetch {dependency.name} from where {dependency.table} of {of} says{entry}, to {folder}",)


def fetch_dependency(
    project: Project, dependency: Dependency, resolved: Dependency, pins: Pins, *, mirror: str
) -> Path:
    """Make the dependency's folder unless it is there; return it. `resolved` has an address where upstream has it.

    Raises NetworkError, IntegrityError, InputError (foreign folder) as `checkout.fetch` does.
    """
    folder = Path(project.folder_of(dependency))
    if resolved.source is not None:
        fetch(resolved.source, folder, Path(project.layout.patches), pins, mirror=mirror)
        return folder
    refuse_foreign(folder)
    url = resolved.url or ""
    sha256 = resolved.sha256 or pins.sha256(url)
    if sha256 is None:
        fetch_archive(url, dependency.name, pins, mirror=mirror)
        sha256 = pins.sha256(url)
    inputs = {"url": url, "SHA-256": sha256 or "", "taken over": str(dict(dependency.take))}

    def make(into: Path) -> None:
        archive = fetch_archive(url, dependency.name, pins, sha256=resolved.sha256, mirror=mirror)
        take_over(archive, into, _for_arch(dependency.take, project.target.arch))

    ensure(Step(name=f"fetch {dependency.name}", output=folder, inputs=inputs), make, quiet_when_fresh=True)
    return folder


def _for_arch(take: Mapping[str, str], arch: str) -> dict[str, str]:
    return {inside.replace("{arch}", arch): place for inside, place in take.items()}


def require_present(project: Project) -> None:
    """Raise InputError naming the dependencies that are not there, before CMake starts."""
    missing = [d.name for d in project.needed if not Path(project.folder_of(d)).is_dir()]
    if missing:
        raise InputError(
            f"Configure-time dependencies are missing: {', '.join(missing)}.",
            remedy="Run `invoke fetch` for this recipe first.",
        )
