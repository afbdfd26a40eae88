"""A published wheel packed again: some files left out, added or corrected, and metadata that says what it is now.

scikit-build-core writes METADATA, WHEEL and licences from a small project (`overlay/published/`) that this module
writes; the files come over as they lie in the published wheels. What was changed is recorded in `.dist-info`, for
machines (`dml-wheelhouse.json`) and for people (`dml-wheelhouse.txt`).
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recipes.spec import schema
from recipes.wheels.pieces import Piece
from wheelhouse.paths import ROOT
from wheelhouse.process import Command

TEMPLATE = ROOT / "recipes" / "overlay" / "published" / "pyproject.toml.jinja"
RECORD_FORMAT = "dml-wheelhouse/repack/2"
NOT_RUN = "not run"
TARGETS: dict[str, schema.TargetName] = {"win_amd64": "windows-x64", "win_arm64": "windows-arm64"}


@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing that was changed: what it was, what it is now, and why where the recipe's reason does not say it."""

    field: str
    was: str
    now: str
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Repacking:
    """What one published wheel becomes. `donors` are the wheels that lend it files, `proof` what was run of it."""

    artifact: schema.Artifact
    rule: schema.Repack
    epoch: int
    donors: Mapping[str, schema.Artifact] = field(default_factory=dict)
    proof: str = ""

    @property
    def name(self) -> str:
        """The new wheel's distribution."""
        return self.rule.name or self.rule.package

    @property
    def version(self) -> str:
        """The new version: with our local part, which every resolver prefers to the published."""
        return f"{self.rule.version or self.artifact.version}+{self.rule.local_version}"

    @property
    def tag(self) -> str:
        """The wheel's tag, taken from the published file's name."""
        return "-".join(self.artifact.filename.removesuffix(".whl").split("-")[-3:])

    @property
    def filename(self) -> str:
        """The new wheel's file name."""
        return f"{self.name.replace('-', '_')}-{self.version}-{self.tag}.whl"

    @property
    def added(self) -> tuple[schema.Added, ...]:
        """The files that this platform's wheel gets from donors."""
        return tuple(a for a in self.rule.add if not a.platforms or self.artifact.platform in a.platforms)

    @property
    def not_run(self) -> bool:
        """Whether nothing was run of it."""
        return self.proof.lower().startswith(NOT_RUN)


def proof_of(artifact: schema.Artifact, published: schema.Published) -> str:
    """Return what was run of a wheel: 'where: what', 'not run: why', or "" when the recipe says nothing."""
    target = TARGETS.get(artifact.platform)
    found = published.proof.get(target) if target else None
    if found is None or not found.pythons or artifact.python in {f"cp{v.replace('.', '')}" for v in found.pythons}:
        return found.run if found else ""
    return f"{NOT_RUN} with this Python, but with {', '.join(found.pythons)} {found.run}"


def repacking_of(artifact: schema.Artifact, published: schema.Published) -> Repacking | None:
    """Return what becomes of a published wheel; None when it is taken over as it is."""
    rule = next((r for r in published.repack if r.package == artifact.package), None)
    if rule is None:
        return None
    proof = proof_of(artifact, published)
    plain = Repacking(artifact=artifact, rule=rule, epoch=published.source_date_epoch, proof=proof)
    lending = {a.package for a in plain.added}
    donors = {donor.package: donor for donor in published.donors if donor.package in lending}
    return Repacking(artifact=artifact, rule=rule, epoch=plain.epoch, donors=donors, proof=proof)


def wheel_command(repacking: Repacking, project: Path, out: Path) -> Command:
    """Return the command that packs `project` into a wheel in `out`: the build backend's hook, without a front end."""
    call = f"build_wheel({str(out)!r}, {{'wheel.tags': {repacking.tag!r}}})"
    return Command(
        argv=(sys.executable, "-c", f"from scikit_build_core.build import build_wheel; {call}"),
        cwd=project,
        env={"SOURCE_DATE_EPOCH": str(repacking.epoch)},
        timeout=300,
        temporary=out / ".temporary",
    )


def render_project(fields: dict[str, Any]) -> str:
    """Return the pyproject.toml of a project that packs payload/ into a wheel; with `payload` false, metadata alone."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)  # noqa: S701 - TOML
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False}  # TOML has no surrogate pairs
    environment.policies["json.dumps_function"] = _toml_string
    defaults = {"extras": {}, "payload": True}
    text = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(defaults | fields)
    return re.sub(r"\n{3,}", "\n\n", text).lstrip()


def _toml_string(value: Any, **options: Any) -> str:
    """Write JSON that is TOML too: TOML also wants the delete character escaped."""
    return json.dumps(value, **options).replace("\x7f", "\\u007f")


def for_machines(repacking: Repacking, changes: Sequence[Change], payload: Mapping[str, Piece]) -> dict[str, Any]:
    """Return the record of a repacking: from which wheels, what was changed and why, which files are not as published.

    Hashes of all files are in RECORD, as in every wheel.
    """
    rule, origins = repacking.rule, (repacking.artifact, *repacking.donors.values())
    other = {name: piece for name, piece in payload.items() if piece.origin != repacking.artifact.package}
    return {
        "format": RECORD_FORMAT,
        "sources": [
            {"package": a.package, "version": a.version, "filename": a.filename, "sha256": a.sha256} for a in origins
        ],
        "reason": rule.reason,
        "changes": [{"field": c.field, "was": c.was, "now": c.now, "reason": c.reason} for c in changes],
        "as-published": list(rule.as_published),
        "run": repacking.proof,
        "files": {
            "unchanged": len(payload) - len(other),
            "other": {n: {"sha256": p.sha256, "from": p.origin or "edited here"} for n, p in other.items()},
        },
    }


def for_people(repacking: Repacking, changes: Sequence[Change]) -> str:
    """Return the same for people; it ends the wheel's description."""
    artifact, rule = repacking.artifact, repacking.rule
    lines = [
        "Changed by dml-wheelhouse",
        "",
        f"Made from {artifact.filename} as published on PyPI (SHA-256 {artifact.sha256}).",
        *(f"Files also from {d.filename} (SHA-256 {d.sha256})." for d in repacking.donors.values()),
        "Every file that is not named here is unchanged, byte for byte.",
        "",
        *(f"- {c.field}: {c.was or '(none)'} -> {c.now}{f' ({c.reason})' if c.reason else ''}" for c in changes),
        "",
        f"Why: {rule.reason}",
    ]
    if rule.as_published:
        lines += ["", "Left as it was published:", "", *(f"- {text}" for text in rule.as_published)]
    if repacking.proof:
        lines += ["", f"Run on this platform: {repacking.proof}"]
    return "\n".join(lines) + "\n"
