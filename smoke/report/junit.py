"""The report as JUnit XML, in the dialect that CI systems read: one test case per variant."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from smoke.parity.verdicts import Verdict
from smoke.report import wording
from smoke.report.results import Report, Result

_CRASHES = {Verdict.CRASHED, Verdict.TIMED_OUT}


def render(report: Report) -> bytes:
    """Return the XML document. DIVERGED and FELL_BACK are failures, CRASHED and TIMED_OUT errors."""
    root = Element("testsuites")
    verdicts = [result.verdict for result in report.results]
    faults = [result.verdict for result in report.faults()]
    suite = SubElement(
        root,
        "testsuite",
        name=_clean(f"smoke {report.model.name}"),
        timestamp=report.created,
        tests=str(len(verdicts)),
        failures=str(sum(verdict not in _CRASHES for verdict in faults)),
        errors=str(sum(verdict in _CRASHES for verdict in verdicts)),
        skipped=str(verdicts.count(Verdict.SKIPPED)),
        time=f"{report.seconds:.3f}",
    )
    for result in report.results:
        _case(suite, result)
    indent(root)
    document: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _case(suite: Element, result: Result) -> None:
    case = SubElement(
        suite,
        "testcase",
        classname=".".join(_clean(part) for part in ("smoke", result.machine, result.backend) if part),
        name=result.variant,
        time=f"{result.performance.worker_s or 0:.3f}",
    )
    said = _clean(" ".join(part for part in (result.reason, result.remedy) if part))
    if result.verdict is Verdict.SKIPPED:
        SubElement(case, "skipped", message=said)
    elif result.is_fault:
        kind = "error" if result.verdict in _CRASHES else "failure"
        SubElement(case, kind, type=result.verdict.value, message=said).text = said
    if result.text:
        measured = f"device {result.device}; equal tokens {wording.prefix(result)}; KL {wording.divergence(result)}"
        SubElement(case, "system-out").text = _clean(f"{measured}\n\n{result.text[0]}")


def _clean(text: str) -> str:
    """Return text without the characters that XML 1.0 cannot hold."""
    return "".join(c if _allowed(ord(c)) else wording.printable(c) for c in text)


def _allowed(code: int) -> bool:
    return code in {0x9, 0xA} or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or 0x10000 <= code <= 0x10FFFF
