"""Findings as SARIF 2.1.0, which GitHub, GitLab, Azure DevOps and editors show: rules by id, wheels as locations."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from recipes.audit import rules  # noqa: F401 - declares the rules
from recipes.audit.findings import REGISTRY, Finding, Rule, Severity
from recipes.audit.readers.wheel import Wheel
from wheelhouse.errors import ResourceError
from wheelhouse.files import sha256_bytes, sha256_file, write_atomic

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def write_sarif(path: Path, wheels: Sequence[Wheel], findings: Sequence[Finding]) -> None:
    """Write the findings to a file. Raise ResourceError when that cannot be done."""
    try:
        write_atomic(path, to_sarif(wheels, findings))
    except OSError as error:
        reason = error.strerror or str(error)
        raise ResourceError(f"{path} cannot be written: {reason}.", remedy="Give --sarif another file.") from error


def to_sarif(wheels: Sequence[Wheel], findings: Sequence[Finding]) -> str:
    """Return the findings as SARIF text; paths are relative to the current folder where they lie below it."""
    places = {wheel.file: index for index, wheel in enumerate(wheels)}
    numbers = {rule_id: index for index, rule_id in enumerate(REGISTRY)}
    run = {
        "tool": {"driver": {"name": "dml-wheelhouse audit", "version": version("dml-wheelhouse"), "rules": _rules()}},
        "artifacts": [_artifact(wheel) for wheel in wheels],
        "results": [_result(f, wheels[places[f.wheel]], places[f.wheel], numbers[f.rule]) for f in findings],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def _rules() -> list[dict[str, Any]]:
    return [_rule(rule) for rule in REGISTRY.values()]


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.explanation},
        "help": {"text": rule.remedy},
        "defaultConfiguration": {"level": LEVELS[rule.severity]},
        "properties": {"tags": [rule.family]},
    }


def _artifact(wheel: Wheel) -> dict[str, Any]:
    found: dict[str, Any] = {"location": {"uri": _address(wheel.path)}, "length": wheel.path.stat().st_size}
    return {**found, "hashes": {"sha-256": sha256_file(wheel.path)}, "mimeType": "application/zip"}


def _address(path: Path) -> str:
    """Return a relative reference below the current folder, else a file: URI."""
    absolute = path.absolute()
    if absolute.is_relative_to(Path.cwd()):
        return quote(absolute.relative_to(Path.cwd()).as_posix())
    return absolute.as_uri()


def _result(finding: Finding, wheel: Wheel, index: int, number: int) -> dict[str, Any]:
    location: dict[str, Any] = {
        "physicalLocation": {"artifactLocation": {"uri": _address(wheel.path), "index": index}},
    }
    if finding.where:
        name = f"{wheel.file}!{finding.where}"
        location["logicalLocations"] = [{"name": finding.where, "fullyQualifiedName": name, "kind": "resource"}]
    said = f"{finding.where}: {finding.message}" if finding.where else finding.message
    return {
        "ruleId": finding.rule,
        "ruleIndex": number,
        "level": LEVELS[finding.severity],
        "message": {"text": f"{said}. {finding.remedy}"},
        "locations": [location],
        "partialFingerprints": {"finding/v1": _fingerprint(finding, wheel)},
    }


def _fingerprint(finding: Finding, wheel: Wheel) -> str:
    """Return what stays when the wheel is built again or in another version, so that a finding is not told as new."""
    tag = "-".join(wheel.path.stem.split("-")[-3:])
    message = finding.message.replace(str(wheel.version), "VERSION") if wheel.version else finding.message
    return sha256_bytes(f"{finding.rule}\n{wheel.name}\n{tag}\n{finding.where}\n{message}".encode())
