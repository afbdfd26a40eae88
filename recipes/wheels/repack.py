"""A published wheel packed again with right metadata: its files untouched, its requirement and version replaced.

The new wheel is made by scikit-build-core from a small project (`overlay/published/`) that this module writes. What was
changed is recorded inside, for machines (`dml-wheelhouse.json`) and for people (`dml-wheelhouse.txt`), in `.dist-info`.
"""

from __future__ import annotations

import json
import re
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recipes.spec import schema
from recipes.wheels.repack_metadata import Change, entry_points, mended
from wheelhouse.errors import IntegrityError, RecipeError
from wheelhouse.files import sha256_tree, write_atomic
from wheelhouse.paths import ROOT
from wheelhouse.process import Command

TEMPLATE = ROOT / "recipes" / "overlay" / "published" / "pyproject.toml.jinja"
RECORD_FORMAT = "dml-wheelhouse/repack/1"
REBUILT_BY_THE_BACKEND = frozenset({"METADATA", "WHEEL", "RECORD", "entry_points.txt"})


@dataclass(frozen=True, kw_only=True)
class Repacking:
    """What one published wheel becomes."""

    artifact: schema.Artifact
    rule: schema.Repack
    epoch: int

    @property
    def version(self) -> str:
        """The new version: the published one with our local part, which every resolver prefers to the published."""
        return f"{self.artifact.version}+{self.rule.local_version}"

    @property
    def tag(self) -> str:
        """The wheel's tag, taken from the published file's name."""
        return "-".join(self.artifact.filename.removesuffix(".whl").split("-")[-3:])

    @property
    def filename(self) -> str:
        """The new wheel's file name."""
        return f"{self.rule.package.replace('-', '_')}-{self.version}-{self.tag}.whl"


def wheel_command(repacking: Repacking, project: Path, out: Path) -> Command:
    """Return the command that packs `project` into a wheel below `out`: no isolation, so nothing is downloaded."""
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel")
    tags = (
        "--config-settings",
        f"wheel.tags={repacking.tag}",
    )  # `-C` is unknown to pip before 23.1, which Debian 12 has
    options = ("--no-deps", "--no-index", "--no-build-isolation", *tags)
    return Command(
        argv=(*pip, *options, "--wheel-dir", str(out), str(project)),
        env={"SOURCE_DATE_EPOCH": str(repacking.epoch)},
        timeout=300,
    )


def write_project(repacking: Repacking, source: Path, project: Path) -> tuple[Change, ...]:
    """Write the scikit-build-core project for the published wheel `source`; return what it changes.

    Raise IntegrityError when the wheel contradicts itself, RecipeError when the recipe does not fit it.
    """
    dist_info = _unpack(source, project)
    metadata = (project / "old" / "METADATA").read_bytes()
    fields, changes = mended(metadata, repacking.artifact, repacking.rule, repacking.version)
    licences = _keep_licences(repacking, project)
    points = entry_points(project / "old" / "entry_points.txt")
    rendered = render_project(fields | {"licence_files": licences, "entry_points": points})
    write_atomic(project / "pyproject.toml", rendered)
    write_atomic(project / "README.md", fields["readme"] + "\n" + _for_people(repacking, changes))
    for old in sorted((project / "old").rglob("*")):
        name = old.relative_to(project / "old")
        if old.is_file() and name.as_posix() not in REBUILT_BY_THE_BACKEND and name.parts[0] != "licenses":
            write_atomic(project / "dist-info" / name, old.read_bytes())
    record = _for_machines(repacking, changes, project / "payload", dist_info)
    write_atomic(project / "dist-info" / "dml-wheelhouse.json", json.dumps(record, indent=1) + "\n")
    write_atomic(project / "dist-info" / "dml-wheelhouse.txt", _for_people(repacking, changes))
    return changes


def check_wheel(path: Path) -> None:
    """Raise IntegrityError unless RECORD lists every file of the wheel with its right hash."""
    from installer.exceptions import InstallerError
    from installer.sources import WheelFile

    try:
        with WheelFile.open(path) as wheel:
            wheel.validate_record(validate_contents=True)
    except (InstallerError, zipfile.BadZipFile, KeyError, ValueError) as error:
        raise IntegrityError(f"{path.name} contradicts its own RECORD: {error}.") from error


