"""`invoke audit --explain`: what is in a wheel and where it came from, as text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from recipes.audit.readers.binary import Binary, Reading
from recipes.audit.readers.wheel import Wheel
from recipes.bill.sbom import PROVENANCE_NAME
from wheelhouse.files import human_size

if TYPE_CHECKING:
    from rich.tree import Tree


def explain_wheel(wheel: Wheel) -> Tree:
    """Return what the wheel is, needs, carries and was made from, as a tree to print."""
    from rich.text import Text
    from rich.tree import Tree

    tree = Tree(Text(wheel.file, style="bold"))
    for heading, lines in (
        ("what it is", _identity(wheel)),
        ("requires", (str(r) for r in (wheel.metadata.requirements if wheel.metadata else ()))),
        ("carries", _contents(wheel)),
        ("was made from", _origins(wheel)),
    ):
        shown = list(lines)
        if shown:
            branch = tree.add(Text(heading, style="cyan"))
            for line in shown:
                branch.add(Text(line))
    return tree


def _identity(wheel: Wheel) -> Iterator[str]:
    yield f"{wheel.name or 'unknown'} {wheel.version or ''}".strip()
    if wheel.metadata and wheel.metadata.summary:
        yield wheel.metadata.summary
    if wheel.metadata and wheel.metadata.licence:
        yield f"licence: {wheel.metadata.licence.splitlines()[0][:100]}"
    if wheel.named:
        yield f"for {', '.join(sorted(map(str, wheel.named.tags)))}"
    yield f"built by {', '.join(wheel.headers.get('generator', ('an unknown tool',)))}"


def _contents(wheel: Wheel) -> Iterator[str]:
    total = sum(m.size for m in wheel.members.values())
    yield f"{len(wheel.members)} files, {human_size(total)} unpacked"
    for path, binary in sorted(wheel.binaries.items()):
        size = human_size(wheel.members[path].size)
        yield f"{path}  {size}  {', '.join(_facts(binary))}"


def _facts(binary: Binary) -> Iterator[str]:
    if binary.problem:
        yield binary.problem
        return
    yield f"{binary.format.upper()} {binary.machine}"
    if binary.version:
        yield f"version {binary.version}" if binary.format == "pe" else binary.version
    for what, reading in (
        ("asks for ORT API", binary.api_compiled),
        ("offers ORT API", binary.api_offered),
        ("asks for Agility SDK", binary.agility_asked),
    ):
        if reading is not None:
            yield f"{what} {_number(reading)}"
    if binary.agility_carried is not None:
        yield f"is Agility SDK {binary.agility_carried}"


def _number(reading: Reading) -> str:
    if reading.value is None:
        return f"unknown ({reading.how})"
    return f"{reading.value} (down to {reading.lowest})" if reading.lowest else str(reading.value)


def _origins(wheel: Wheel) -> Iterator[str]:
    """Yield the provenance record in words; say so when there is none or it is not what it should be."""
    raw = wheel.texts.get(f"{wheel.dist_info}/{PROVENANCE_NAME}")
    if raw is None:
        yield "unknown: it carries no provenance record of dml-wheelhouse"
        return
    try:
        yield from list(_record(json.loads(raw)))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        yield "unknown: its provenance record cannot be understood"


def _record(record: dict[str, Any]) -> Iterator[str]:
    yield f"recipe {record['recipe']} (SHA-256 {record['recipe_hash']})"
    for source in record["sources"]:
        yield f"source {source['name']} {source['version']}: {source['url']} at {source['commit']}"
    for artifact in record["artifacts"]:
        place = artifact["purl"] or artifact["url"]
        yield f"artifact {artifact['filename']} ({place}) SHA-256 {artifact['sha256']}"
    for patch in record["patches"]:
        yield f"patch {patch['file']} on {patch['applies_to']}: {patch['reason']}"
    for tool, version in sorted(record["toolchain"].items()):
        yield f"tool {tool} {version}"
    for change in record["changes"]:
        yield f"change: {change}"
    for binary in record["binaries"]:
        origin = f" from {binary['origin']}" if binary["origin"] else ""
        yield f"binary {binary['path']}{origin} SHA-256 {binary['sha256']}"
