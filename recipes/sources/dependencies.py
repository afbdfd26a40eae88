"""What upstream's CMake would download while configuring: fetched first, by pin, so that configuring needs no network.

CMake itself only warns about a missing one; here every one is there before it starts, or the run ends with its name.
"""

from __future__ import annotations

from pathlib import Path, PurePath, PurePosixPath

from recipes.sources.archives import fetch_archive, unpack
from recipes.sources.checkout import commands, fetch, refuse_foreign
from recipes.sources.pins import Pins
from recipes.spec.schema import Dependency, GenAI
from recipes.spec.target import Layout, Target
from wheelhouse.errors import InputError
from wheelhouse.process import Command
from wheelhouse.steps import Step, ensure


def needed(genai: GenAI, target: Target) -> tuple[Dependency, ...]:
    """Return the dependencies that a build for this target configures with."""
    return tuple(d for d in genai.dependencies if d.needed_for(target.name))


def folder_of(dependency: Dependency, layout: Layout) -> PurePath:
    """Return where the dependency lies once fetched."""
    pin = dependency.source.pin if dependency.source else PurePosixPath(dependency.url or "").name
    return layout.dependency(dependency.name, pin)


def source_dir_defines(dependencies: tuple[Dependency, ...], layout: Layout) -> tuple[str, ...]:
    """Return the CMake defines that hand the dependencies over and forbid every further download."""
    given = [f"-DFETCHCONTENT_SOURCE_DIR_{d.name.upper()}={folder_of(d, layout)}" for d in dependencies]
    return ("-DFETCHCONTENT_FULLY_DISCONNECTED=ON", *given)


def plan(dependency: Dependency, layout: Layout, *, mirror: str) -> tuple[Command | str, ...]:
    """Return the commands that fetch it; an archive, which this program fetches itself, as a remark."""
    folder = folder_of(dependency, layout)
    if dependency.source is not None:
        return commands(dependency.source, folder, layout.patches, mirror=mirror)
    pin = (
        f"SHA-256 {dependency.sha256}" if dependency.sha256 else "its SHA-256 is recorded on first fetch, then verified"
    )
    return (f"download {dependency.url} ({pin}) and unpack it to {folder}",)


def fetch_dependency(dependency: Dependency, layout: Layout, pins: Pins, *, mirror: str) -> Path:
    """Make the dependency's folder unless it is there; return it.

    Raises NetworkError, IntegrityError, InputError (foreign folder) as `sources.fetch` does.
    """
    folder = Path(folder_of(dependency, layout))
    if dependency.source is not None:
        fetch(dependency.source, folder, Path(layout.patches), pins, mirror=mirror)
        return folder
    refuse_foreign(folder)
    step = Step(name=f"fetch {dependency.name}", output=folder, inputs={"url": dependency.url or ""})

    def make(into: Path) -> None:
        url = dependency.url or ""
        unpack(fetch_archive(url, dependency.name, pins, sha256=dependency.sha256, mirror=mirror), into)

    ensure(step, make, quiet_when_fresh=True)
    return folder


def require_present(dependencies: tuple[Dependency, ...], layout: Layout) -> None:
    """Raise InputError naming the dependencies that are not there, before CMake starts."""
    missing = [d.name for d in dependencies if not Path(folder_of(d, layout)).is_dir()]
    if missing:
        raise InputError(
            f"Configure-time dependencies are missing: {', '.join(missing)}.",
            remedy="Run `invoke fetch` for this recipe first.",
        )
