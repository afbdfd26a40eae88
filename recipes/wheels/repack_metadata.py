"""The metadata of a published wheel, mended: name, version and requirements as they are now, the rest as it was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from recipes.spec import schema
from recipes.wheels.repack import Change, Repacking
from wheelhouse.errors import RecipeError

if TYPE_CHECKING:
    from packaging.metadata import RawMetadata
    from packaging.requirements import Requirement

PROJECT_PAGE = "https://pypi.org/project/{package}/{version}/"


def mended(metadata: bytes, repacking: Repacking) -> tuple[dict[str, Any], tuple[Change, ...]]:
    """Return the fields of the new project, for the template, and what differs from the published METADATA.

    Raise RecipeError when METADATA is another package's, or has a field that packing it again would lose.
    """
    artifact, rule = repacking.artifact, repacking.rule
    old = _parse(metadata, artifact)
    plain, extras = _by_extra(old, artifact)
    dependencies, replaced = replace_requirements(plain, rule.requires)
    changes = list(_changed_fields(old, repacking))
    changes += [*replaced, *_added_extras(extras, rule)]
    author = {"name": old.get("author", ""), "email": old.get("author_email", "")}
    links = {"Homepage": old.get("home_page"), "Download": old.get("download_url"), **old.get("project_urls", {})}
    links |= {"Original wheel": _page(artifact)}
    links |= {f"Donor of {file.rpartition('/')[2]}"[:32]: _page(donor) for file, donor in _lent(repacking)}
    fields = {
        "name": repacking.name,
        "version": repacking.version,
        "summary": _summary(old.get("summary", ""), repacking),
        "readme": old.get("description", ""),
        "readme_type": old.get("description_content_type", "text/plain"),
        "author": {key: value for key, value in author.items() if value},
        "licence": rule.licence,
        "requires_python": rule.requires_python or old.get("requires_python", ""),
        "keywords": old.get("keywords", []),
        # METADATA 2.4 forbids licence classifiers beside a licence expression
        "classifiers": [c for c in old.get("classifiers", []) if not c.startswith("License ::")],
        "dependencies": dependencies,
        "extras": extras | {name: list(wanted) for name, wanted in rule.extras.items()},
        "urls": {label: url for label, url in links.items() if url},
    }
    return fields, tuple(changes)


def _lent(repacking: Repacking) -> list[tuple[str, schema.Artifact]]:
    return [(added.file, repacking.donors[added.package]) for added in repacking.added]


def _page(artifact: schema.Artifact) -> str:
    return PROJECT_PAGE.format(package=artifact.package, version=artifact.version)


def _summary(old: str, repacking: Repacking) -> str:
    return f"{old} (not run before release: {repacking.tag})" if repacking.not_run else old


def _changed_fields(old: RawMetadata, repacking: Repacking) -> list[Change]:
    """Return the changes of the fields that have one value."""
    artifact, rule = repacking.artifact, repacking.rule
    pairs = (
        ("Name", artifact.package, repacking.name),
        ("Version", artifact.version, repacking.version),
        ("Requires-Python", old.get("requires_python", ""), rule.requires_python or old.get("requires_python", "")),
        ("License", old.get("license_expression") or old.get("license", ""), rule.licence),
    )
    return [Change(field=name, was=was, now=now) for name, was, now in pairs if was != now]


def _parse(metadata: bytes, artifact: schema.Artifact) -> RawMetadata:
    from packaging.metadata import parse_email

    old, unknown = parse_email(metadata)
    if unknown:
        odd = ", ".join(sorted(unknown))
        raise RecipeError(f"{artifact.filename}: METADATA has {odd}, which packing it again would lose.")
    if (old.get("name"), old.get("version")) != (artifact.package, artifact.version):
        raise RecipeError(
            f"{artifact.filename} says it is {old.get('name')} {old.get('version')}, "
            f"but the recipe has it as {artifact.package} {artifact.version}."
        )
    return old


def _by_extra(old: RawMetadata, artifact: schema.Artifact) -> tuple[list[str], dict[str, list[str]]]:
    """Return the plain requirements, and those of each extra without the marker that says so."""
    from packaging.requirements import Requirement

    plain: list[str] = []
    extras: dict[str, list[str]] = {name: [] for name in old.get("provides_extra", [])}
    for line in old.get("requires_dist", []):
        requirement = Requirement(line)
        if "extra" not in str(requirement.marker or ""):
            plain.append(line)
            continue
        extra = _only_extra(requirement)
        if extra not in extras:
            raise RecipeError(f"{artifact.filename}: '{line}' is for an extra in a way that packing again would lose.")
        requirement.marker = None
        extras[extra].append(str(requirement))
    return plain, extras


def _only_extra(requirement: Requirement) -> str:
    """Return the extra of a marker that says nothing else, "" for any other."""
    parts = str(requirement.marker).replace("'", '"').split('"')
    return parts[1] if len(parts) == 3 and parts[0].split() == ["extra", "=="] and not parts[2] else ""


def _added_extras(old: dict[str, list[str]], rule: schema.Repack) -> list[Change]:
    taken = sorted(old.keys() & rule.extras.keys())
    if taken:
        raise RecipeError(f"{rule.package} has an extra '{taken[0]}' already; the recipe adds one of that name.")
    return [Change(field=f"Extra {name}", was="", now=", ".join(wanted)) for name, wanted in rule.extras.items()]


def replace_requirements(old: Sequence[str], wanted: Sequence[str]) -> tuple[list[str], list[Change]]:
    """Return the requirements with those in `wanted` put in place of the same packages', and what changed."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    new = {canonicalize_name(Requirement(w).name): w for w in wanted}
    kept = {canonicalize_name(Requirement(o).name): o for o in old}
    changes = [
        Change(field="Requires-Dist", was=kept.get(name, ""), now=requirement)
        for name, requirement in new.items()
        if kept.get(name) != requirement
    ]
    unchanged = [o for o in old if canonicalize_name(Requirement(o).name) not in new]
    return [*unchanged, *new.values()], changes
