"""`invoke npu-check`, and the same as a part of `invoke smoke`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from smoke.backends import npu_compiler
from smoke.environments.source import Environment, Readiness
from smoke.models.model import Model
from smoke.models.resolving import resolve
from smoke.report.results import Section
from smoke.report.terminal import section_table
from smoke.running import token_room
from smoke.suites.npu_check import settings
from smoke.suites.npu_check.check import Finding, as_json, check
from wheelhouse import console
from wheelhouse.console import show_json
from wheelhouse.errors import AuditError, UsageError, WheelhouseError
from wheelhouse.files import human_size
from wheelhouse.paths import log_dir

NAME = "npu-check"
SUMMARY = "Intel's NPU compiler: for which NPUs a model compiles"
VARIANT = "compile"
COLUMNS = ("NPU", "product", "compiles", "settings", "blob", "seconds", "what the compiler says")
NOTE = (
    "Compiled with Intel's own compiler for an NPU that is not here. That it compiles says nothing about what it then "
    "computes or how fast."
)


def section(findings: Sequence[Finding], model: str) -> Section:
    """Return the findings as a table of the report: one row per attempt."""
    rows = []
    for finding in findings:
        for number, outcome in enumerate(finding.outcomes):
            rows.append(
                (
                    finding.platform if number == 0 else "",
                    finding.product if number == 0 else "",
                    "yes" if outcome.compiled else "no",
                    outcome.attempt.settings,
                    human_size(outcome.blob_bytes) if outcome.compiled else "",
                    round(outcome.seconds, 1) if outcome.seconds else "",
                    outcome.message or finding.advice,
                )
            )
    return Section(title=f"NPU readiness of {model}", columns=COLUMNS, rows=tuple(rows), note=NOTE)


@dataclass(frozen=True, kw_only=True)
class Compiler:
    """The compiler as the source of an environment."""

    def status(self) -> Readiness:
        """See Source."""
        return npu_compiler.status()

    def prepare(self, wheels: Sequence[Path]) -> Environment:  # noqa: ARG002 - it takes none
        """See Source."""
        return npu_compiler.prepare()

    def takes(self, wheel: Path) -> bool:  # noqa: ARG002 - it takes none
        """See Source."""
        return False


def for_report(model: str, *, report: Path) -> Section:
    """Return the table for the report, checking `model` for every platform. What cannot be done becomes its note.

    It is a table and no result: nothing ran on a device, so there is nothing to give a verdict on.
    """
    try:
        resolved = resolve(model)
        findings = check(
            resolved,
            settings.platforms(""),
            prompt=min(settings.PROMPT, most_tokens(resolved)),
            environment=npu_compiler.prepare(),
            logs=report / "logs",
            save=None,
        )
    except WheelhouseError as error:
        return Section(title=f"NPU readiness of {model}", columns=COLUMNS, note=f"Not checked: {error}")
    return section(findings, resolved.name)


def run(*, model: str, platforms: str, max_prompt_len: int, save: str, as_text: bool) -> None:
    """Do what `invoke npu-check` says: check, print the table (or JSON unless `as_text`).

    Raise UsageError for what cannot be asked for, UnsupportedError where the compiler cannot run, AuditError when the
    model compiles for none of one platform's settings.
    """
    wanted = settings.platforms(platforms)
    prompt = settings.prompt_length(max_prompt_len)
    resolved = resolve(model)
    if prompt > most_tokens(resolved):
        raise UsageError(
            f"--max-prompt-len is {prompt}, and {resolved.name} takes {most_tokens(resolved)} tokens.",
            remedy="Ask for less.",
        )
    findings = check(
        resolved,
        wanted,
        prompt=prompt,
        environment=npu_compiler.prepare(),
        logs=log_dir() / "npu-check",
        save=Path(save).expanduser().resolve() if save else None,
    )
    if as_text:
        console.result(section_table(section(findings, resolved.name)))
    else:
        show_json(json.dumps(as_json(findings), indent=1))
    refused = [finding.product for finding in findings if finding.compiled is None]
    if refused:
        raise AuditError(
            f"{resolved.name} does not compile for {', '.join(refused)} with any of the settings that were tried.",
            remedy="The table says why; on such a machine use --backend openvino on its CPU or GPU.",
        )


def most_tokens(model: Model) -> int:
    """Return the longest prompt that a model takes."""
    limit = token_room.of(model.facts)
    return settings.LONGEST if limit is None else limit.tokens
