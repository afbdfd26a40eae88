"""Audit wheels: the last step of every build, and `invoke audit`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from recipes.audit.findings import REGISTRY, Finding, Severity
from recipes.audit.readers import limits
from recipes.audit.readers.wheel import Wheel, read_wheel
from recipes.audit.surroundings import Asker, Check, Context
from wheelhouse.errors import AuditError, InputError, WheelhouseError


def audit_wheels(
    paths: Iterable[Path],
    *,
    pair: bool = False,
    own: bool = False,
    online: bool = True,
    index: str | None = None,
    build_roots: Sequence[str] = (),
) -> list[Finding]:
    """Audit wheels and return what was found, worst first.

    `pair` audits them as one installation; `own` holds them to the rules for wheels of this project even when they do
    not say they are; `online` asks pip's indexes (and `index`, a URL or folder) whether requirements can be satisfied;
    `build_roots` are folders that must not appear in them. Raise InputError when a path is not a file.
    """
    return audit_read(read_wheels(paths, own=own, build_roots=build_roots), pair=pair, online=online, index=index)


def read_wheels(
    paths: Iterable[Path], *, own: bool = False, build_roots: Sequence[str] = (), apart: bool = False
) -> tuple[Wheel, ...]:
    """Read the wheels at these paths, each once, with `apart` in processes of their own: several at a time, limited.

    Raise InputError when a path is not a file.
    """
    chosen = list(dict.fromkeys(paths))
    for path in chosen:
        if not path.is_file():
            raise InputError(f"There is no wheel {path}.", remedy="Check the path; patterns need quotes.")
    if apart:
        from recipes.audit.apart import read_apart

        return read_apart(chosen, own=own, roots=tuple(build_roots))
    return tuple(read_wheel(path, own=own, roots=tuple(build_roots)) for path in chosen)


def audit_read(
    wheels: tuple[Wheel, ...], *, pair: bool = False, online: bool = True, index: str | None = None
) -> list[Finding]:
    """Run every rule on wheels that were read, and return what was found, worst first."""
    if not online and index is None:
        return _check(wheels, pair=pair, ask=None)
    from recipes.audit.ask_index import IndexAsker

    asker = IndexAsker(index, configured=online)
    try:
        for wheel in wheels:
            for requirement in wheel.metadata.requirements if wheel.metadata and wheel.named else ():
                asker.prefetch(requirement, wheel)
        return _check(wheels, pair=pair, ask=asker)
    finally:
        asker.close()


def _check(wheels: tuple[Wheel, ...], *, pair: bool, ask: Asker | None) -> list[Finding]:
    from recipes.audit.rules import CHECKS

    context = Context(wheels=wheels, paired=pair, ask=ask)
    found = [finding for wheel in wheels for check in CHECKS for finding in _findings(check, wheel, context)]
    return sorted(dict.fromkeys(found), key=lambda f: -f.severity.rank)


def _findings(check: Check, wheel: Wheel, context: Context) -> list[Finding]:
    """Return what a check finds in a wheel, so many of a rule as a person may read."""
    found: list[Finding] = []
    per_rule: Counter[str] = Counter()
    try:
        for finding in check(wheel, context):
            per_rule[finding.rule] += 1
            if per_rule[finding.rule] <= limits.MAX_FINDINGS:
                found.append(finding)
    except WheelhouseError:
        raise
    except Exception as error:  # noqa: BLE001 - the wheel provoked it, so it is a finding about the wheel
        what = f"made the check '{check.__name__}' fail ({type(error).__name__}: {str(error)[:160]})"
        found.append(REGISTRY["archive-unchecked"].finding(wheel.file, what))
    for rule, count in per_rule.items():
        if count > limits.MAX_FINDINGS:
            last = next(f for f in reversed(found) if f.rule == rule)
            found.append(replace(last, where="", message=f"has {count - limits.MAX_FINDINGS} more of these"))
    return found


def require_clean(findings: Sequence[Finding], *, strict: bool = False) -> None:
    """Raise AuditError when there is an error among the findings, or with `strict` a warning."""
    limit = Severity.WARNING if strict else Severity.ERROR
    bad = [f for f in findings if f.severity.rank >= limit.rank]
    if not bad:
        return
    files = sorted({f.wheel for f in bad})
    counts = ", ".join(
        f"{n} {s.value}{'s' if n > 1 else ''}" for s in Severity if (n := sum(f.severity is s for f in bad))
    )
    first = bad[0]
    place = f"{first.wheel}: {first.where}" if first.where else first.wheel
    raise AuditError(
        f"The audit found {counts} in {', '.join(files)}. {place} {first.message} [{first.rule}].", remedy=first.remedy
    )