def check_payload(project: Path, wheel: Path) -> None:
    """Raise IntegrityError unless the new wheel holds exactly the published files, byte for byte, and nothing else."""
    payload = project / "payload"
    before = {p.relative_to(payload).as_posix(): p.read_bytes() for p in payload.rglob("*") if p.is_file()}
    with zipfile.ZipFile(wheel) as archive:
        after = {n: archive.read(n) for n in archive.namelist() if ".dist-info/" not in n}
    wrong = sorted(n for n in before.keys() | after.keys() if before.get(n) != after.get(n))
    if wrong:
        raise IntegrityError(f"{wheel.name} does not hold the published files: {', '.join(wrong[:5])} differ.")


def _unpack(source: Path, project: Path) -> str:
    """Unpack the wheel's files to payload/ and its `.dist-info` to old/; return that folder's name."""
    check_wheel(source)
    with zipfile.ZipFile(source) as archive:
        archive.extractall(project / "payload")
    found = list((project / "payload").glob("*.dist-info"))
    if len(found) != 1:
        raise IntegrityError(f"{source.name} holds {len(found)} .dist-info folders instead of one.")
    if list((project / "payload").glob("*.data")):
        raise RecipeError(
            f"{source.name} has a .data folder: wheels that install outside the library cannot be repacked."
        )
    found[0].rename(project / "old")
    return found[0].name


def _keep_licences(repacking: Repacking, project: Path) -> list[str]:
    """Copy the licence files to where the backend expects them; return their paths there."""
    kept = {}
    for name in repacking.rule.licence_files:
        source = project / "payload" / name
        if not source.is_file():
            raise RecipeError(f"{repacking.artifact.filename} has no {name}, which the recipe names as a licence file.")
        kept[source.name] = source
    folder = project / "old" / "licenses"
    kept |= {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    for name, source in kept.items():
        write_atomic(project / name, source.read_bytes())
    return sorted(kept)


def render_project(fields: dict[str, Any]) -> str:
    """Return the pyproject.toml of a project that packs payload/ (compiled here or published) into a wheel."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)  # noqa: S701 - TOML
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False}  # TOML has no surrogate pairs
    environment.policies["json.dumps_function"] = _toml_string
    text = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(fields)
    return re.sub(r"\n{3,}", "\n\n", text).lstrip()


def _toml_string(value: Any, **options: Any) -> str:
    """Write JSON that is TOML too: TOML also wants the delete character escaped."""
    return json.dumps(value, **options).replace("\x7f", "\\u007f")


def _for_machines(repacking: Repacking, changes: tuple[Change, ...], payload: Path, dist_info: str) -> dict[str, Any]:
    artifact = repacking.artifact
    return {
        "format": RECORD_FORMAT,
        "source": {
            "filename": artifact.filename,
            "sha256": artifact.sha256,
            "package": artifact.package,
            "version": artifact.version,
            "dist-info": dist_info,
        },
        "reason": repacking.rule.reason,
        "changes": [{"field": c.field, "was": c.was, "now": c.now} for c in changes],
        "payload": {
            "files": sum(p.is_file() for p in payload.rglob("*")),
            "sha256": sha256_tree(payload),
            "identical-to-source": True,
        },
    }


def _for_people(repacking: Repacking, changes: tuple[Change, ...]) -> str:
    artifact = repacking.artifact
    lines = [
        "Changed by dml-wheelhouse",
        "",
        f"Made from {artifact.filename} as published on PyPI",
        f"(SHA-256 {artifact.sha256}).",
        "Every file of the package is unchanged, byte for byte; only the metadata differs:",
        "",
        *(f"- {c.field}: {c.was or '(none)'} -> {c.now}" for c in changes),
        "",
        f"Why: {repacking.rule.reason}",
    ]
    return "\n".join(lines) + "\n"
