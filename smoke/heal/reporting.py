"""What the smoke report says about norms: the remedy where DirectML diverged, and a table of what was healed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from smoke.heal.known_norms import advice, load
from smoke.parity.verdicts import Verdict
from smoke.report.results import Cell, Result, Section

BACKEND = "dml"


def advised(result: Result, model: object) -> Result:
    """Return a result with the remedy for norms, where it diverged on DirectML and its `model` folder's may be why."""
    if not result.backend.startswith(BACKEND) or result.verdict is not Verdict.DIVERGED or not isinstance(model, Path):
        return result
    remedy = advice(model)
    return msgspec.structs.replace(result, remedy=f"{remedy} {result.remedy}".strip()) if remedy else result


def section(exports: Mapping[str, object]) -> Section | None:
    """Return the table of the exports whose norms were measured, or None when there is none."""
    rows: list[tuple[Cell, ...]] = []
    overflow = False
    for kind, folder in exports.items():
        record = load(folder) if isinstance(folder, Path) else None
        if record is None:
            continue
        risky, scales = record.at_risk, sorted({norm.scale for norm in record.rewritten if norm.scale is not None})
        overflow = overflow or bool(risky or record.rewritten)
        rows.append(
            (
                kind,
                len(record.norms),
                len(risky),
                risky[0].place if risky else "",
                f"{max(norm.worst_mean_square or 0 for norm in risky):.0f}" if risky else "",
                len(record.rewritten),
                ", ".join(f"1/{scale}" for scale in scales),
                "" if record.cpu_difference is None else f"{record.cpu_difference:.2%}",
            )
        )
    if not rows:
        return None
    return Section(
        title="Norms of the DirectML exports",
        columns=(
            "export",
            "norms",
            "exceed fp16",
            "the first",
            "largest mean square",
            "rewritten",
            "scales",
            "logits moved on the CPU",
        ),
        rows=tuple(rows),
        note="DirectML keeps a norm's mean square in fp16, which ends at 65504; see docs/directml-norms.md.",
        usual="" if overflow else "none exceeds fp16.",
    )
