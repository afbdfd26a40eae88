"""Writes docs/operators.md from what the suites measured: `python -m smoke.suites.operators.operator_document`.

The measurements lie in docs/operators/, a file for each device, as the suites write them beside their reports; another
file named on the command line takes its place there first (NAME=FILE). What is wrong has to be explained below.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from smoke.suites.operators import measurements, operator_tables
from smoke.suites.operators.measurements import Measurements
from smoke.suites.operators.rows import Measured, Row
from wheelhouse.errors import InputError
from wheelhouse.files import write_atomic
from wheelhouse.paths import ROOT

FOLDER = ROOT / "docs" / "operators"
DOCUMENT = ROOT / "docs" / "operators.md"
COLUMNS = {
    "directml-wine": "DirectML, in Wine",
    "webgpu-swiftshader": "WebGPU, SwiftShader",
    "webgpu-h200": "WebGPU, NVIDIA H200",
}
"""File by file, what its column is called."""
SUITES = {"directml-wine": "dml-ops", "webgpu-swiftshader": "webgpu-ops", "webgpu-h200": "webgpu-ops"}

EXPLANATIONS = {
    ("dml-ops", "prefill, rotary"): "DirectML ignores `do_rotary=1`: the result is that of `do_rotary=0`. Models that "
    "are exported for DirectML rotate in nodes of their own.",
    ("dml-ops", "second prefill"): "DirectML takes new tokens after others only one at a time. GenAI refuses it there: "
    '"Continuous decoding is not supported on the selected device type".',
    ("dml-ops", "separate buffers"): "DirectML does not copy the past into a present of its own. GenAI gives both the "
    "same buffer.",
    ("dml-ops", "growing buffer"): "DirectML refuses a present that is longer than the past. GenAI's buffer has its "
    "length from the start.",
    ("dml-ops", "GatherBlockQuantized"): "DirectML leaves it to the CPU. Exports for it are made with "
    "`shared_embeddings=false`, which keeps the table as floats.",
    ("dml-ops", "LayerNormalization"): "DirectML squares in fp16, so a mean square above 65504 is infinite "
    "([directml-norms.md](directml-norms.md)).",
    ("webgpu-ops", "long prefill"): "The kernel for 32 and more new tokens is wrong in software "
    "([why](webgpu.md#attention-over-32-and-more-new-tokens)). NVIDIA's GPUs are given another one, which is right.",
}
"""By suite and part of the case's name, why: the first that fits. A wrong operator without one stops the document."""

HEAD = """# Operators: DirectML beside WebGPU beside the CPU

Written by `python -m smoke.suites.operators.operator_document` from [operators/](operators/); the numbers are those of
`invoke smoke --backend dml-ops,webgpu-ops`. Each case is one operator at a size of a real model, on the provider alone
(`session.disable_cpu_ep_fallback`, and the profile as proof), against the CPU provider on the same inputs. Numbers are
the largest error as a part of the largest right value; **bold**: beyond the tolerance.
"""
LEGEND = """
The CPU provider is what the others are held to. Its own column, where there is fp16, is the error of its fp16 against
its fp32 on the same values: half a rounding (4.9e-4) everywhere, so what is beyond a tolerance is not the CPU's doing.
Tolerances: 0 where nothing is computed; one or two roundings where each value is computed alone; 1e-5 (fp32) and 1e-2
(fp16) for sums. Products in fp16 may be as wrong as one sum that is rounded after each product, 3.7e-4 times the root
of their number (a running sum in numpy: 0.026 for 8192 products; the H200: 0.014).

- *no shader*: DirectML has the operator at this size as a DXIL shader only, which Wine's Direct3D cannot compile.
- *no f16*: SwiftShader has no 16-bit floats.
- *failed*: the provider refused.
"""


def document(found: Mapping[str, Measurements]) -> str:
    """Return the document over measurements by the name of their column's file. Raise InputError."""
    parts = [
        HEAD,
        *(_device(name, found[name]) for name in COLUMNS),
        "",
        *_table(found),
        LEGEND,
        *_disagreements(found),
    ]
    return "\n".join(parts) + "\n"


def _device(name: str, measured: Measurements) -> str:
    versions = ", ".join(
        f"{package} {version}" for package, version in measured.versions.items() if package.startswith("onnxruntime")
    )
    described = f": {measured.device.description}" if measured.device.description else ""
    return f"- **{COLUMNS[name]}**{described} ({versions})"


def _table(found: Mapping[str, Measurements]) -> list[str]:
    rows = {name: {row.name: row for row in measured.rows} for name, measured in found.items()}
    cases = list(dict.fromkeys(row.name for measured in found.values() for row in measured.rows))
    lines = [
        f"| operator | size | tolerance | {' | '.join(COLUMNS.values())} | CPU |",
        "|---|---|---:" + "|---:" * 4 + "|",
    ]
    for case in cases:
        known = [rows[name].get(case) for name in COLUMNS]
        one = next(row for row in known if row is not None)
        cpu = next((row.cpu_error for row in known if row is not None and row.cpu_error is not None), None)
        cells = [_cell(row) for row in known]
        size = operator_tables.size(one.dims)
        lines.append(f"| {case} | {size} | {_number(one.tolerance)} | {' | '.join(cells)} | {_number(cpu)} |")
    return lines


def _cell(row: Row | None) -> str:
    if row is None:
        return ""
    if row.status is not Measured.RAN:
        return f"**{row.status.value}**" if row.is_wrong else row.status.value
    number = "not finite" if row.error is None else _number(row.error)
    return f"**{number}**" if row.is_wrong else number


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1e}" if value else "0"


def _disagreements(found: Mapping[str, Measurements]) -> list[str]:
    lines = ["## What disagrees, and why", ""]
    for name, title in COLUMNS.items():
        wrong: dict[str, list[Row]] = {}
        for row in found[name].rows:
            if row.is_wrong:
                wrong.setdefault(_explained(SUITES[name], row), []).append(row)
        lines += [f"### {title}", ""]
        lines += [_kind(SUITES[name], why, rows) for why, rows in wrong.items()] or ["Nothing."]
        lines.append("")
    return lines[:-1]


def _explained(suite: str, row: Row) -> str:
    for (known, part), why in EXPLANATIONS.items():
        if known == suite and part in row.name:
            return why
    raise InputError(
        f"{row.name} is wrong on {suite}, and nothing explains it.",
        remedy="Find out why, and add it to EXPLANATIONS in smoke/suites/operators/operator_document.py.",
    )


def _kind(suite: str, why: str, rows: Sequence[Row]) -> str:
    smallest = next((text for row in rows if (text := operator_tables.smallest(row))), "")
    where = f" Smallest: `{smallest}`." if smallest else ""
    names = "; ".join(row.name for row in rows)
    part = next(part for (known, part), text in EXPLANATIONS.items() if known == suite and text == why)
    return f"- {why}{where} Again: `invoke smoke --backend {suite} --operator '{part}'`. Cases: {names}."


def main(arguments: Sequence[str]) -> None:
    """Take files of measurements in (NAME=FILE), then write the document."""
    for argument in arguments:
        name, _, file = argument.partition("=")
        if name not in COLUMNS:
            raise InputError(f"There is no column '{name}'.", remedy=f"NAME=FILE, with one of {', '.join(COLUMNS)}.")
        write_atomic(FOLDER / f"{name}.json", measurements.encoded(measurements.read(Path(file))))
    found = {name: measurements.read(FOLDER / f"{name}.json") for name in COLUMNS}
    write_atomic(DOCUMENT, document(found).encode())


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except InputError as error:
        sys.exit(f"error: {error.message} {error.remedy}")
