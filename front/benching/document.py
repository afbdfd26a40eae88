"""The measurements as JSON, as a table for people, and as docs/performance.md (`python -m front.benching.document`)."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct

from front.benching.timing import Row
from wheelhouse.console import Column, Table
from wheelhouse.files import human_size, write_atomic
from wheelhouse.paths import ROOT

JSON, PAGE = ROOT / "docs" / "performance.json", ROOT / "docs" / "performance.md"


class Measured(Struct, frozen=True, kw_only=True):
    """One run of `invoke bench`: the machine, how busy it was, and the rows."""

    created: str
    system: str
    cpu: str
    cores: int
    memory_bytes: int
    gpu: str
    python: str
    load: float | None
    """Processes that wanted a core when it began and when it ended, whichever was more; None: not known."""
    rows: tuple[Row, ...]

    @property
    def machine(self) -> str:
        """The machine in a line."""
        busy = "" if self.load is None else f", load average {self.load:.1f}"
        memory = human_size(self.memory_bytes)
        return f"{self.cpu}, {self.cores} cores, {memory}, {self.gpu}; {self.system}, Python {self.python}{busy}"


def why(row: Row, measured: Measured) -> str:
    """Return what there is to say of a row: why it is not measured, why its target is missed, what it consists of."""
    said = [row.skipped or row.note]
    busy = measured.load is not None and measured.load > measured.cores
    # Only where it would have met its target alone: what works longer than that has missed it by itself.
    enough = row.cpu_s is not None and row.limit is not None and row.cpu_s <= row.limit
    if row.verdict == "missed" and row.unit == "s" and busy and enough:
        said.insert(0, f"other work had the machine, too: its processors worked {row.cpu_s:.2f} s for this")
    return "; ".join(part for part in said if part)


def table(measured: Measured) -> Table:
    """Return the rows for a terminal."""
    columns = (
        Column(name="what", wraps=True),
        Column(name="target"),
        Column(name="measured"),
        Column(name=""),
        Column(name="beside", wraps=True, drop=2),
        Column(name="remark", wraps=True, drop=1),
    )
    made = Table(columns=columns, note=measured.machine)
    for row in measured.rows:
        made.add(row.what, row.target, row.said, row.verdict, _parts(row), why(row, measured))
    return made


def page(measured: Measured) -> str:
    """Return docs/performance.md."""
    lines = [
        "# How fast it is",
        "",
        "Measured by `invoke bench`; this page is made of [performance.json](performance.json) by",
        "`python -m front.benching.document`. Each row is of one run: medians of alternating rounds; long ones once.",
        "",
        f"{measured.created[:10]}, {measured.machine}.",
        "",
        "| what | target | measured | | processors | beside | remark |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in measured.rows:
        cpu = "" if row.cpu_s is None else f"{row.cpu_s:.2f} s"
        cells = (row.what, row.target, row.said, row.verdict, cpu, _parts(row), why(row, measured))
        lines.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |")
    missed = [row for row in measured.rows if row.verdict == "missed"]
    counted = sum(row.verdict == "met" for row in measured.rows)
    lines += [
        "",
        f"{counted} targets met, {len(missed)} missed{': ' if missed else ''}{', '.join(r.name for r in missed)}.",
    ]
    return "\n".join(lines) + "\n"


def _parts(row: Row) -> str:
    return ", ".join(f"{part.name} {part.seconds:.2f} s" for part in row.parts)


def read(file: Path = JSON) -> Measured:
    """Read what was measured."""
    return msgspec.json.decode(file.read_bytes(), type=Measured)


if __name__ == "__main__":
    write_atomic(PAGE, page(read()))
