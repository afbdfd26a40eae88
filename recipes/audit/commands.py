"""The command line's part of the audit: which files are meant, and what is printed."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

from recipes.audit.report import summary_line, to_json, to_table
from recipes.audit.run import audit_read, read_wheels, require_clean
from wheelhouse.console import result, say
from wheelhouse.errors import InputError, UsageError
from wheelhouse.paths import display, wheels_dir


def after_dashes(argv: Sequence[str]) -> list[str]:
    """Return the tokens after the first `--`, exactly as the shell gave them."""
    tokens = list(argv)
    return tokens[tokens.index("--") + 1 :] if "--" in tokens else []


def wheels_meant(options: Sequence[str], tokens: Sequence[str], default: Path | None = None) -> list[Path]:
    """Return the wheels that files, folders and patterns stand for; those in wheels/ when none is given.

    Raise InputError for one that stands for no wheel.
    """
    given = [*options, *tokens]
    if not given:
        folder = default or wheels_dir()
        found = sorted(folder.glob("*.whl"))
        if not found:
            raise InputError(
                f"There are no wheels in {display(folder)}.",
                remedy="Build some with `invoke build-dml`, or name one: `invoke audit -- FILE.whl`.",
            )
        return found
    return list(dict.fromkeys(path for text in given for path in _expand(text)))


def _expand(text: str) -> list[Path]:
    path = Path(text)
    if path.is_dir():
        found = sorted(path.glob("*.whl"))
        if not found:
            raise InputError(
                f"There is no wheel in {display(path)}.", remedy="Name a folder that has .whl files in it."
            )
        return found
    if path.exists():
        return [path]
    found = sorted(Path(name) for name in glob.glob(text, recursive=True))  # noqa: PTH207 - the pattern may be absolute
    if not found:
        raise InputError(f"There is no wheel {text}.", remedy="Check the path, or the pattern if it is one.")
    return found


def audit_command(
    options: Sequence[str],
    argv: Sequence[str],
    *,
    pair: bool = False,
    as_json: bool = False,
    explain: bool = False,
    index: str = "",
    offline: bool = False,
    strict: bool = False,
) -> None:
    """Carry out `invoke audit`. Raise AuditError when the worst finding is an error, with `strict` a warning.

    Raise UsageError when `pair` is given other than two wheels.
    """
    paths = wheels_meant(options, after_dashes(argv))
    if pair and len(paths) != 2:
        raise UsageError(
            f"--pair audits two wheels as one installation, {len(paths)} {'was' if len(paths) == 1 else 'were'} given.",
            remedy="Name both: `invoke audit --pair -- A.whl B.whl`.",
        )
    wheels = read_wheels(paths)
    if explain:
        from recipes.audit.explain import explain_wheel

        for wheel in wheels:
            result(explain_wheel(wheel))
    findings = audit_read(wheels, pair=pair, online=not offline, index=index or None)
    if as_json:
        print(to_json(wheels, findings))
    else:
        if findings:
            result(to_table(findings, explained=explain))
        say(summary_line(wheels, findings))
    require_clean(findings, strict=strict)
