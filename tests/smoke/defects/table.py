"""The matrix of defects and gates as a page: `python -m tests.smoke.defects.table` runs it all and writes it anew."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.smoke.defects.catalogue import ASKED, DEFECTS, HEALTHY, Defect
from tests.smoke.defects.planting import EXPORTS, is_caught, planted
from wheelhouse.paths import ROOT

MODEL = "tiny-phi3"
PAGE = ROOT / "docs" / "parity.md"
WORDS = 110
HEAD = """# What a PASS excludes

Defects planted by code into tiny-phi3 (`tests/smoke/defects/catalogue.py`), run by real workers of ONNX Runtime GenAI
and judged as `invoke smoke` judges; healthy variations beside them. fp32 is held to transformers, int4 to its twin.
`python -m tests.smoke.defects.table` writes this page anew; `pytest -m integration tests/smoke/defects` holds the code
to it. What the gates are, and what their limits rest on: [smoke.md](smoke.md), `smoke/parity/thresholds.toml`.

| defect | fp32 | int4 |
|---|---|---|
"""
MIDDLE = """
None of these trips a gate:

| healthy variation | fp32 | int4 |
|---|---|---|
"""


@dataclass(frozen=True)
class Row:
    """One defect or healthy variation in one export, and whether the verdict on it is right."""

    name: str
    export: str
    healthy: bool
    right: bool
    said: str


def measured(work):
    """Run everything."""
    defects = {defect.name: defect for defect in DEFECTS}
    rows = []
    for (name, export), result in planted(MODEL, DEFECTS, work / "defects", healthy=HEALTHY).items():
        healthy = name in HEALTHY
        right = result.verdict == "PASS" if healthy else is_caught(defects[name], result)
        rows.append(Row(name, export, healthy, right, f"{result.verdict.value}: {result.reason}"))
    for name, (asked, tokens) in ASKED.items():
        folder = work / Defect(name, "").key
        for (_, export), result in planted(MODEL, (), folder, healthy=[name], asked=asked, tokens=tokens).items():
            rows.append(Row(name, export, True, result.verdict == "PASS", f"{result.verdict.value}: {result.reason}"))
    return rows


def page(rows):
    """Return the page."""
    cells = {(row.name, row.export): row for row in rows}

    def line(name):
        shown = [_cell(cells.get((name, export))) for export in EXPORTS]
        return f"| {name} | {' | '.join(shown)} |\n"

    names = dict.fromkeys(row.name for row in rows if not row.healthy)
    healthy = dict.fromkeys(row.name for row in rows if row.healthy)
    return HEAD + "".join(map(line, names)) + MIDDLE + "".join(map(line, healthy))


def _cell(row):
    if row is None:
        return ""
    if row.healthy:
        return "passes" if row.right else f"**trips**: {row.said[:WORDS]}"
    said = row.said.partition(": ")[2].replace("|", "\\|").replace("\n", " ")
    short = said if len(said) <= WORDS else said[:WORDS].rpartition(" ")[0] + " …"
    return short if row.right else f"**not caught**: {short}"


def main():
    with tempfile.TemporaryDirectory() as work:
        PAGE.write_text(page(measured(Path(work))), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
