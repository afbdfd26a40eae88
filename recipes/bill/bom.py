"""The CycloneDX document of a wheel, from its materials; imported only when one is written (150 ms of imports)."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Commit, Component, ComponentType, Diff, PatchClassification, Pedigree
from cyclonedx.model.component import Patch as BomPatch
from cyclonedx.model.license import License
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from recipes.bill.materials import Artifact, Binary, Materials, Source


def render(materials: Materials) -> str:
    """Return the SBOM as CycloneDX 1.6 JSON; equal materials give equal text."""
    text = JsonV1Dot6(_bom(materials)).output_as_string(indent=1)
    return text if text.endswith("\n") else text + "\n"


def _bom(materials: Materials) -> Bom:
    seed = json.dumps(asdict(materials), sort_keys=True)
    wheel = _wheel_component(materials)
    origins = {
        **{s.name: _source_component(s, materials) for s in materials.sources},
        **{a.name: _artifact_component(a, materials) for a in materials.artifacts},
    }
    binaries = [_binary_component(binary) for binary in materials.binaries]
    bom = Bom(
        components=[*origins.values(), *binaries],
        serial_number=uuid5(NAMESPACE_URL, seed),
        metadata=BomMetaData(component=wheel, timestamp=datetime.fromtimestamp(materials.epoch, UTC)),
    )
    bom.register_dependency(wheel, [*origins.values(), *binaries])
    for component, binary in zip(binaries, materials.binaries, strict=True):
        bom.register_dependency(component, [origins[binary.origin]] if binary.origin in origins else [])
    return bom


def _wheel_component(materials: Materials) -> Component:
    return Component(
        name=materials.name,
        version=materials.version,
        type=ComponentType.LIBRARY,
        bom_ref="wheel",
        purl=PackageURL("pypi", None, materials.name, materials.version),
        licenses=_licences(materials.licence),
        properties=[
            Property(name="dml-wheelhouse:recipe", value=materials.recipe),
            Property(name="dml-wheelhouse:recipe-sha256", value=materials.recipe_hash),
        ],
    )


def _source_component(source: Source, materials: Materials) -> Component:
    return Component(
        name=source.name,
        version=source.version or source.commit,
        type=ComponentType.LIBRARY,
        bom_ref=f"source:{source.name}",
        licenses=_licences(source.licence),
        external_references=[
            ExternalReference(type=ExternalReferenceType.VCS, url=XsUri(source.url), comment=f"commit {source.commit}")
        ],
        pedigree=_pedigree(source.name, materials, commit=source),
    )


def _artifact_component(artifact: Artifact, materials: Materials) -> Component:
    reference = ExternalReference(type=ExternalReferenceType.DISTRIBUTION, url=XsUri(artifact.url))
    return Component(
        name=artifact.name,
        version=artifact.version,
        type=ComponentType.LIBRARY,
        bom_ref=f"artifact:{artifact.name}",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=artifact.sha256)],
        purl=PackageURL.from_string(artifact.purl) if artifact.purl else None,
        licenses=_licences(artifact.licence),
        external_references=[reference] if artifact.url else [],
        properties=[Property(name="dml-wheelhouse:filename", value=artifact.filename)],
        pedigree=_pedigree(artifact.name, materials),
    )


def _binary_component(binary: Binary) -> Component:
    return Component(
        name=binary.path,
        type=ComponentType.FILE,
        bom_ref=f"file:{binary.path}",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=binary.sha256)],
    )


def _pedigree(name: str, materials: Materials, *, commit: Source | None = None) -> Pedigree | None:
    patches = [p for p in materials.patches if p.applies_to == name]
    if not patches and commit is None:
        return None
    return Pedigree(
        commits=[Commit(uid=commit.commit, url=XsUri(commit.url))] if commit else [],
        patches=[
            BomPatch(type=PatchClassification.UNOFFICIAL, diff=Diff(url=XsUri(f"{p.file}#sha256={p.sha256}")))
            for p in patches
        ],
        notes="\n".join(f"{p.file}: {p.reason}" for p in patches) or None,
    )


def _licences(expression: str) -> list[License]:
    return [LicenseFactory().make_from_string(expression)] if expression else []
