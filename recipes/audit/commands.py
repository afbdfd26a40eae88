"""The command line's part of the audit: which files are meant, and what is printed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from recipes.audit.ask_index import require_index
from recipes.audit.auditing import audit_read, read_wheels, require_clean
from recipes.audit.report import summary_line, to_json, to_table
from wheelhouse.console import Loudness, loudness, result, say, show, show_json
from wheelhouse.errors import UsageError
from wheelhouse.given_wheels import all_wheels, wheels_meant
from wheelhouse.paths import wheels_dir


def audit_command(
    given: Sequence[str],
    *,
    pair: bool = False,
    as_json: bool = False,
    explain: bool = False,
    index: str = "",
    offline: bool = False,
    strict: bool = False,
    sarif: str = "",
) -> None:
    """Carry out `invoke audit`. Raise AuditError when the worst finding is an error, with `strict` a warning.

    `sarif` is a file to write the findings to, besides. Raise UsageError when `pair` is given other than two wheels.
    """
    require_index(index)
    paths = wheels_meant(given) if given else all_wheels(wheels_dir())
    if pair and len(paths) != 2:
        raise UsageError(
            f"--pair audits two wheels as one installation, {len(paths)} {'was' if len(paths) == 1 else 'were'} given.",
            remedy="Name both: `invoke audit --pair A.whl B.whl`.",
        )
    wheels = read_wheels(paths, apart=True)
    if explain:
        from recipes.audit.explain import explain_wheel

        for wheel in wheels:
            result(explain_wheel(wheel))
    findings = audit_read(wheels, pair=pair, online=not offline, index=index or None)
    if sarif:
        from recipes.audit.sarif import write_sarif

        write_sarif(Path(sarif), wheels, findings)
    if as_json:
        show_json(to_json(wheels, findings))
    elif loudness() is Loudness.QUIET:
        show(summary_line(wheels, findings))
    else:
        if findings:
            result(to_table(findings, explained=explain))
        say(summary_line(wheels, findings))
    require_clean(findings, strict=strict)
