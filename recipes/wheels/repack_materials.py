"""What a wheel that was packed again is made of, for its SBOM and its provenance record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from recipes.bill.materials import Artifact, Binary, Materials, Source
from recipes.bill.sbom import BINARY_MAGIC
from recipes.spec import schema
from recipes.wheels.pieces import Piece
from recipes.wheels.repack import Change, Repacking
from recipes.wheels.repack_files import Opened


def materials_of(
    repacking: Repacking,
    opened: Opened,
    recipe: schema.Recipe,
    inputs: Mapping[str, str],
    changes: Sequence[Change],
) -> Materials:
    """Return what a wheel that is packed again is made of; `inputs` are those of its step."""
    rule, origins = repacking.rule, (repacking.artifact, *repacking.donors.values())
    told = rule.origin
    return Materials(
        name=repacking.name,
        version=repacking.version,
        licence=rule.licence,
        recipe=recipe.name,
        recipe_hash=inputs["recipe"],
        sources=(Source(name=told.name, url=told.repository, commit=told.commit),) if told else (),
        artifacts=tuple(_artifact(a, rule.licence if a is repacking.artifact else "") for a in origins),
        binaries=_binaries(opened.payload),
        toolchain={"scikit-build-core": inputs["scikit-build-core"]},
        inputs=inputs,
        changes=tuple(f"{c.field}: {c.was or '(none)'} -> {c.now}" for c in changes),
        epoch=repacking.epoch,
    )


def _artifact(artifact: schema.Artifact, licence: str) -> Artifact:
    return Artifact(
        name=artifact.package,
        version=artifact.version,
        filename=artifact.filename,
        sha256=artifact.sha256,
        purl=f"pkg:pypi/{artifact.package}@{artifact.version}?file_name={artifact.filename}",
        licence=licence,
    )


def _binaries(payload: Mapping[str, Piece]) -> tuple[Binary, ...]:
    found = {name: piece for name, piece in payload.items() if piece.magic.startswith(BINARY_MAGIC)}
    return tuple(Binary(path=name, sha256=found[name].sha256, origin=found[name].origin) for name in sorted(found))
