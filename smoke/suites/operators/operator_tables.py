"""An operator suite's tables in the report: every operator, and where the norms break."""

from __future__ import annotations

from collections.abc import Sequence

from smoke.report.results import Section
from smoke.suites.operators.measured_providers import Target
from smoke.suites.operators.rows import Dump, Limit, Measured, Row

PLAIN_OUTPUTS = ("", "y")


def sections(target: Target, cases: Sequence[Row], dump: Dump) -> tuple[Section, ...]:
    """Return the tables of one run."""
    operators = Section(
        title=f"Operators on {target.device} against the CPU provider",
        columns=("operator", "size", "error", "tolerance", "finding", "smallest that fails"),
        rows=tuple(_operator(row) for row in cases),
        note=f"Errors and tolerances are parts of the largest right value. {target.note}",
    )
    if not dump.limits:
        return (operators,)
    limits = Section(
        title=f"Largest outlier in a row of zeros that a norm gets right in fp16 on {target.device}",
        columns=("norm", "width", "right up to", "wrong at", "sqrt(65504 x width)"),
        rows=tuple(_limit(limit) for limit in dump.limits),
        note="The last column is where the mean square passes fp16's largest number.",
    )
    return (operators, limits)


def _operator(row: Row) -> tuple[str | int | float | None, ...]:
    return (row.name, size(row.dims), _rounded(row.error), _rounded(row.tolerance), finding(row),
            smallest(row))  # fmt: skip


def _limit(limit: Limit) -> tuple[str | int | float | None, ...]:
    return (limit.norm, limit.width, *map(_rounded, (limit.right, limit.wrong, limit.predicted)))


def _rounded(number: float | None) -> float | None:
    return None if number is None else float(f"{number:.4g}")


def size(dims: dict[str, int]) -> str:
    """Return a case's sizes in words."""
    return " ".join(f"{name}={value}" for name, value in dims.items())


def finding(row: Row) -> str:
    """Return what a row says of its operator."""
    if row.is_wrong:
        where = f" ({row.output})" if row.output not in PLAIN_OUTPUTS else ""
        return f"WRONG{where}" if row.status is Measured.RAN else f"FAILED: {row.message}"
    return "agrees" if row.status is Measured.RAN else row.status.value


def smallest(row: Row) -> str:
    """Return the smallest size at which a wrong operator still is, "" where none was looked for."""
    if row.smallest is None:
        return ""
    error = f", error {row.smallest.error:.3g}" if row.smallest.error is not None else ""
    return size(row.smallest.dims) + error
