"""What `invoke backends` says: each backend and suite, what it runs, whether it is ready, and what would make it so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

from smoke.backends.registry import BACKENDS
from smoke.environments.source import Readiness
from smoke.suites.all_suites import SUITES
from wheelhouse.console import Column, Table

if TYPE_CHECKING:
    from rich.console import RenderableType

State = Literal["ready", "made on first use", "missing"]
_STYLES: dict[State, str] = {"ready": "green", "made on first use": "none", "missing": "yellow"}


class Listed(Struct, frozen=True, kw_only=True):
    """A backend, or a suite of checks; `present` are the variants that run where their device is found."""

    backend: str
    runs: str
    variants: tuple[str, ...]
    present: tuple[str, ...] = ()
    state: State
    reason: str = ""
    remedy: str = ""


def listed() -> list[Listed]:
    """Return everything that can be named with --backend."""
    backends = [
        Listed(
            backend=backend.name,
            runs=backend.summary,
            variants=tuple(variant.name for variant in backend.variants if not variant.if_present),
            present=tuple(variant.name for variant in backend.variants if variant.if_present),
            **_state(backend.source.status()),
        )
        for backend in BACKENDS
    ]
    suites = [
        Listed(backend=suite.name, runs=suite.summary, variants=(suite.variant,), **_state(suite.source.status()))
        for suite in SUITES
    ]
    return backends + suites


def _state(status: Readiness) -> dict[str, Any]:
    if status.ready:
        return {"state": "ready"}
    if status.makeable:
        return {"state": "made on first use"}
    return {"state": "missing", "reason": status.reason, "remedy": status.remedy}


def shown(rows: list[Listed]) -> Iterator[RenderableType]:
    """Yield the list for people, and below it what would make the missing ones ready."""
    from rich.text import Text

    table = Table(
        columns=(
            Column(name="backend"),
            Column(name="state"),
            Column(name="runs", wraps=True, drop=2),
            Column(name="variants", wraps=True, drop=1),
        )
    )
    missing: dict[str, list[str]] = {}
    for row in rows:
        devices = [f"with the device {', '.join(row.present)}"] if row.present else []
        state = Text(row.state, style=_STYLES[row.state])
        table.add(row.backend, state, row.runs, "; ".join([", ".join(row.variants), *devices]))
        if row.reason:
            missing.setdefault(f"{row.reason} {row.remedy}", []).append(row.backend)
    yield table
    for said, names in missing.items():
        yield Text.assemble("\n", (f"{', '.join(names)}: ", "yellow"), said)
