"""Whether releases make a pair: DirectML inside, the API that is asked for offered, every target and change."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from recipes.audit.readers.wheel import Wheel, read_wheel
from recipes.audit.rules.genai import genai_library, runtime_library
from recipes.audit.rules.sbom import commit_told
from recipes.spec.schema import Published, Repack
from recipes.upgrading.candidates import Release, Target


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the wheels of a pair say of themselves; `commits` by package, "" where a wheel tells none."""

    asks: int = 0
    offers: int = 0
    directml: str = ""
    commits: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Fitness:
    """Releases that could be a pair, what is in the way (nothing: it can be made), and what they say of themselves."""

    releases: tuple[Release, ...]
    obstacles: tuple[str, ...]
    facts: Facts

    @property
    def label(self) -> str:
        """The releases in words."""
        return " with ".join(release.label for release in self.releases)


def judge(releases: Sequence[Release], published: Published) -> Fitness:
    """Say whether the releases make a pair. One wheel of each platform is read; the audit of a build reads all."""
    targets = sorted({(a.python, a.platform) for a in published.artifacts})
    obstacles = list(_lacking(releases, targets))
    facts = Facts()
    for platform in sorted({platform for _, platform in targets}):
        wheels = [wheel for one in releases if (wheel := _newest(one, platform)) is not None]
        if len(wheels) == len(releases):
            facts, wrong = _look(releases, [read_wheel(wheel) for wheel in wheels], published)
            obstacles += [f"{text} ({platform})" for text in wrong]
    return Fitness(releases=tuple(releases), obstacles=tuple(dict.fromkeys(obstacles)), facts=facts)


def _lacking(releases: Sequence[Release], targets: Sequence[Target]) -> Iterator[str]:
    for one in releases:
        gone = [f"{python} {platform}" for python, platform in targets if (python, platform) not in one.wheels]
        if gone:
            yield f"{one.label} has no wheel for {', '.join(gone)}"


def _newest(release: Release, platform: str) -> Path | None:
    found = [wheel for (_, where), wheel in sorted(release.wheels.items()) if where == platform]
    return found[-1] if found else None


def _look(releases: Sequence[Release], wheels: Sequence[Wheel], published: Published) -> tuple[Facts, list[str]]:
    wrong: list[str] = []
    asks = offers = 0
    directml = ""
    for one, wheel in zip(releases, wheels, strict=True):
        rule = next((rule for rule in published.repack if rule.package == one.package), None)
        wrong += [f"{one.label}: {text}" for text in (_unchangeable(wheel.path, rule) if rule else ())]
        if (genai := genai_library(wheel)) is not None:
            asks = genai.api_compiled.value or 0 if genai.api_compiled else 0
            if genai.imported_from("d3d12.dll") is None:
                wrong.append(f"{one.label} is built without DirectML")
            if not asks:
                wrong.append(f"which ORT API {one.label} asks for cannot be read")
            continue
        runtime, library = runtime_library(wheel), wheel.binary_named("DirectML.dll")
        directml = library.version if library else ""
        if runtime is None or runtime.imported_from("DirectML.dll") is None or library is None:
            wrong.append(f"{one.label} has no DirectML inside")
        offers = runtime.api_offered.value or 0 if runtime and runtime.api_offered else 0
        if not offers:
            wrong.append(f"which ORT API {one.label} offers cannot be read")
    if asks and offers and asks > offers:
        wrong.append(f"GenAI asks for ORT API {asks}, and only {offers} is offered")
    commits = {one.package: commit_told(wheel) for one, wheel in zip(releases, wheels, strict=True)}
    return Facts(asks=asks, offers=offers, directml=directml, commits=commits), wrong


def _unchangeable(wheel: Path, rule: Repack) -> Iterator[str]:
    """Yield what of a rule does not apply to a wheel any more: a licence that is gone, a text to correct."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        yield from (f"it has no {name} any more" for name in rule.licence_files if name not in names)
        for edit in rule.edit:
            if edit.file not in names or archive.read(edit.file).decode("utf-8", "replace").count(edit.was) != 1:
                yield f"{edit.file} does not say {edit.was!r} once any more"
