"""The last step of every build: no wheel stays in `wheels/` that the audit found an error in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from recipes.wheels.placing import WheelFacts
from wheelhouse.console import warn
from wheelhouse.errors import AuditError
from wheelhouse.files import sha256_bytes, sha256_tree, write_atomic
from wheelhouse.paths import ROOT, cache_dir
from wheelhouse.steps import Step, ensure

PARALLEL = 2
"""Groups audited at the same time: unpacking and hashing run beside each other, reading machine code does not."""
_RULES = ROOT / "recipes" / "audit"


def prove(folder: Path, wheels: Sequence[WheelFacts]) -> None:
    """Audit wheels that lie in `folder`, those for one Python together; what was audited before is not read again.

    Raise AuditError when there is an error among the findings; the wheels of that Python are removed from `folder`
    first, so that no index and no person takes them. Nothing is asked of any package index. Wheels for ARM64 are
    compared with their x64 twins, too.
    """
    rules = sha256_tree(_RULES, skip=lambda path: "__pycache__" in path.parts)
    with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
        groups = sorted(by_python(wheels).items())
        for done in [pool.submit(_prove_group, folder, tag, group, rules) for tag, group in groups]:
            done.result()
        for done in [pool.submit(_compare, folder, x64, arm64, rules) for x64, arm64 in twins(wheels)]:
            done.result()


def twins(wheels: Sequence[WheelFacts]) -> list[tuple[WheelFacts, WheelFacts]]:
    """Return the wheels that are there for x64 and for ARM64, of one release and Python."""
    known = {wheel.filename: wheel for wheel in wheels}
    names = [(name, name.replace("-win_amd64.whl", "-win_arm64.whl")) for name in known]
    return [(known[one], known[other]) for one, other in names if one != other and other in known]


def _compare(folder: Path, x64: WheelFacts, arm64: WheelFacts, rules: str) -> None:
    """Compare twins once. Raise AuditError when they differ: the ARM64 wheel, of which nothing was run, is removed."""
    inputs = {wheel.filename: wheel.sha256 for wheel in (x64, arm64)}
    place = cache_dir("audits", sha256_bytes(json.dumps(sorted(inputs)).encode())[:16])
    step = Step(name=f"compare {arm64.filename}", output=place, inputs={**inputs, "rules": rules})

    def compare(out: Path) -> None:
        from recipes.audit.processor_twins import differences, side_in

        found = list(differences(*(side_in(folder / wheel.filename) for wheel in (x64, arm64))))
        if found:
            (folder / arm64.filename).unlink()
            where, what = found[0]
            raise AuditError(
                f"{arm64.filename} is not what {x64.filename} is: {where} {what} [twin-differs]. It was removed.",
                remedy="`invoke audit` over both lists all differences.",
            )
        write_atomic(out / "findings.json", "[]\n")

    ensure(step, compare, quiet_when_fresh=True)


def _prove_group(folder: Path, tag: str, group: Sequence[WheelFacts], rules: str) -> None:
    inputs = {wheel.filename: wheel.sha256 for wheel in group}
    place = cache_dir("audits", sha256_bytes(json.dumps(sorted(inputs)).encode())[:16])
    step = Step(name=f"audit {tag}", output=place, inputs={**inputs, "rules": rules})
    paths = [folder / wheel.filename for wheel in group]
    try:
        ensure(step, lambda out: _audit(paths, out), quiet_when_fresh=True)
    except AuditError as error:
        for path in paths:
            path.unlink(missing_ok=True)
        raise AuditError(
            f"{error.message} Nothing of it was left in {folder}.", remedy=error.remedy, log=error.log
        ) from error


def by_python(wheels: Sequence[WheelFacts]) -> dict[str, list[WheelFacts]]:
    """Group wheels by the Python and platform they are for: those are installed together."""
    groups: dict[str, list[WheelFacts]] = {}
    for wheel in wheels:
        python, _, platform = wheel.filename.removesuffix(".whl").split("-")[-3:]
        groups.setdefault(f"{python}-{platform}", []).append(wheel)
    return groups


def _audit(paths: Sequence[Path], out: Path) -> None:
    from recipes.audit import Severity, audit_wheels, require_clean

    findings = audit_wheels(paths, pair=len(paths) == 2, online=False)
    for finding in findings:
        if finding.severity is not Severity.INFO:
            warn(f"{finding.wheel}: {finding.message} [{finding.rule}]")
    require_clean(findings)
    report = [{"wheel": f.wheel, "rule": f.rule, "severity": f.severity.value, "message": f.message} for f in findings]
    write_atomic(out / "findings.json", json.dumps(report, indent=1) + "\n")
