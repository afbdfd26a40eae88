"""The metadata of a published wheel, mended: a new version, the right requirements, everything else as it was."""

from __future__ import annotations

import configparser
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recipes.spec import schema
from wheelhouse.errors import RecipeError

if TYPE_CHECKING:
    from packaging.metadata import RawMetadata


@dataclass(frozen=True, kw_only=True)
class Change:
    """One field of the metadata: what it was, what it is now."""

    field: str
    was: str
    now: str


def mended(
    metadata: bytes, artifact: schema.Artifact, rule: schema.Repack, version: str
) -> tuple[dict[str, Any], tuple[Change, ...]]:
    """Return the fields of the new project, for the template, and what differs from the published METADATA.

    Raise RecipeError when METADATA is another package's, or has a field that packing it again would lose.
    """
    old = _parse(metadata, artifact)
    dependencies, replaced = replace_requirements(old.get("requires_dist", []), rule.requires)
    changes = [Change(field="Version", was=artifact.version, now=version), *replaced]
    if old.get("license_expression") != rule.licence:
        was = old.get("license_expression") or old.get("license", "")
        changes.append(Change(field="License", was=was, now=rule.licence))
    author = {"name": old.get("author", ""), "email": old.get("author_email", "")}
    links = {"Homepage": old.get("home_page"), "Download": old.get("download_url"), **old.get("project_urls", {})}
    fields = {
        "name": rule.package,
        "version": version,
        "summary": old.get("summary", ""),
        "readme": old.get("description", ""),
        "readme_type": old.get("description_content_type", "text/plain"),
        "author": {key: value for key, value in author.items() if value},
        "licence": rule.licence,
        "requires_python": old.get("requires_python", ""),
        "keywords": old.get("keywords", []),
        # METADATA 2.4 forbids licence classifiers beside a licence expression
        "classifiers": [c for c in old.get("classifiers", []) if not c.startswith("License ::")],
        "dependencies": dependencies,
        "urls": {label: url for label, url in links.items() if url},
    }
    return fields, tuple(changes)


def _parse(metadata: bytes, artifact: schema.Artifact) -> RawMetadata:
    from packaging.metadata import parse_email

    old, unknown = parse_email(metadata)
    if old.get("provides_extra") or unknown:
        odd = ", ".join(sorted(unknown)) or "Provides-Extra"
        raise RecipeError(f"{artifact.filename}: METADATA has {odd}, which packing it again would lose.")
    if (old.get("name"), old.get("version")) != (artifact.package, artifact.version):
        raise RecipeError(
            f"{artifact.filename} says it is {old.get('name')} {old.get('version')}, "
            f"but the recipe has it as {artifact.package} {artifact.version}."
        )
    return old


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


def entry_points(path: Path) -> dict[str, dict[str, str]]:
    """Return group to name to target of an entry_points.txt; nothing when there is no such file."""
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign] # names of entry points are case-sensitive
    if path.is_file():
        parser.read_string(path.read_text(encoding="utf-8"))
    return {section: dict(parser[section]) for section in parser.sections()}
