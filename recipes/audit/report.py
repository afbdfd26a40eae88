"""Findings as a table for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from recipes.audit.findings import Finding, Severity, worst
from recipes.audit.readers.binary import Binary, Reading
from recipes.audit.readers.wheel import Wheel
from wheelhouse.console import Column, Table

FORMAT = "dml-wheelhouse/audit/1"
_COLUMNS = (
    Column(name="severity"),
    Column(name="rule", wraps=True),
    Column(name="where", wraps=True),
    Column(name="what, and what to do", wraps=True),
)
_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.INFO: "dim"}


def to_table(findings: Sequence[Finding], *, explained: bool = False) -> Table:
    """Return the findings as a table, worst first, what several wheels have in common as one row.

    With `explained`, each rule's explanation is in it too.
    """
    from rich.text import Text

    table = Table(columns=_COLUMNS, spaced=True)
    alike: dict[Finding, list[str]] = {}
    for finding in findings:
        alike.setdefault(replace(finding, wheel=""), []).append(finding.wheel)
    for finding, wheels in alike.items():
        what = Text(f"{finding.message}\n")
        if explained:
            what.append(f"{_explanation(finding.rule)}\n", style="italic")
        what.append(finding.remedy, style="dim")
        where = Text("\n".join([*wheels, finding.where] if finding.where else wheels))
        severity = Text(finding.severity.value, style=_STYLES[finding.severity])
        table.add(severity, finding.rule, where, what)
    return table


def _explanation(rule: str) -> str:
    from recipes.audit import rules  # noqa: F401 - declares them
    from recipes.audit.findings import REGISTRY

    return REGISTRY[rule].explanation


def summary_line(wheels: Sequence[Wheel], findings: Sequence[Finding]) -> str:
    """Return one line: how many wheels, how many findings of which severity."""
    plural = "" if len(wheels) == 1 else "s"
    counts = [(severity, sum(f.severity is severity for f in findings)) for severity in reversed(Severity)]
    found = ", ".join(f"{n} {s.value}{'' if n == 1 or s is Severity.INFO else 's'}" for s, n in counts if n)
    return f"{len(wheels)} wheel{plural} audited: {found or 'nothing found'}"


def to_json(wheels: Sequence[Wheel], findings: Sequence[Finding]) -> str:
    """Return wheels, their facts and the findings as JSON text."""
    severity = worst(list(findings))
    document = {
        "format": FORMAT,
        "worst": severity.value if severity else None,
        "wheels": [_wheel(wheel) for wheel in wheels],
        "findings": [
            {
                "rule": f.rule,
                "severity": f.severity.value,
                "wheel": f.wheel,
                "where": f.where,
                "message": f.message,
                "remedy": f.remedy,
            }
            for f in findings
        ],
    }
    return json.dumps(document, indent=1)


def _wheel(wheel: Wheel) -> dict[str, Any]:
    return {
        "file": wheel.file,
        "name": wheel.name,
        "version": str(wheel.version) if wheel.version else "",
        "own": wheel.own,
        "members": len(wheel.members),
        "requirements": [str(r) for r in wheel.metadata.requirements] if wheel.metadata else [],
        "binaries": [_binary(wheel, binary) for binary in wheel.binaries.values()],
    }


def _binary(wheel: Wheel, binary: Binary) -> dict[str, Any]:
    return {
        "path": binary.path,
        "sha256": wheel.members[binary.path].sha256,
        "format": binary.format,
        "machine": binary.machine,
        "version": binary.version,
        "linker": ".".join(map(str, binary.runtime)) if binary.runtime else None,
        "imports": [i.library for i in binary.imports],
        "needs": list(binary.needs),
        "ort_api_compiled": _reading(binary.api_compiled),
        "ort_api_offered": _reading(binary.api_offered),
        "agility_asked": _reading(binary.agility_asked),
        "agility_carried": binary.agility_carried,
    }


def _reading(reading: Reading | None) -> dict[str, Any] | None:
    return {"value": reading.value, "lowest": reading.lowest, "how": reading.how} if reading else None
