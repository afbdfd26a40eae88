"""What somebody who is to mend something needs to know first, as text to be copied."""

from __future__ import annotations

from smoke.parity.verdicts import Verdict
from smoke.report import wording
from smoke.report.page import sentences
from smoke.report.results import Report, Result


def text(report: Report) -> str:
    """Return what somebody who is to mend something needs to know first, as Markdown."""
    host = report.host
    lines = [
        f"dml-wheelhouse smoke report of {report.created}: {wording.headline(report)}",
        f"machine: {host.system}, {host.machine}, {host.cpu}, {host.cores} cores, {wording.memory(host.memory_bytes)}",
        f"devices seen: {', '.join(f'{name} = {value}' for name, value in sorted(host.devices.items())) or 'none'}",
        f"model: {report.model.name}, key {report.model.key}",
        *wording.model_remarks(report),
        "",
    ]
    wanted = report.faults() or [r for r in report.results if r.verdict is not Verdict.SKIPPED]
    for result in wanted:
        lines.append(f"- {result.name}: {wording.verdict(result.verdict)} on {result.device or 'no device'}")
        lines += [f"  {line}" for line in result.reason.splitlines() if line]
        lines += [f"  {_measured(result)}"] if result.checks else []
        versions = ", ".join(f"{name} {version}" for name, version in sorted(result.versions.items()))
        lines += [f"  versions: {versions}"] if versions else []
        lines += [f"  settings: {', '.join(f'{k}={v}' for k, v in sorted(result.settings.items()))}"] * bool(
            result.settings
        )
        again = sentences.command(report, result)
        lines += [f"  again: {again}"] if again else []
    return "\n".join(wording.printable(line) for line in lines)


def _measured(result: Result) -> str:
    parts = [
        f"{check.name} {wording.number(check.value, 3) or 'not finite'} ({'at least' if check.at_least else 'at most'} "
        f"{wording.number(check.limit)})"
        for check in result.checks
    ]
    return f"{result.gate}: {'; '.join(parts)}"
