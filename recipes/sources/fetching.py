"""Everything that a build needs from outside: sources, what their CMake would download, archives for the mirror."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from recipes.sources.checkout import Checkout, fetch, read_checkout, source_name
from recipes.sources.declared import declaration_of, fill_mirror, resolve
from recipes.sources.dependencies import Project, fetch_dependency
from recipes.sources.pins import Pins
from recipes.spec.fetched import Dependency
from recipes.spec.file_and_line import blamed, place_of
from recipes.spec.load import files_of


@dataclass(kw_only=True)
class Fetched:
    """What was fetched: checkouts by name; of each source its dependencies, with the addresses they came from."""

    checkouts: dict[str, Checkout] = field(default_factory=dict)
    dependencies: dict[str, tuple[Dependency, ...]] = field(default_factory=dict)

    def identities(self, project: Project, pins: Pins) -> dict[str, str]:
        """Return what tells the content of a project's dependencies, by name: a commit, or address and hash."""
        return {
            d.name: self.checkouts[d.name].commit if d.source else f"{d.url} {d.sha256 or pins.sha256(d.url or '')}"
            for d in self.dependencies[source_name(project.part.source)]
        }


def fetch_projects(projects: Sequence[Project], pins: Pins, *, mirror: str = "") -> Fetched:
    """Fetch the sources of the projects, then what each needs. Raises as `checkout.fetch` and `declared.resolve` do."""
    found, files = Fetched(), files_of(pins.recipe_file) if pins.recipe_file.is_file() else ()
    for project in projects:
        source = project.part.source
        patches = Path(project.layout.patches)
        with blamed(place_of(files, source.commit or source.tag or "", source.repository)):
            found.checkouts[source_name(source)] = fetch(source, Path(project.checkout), patches, pins, mirror=mirror)
    for project in projects:
        resolved = []
        for dependency in project.needed:
            with blamed(_declared_at(project, dependency) or place_of(files, dependency.name)):
                address = resolve(project, dependency, pins, mirror=mirror)
                place = fetch_dependency(project, dependency, address, pins, mirror=mirror)
            if address.source is not None:
                found.checkouts[dependency.name] = read_checkout(place)
            resolved.append(address)
        found.dependencies[source_name(project.part.source)] = tuple(resolved)
        fill_mirror(project, pins, mirror=mirror)
    return found


def _declared_at(project: Project, dependency: Dependency) -> str:
    """Return file and line of upstream's word for it, and of which source; nothing where the recipe has the address."""
    if dependency.declared_in is None:
        return ""
    of = dependency.parent or source_name(project.part.source)
    return f"{declaration_of(project, dependency).place} of {of}"
