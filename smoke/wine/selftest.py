"""Whether a runtime that was just made does what it is for. Until it does, nothing is said to be ready."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import msgspec
from msgspec import Struct

from smoke.environments.source import Environment
from smoke.wine import places
from smoke.wine.parts import direct3d, rounding
from smoke.wine.recipe import WineRecipe
from wheelhouse import steps
from wheelhouse.console import say, task
from wheelhouse.errors import StepFailedError
from wheelhouse.files import sha256_file, write_atomic
from wheelhouse.paths import ROOT
from wheelhouse.process import run
from wheelhouse.steps import Step

WORKER = ROOT / "smoke" / "worker" / "direct3d_check.py"
TRACE_VARIABLE = "DML_WHEELHOUSE_D3D12_TRACE"
MASKED = "Int64ShaderOps"
"""What the trace of our d3d12.dll says when it has corrected the device's promise."""
_SECONDS = 300.0


class Check(Struct, frozen=True, kw_only=True):
    """One check: whether it passed, and what was seen."""

    passed: bool
    seen: str


class _Dump(Struct, frozen=True, kw_only=True):
    checks: dict[str, Check]


def step(recipe: WineRecipe) -> Step:
    """Return the step whose output is the record of a self-test that passed."""
    inputs = {
        "prefix": direct3d.prefix_step(recipe).key,
        "rounding": rounding.step().key,
        "checks": sha256_file(WORKER),
    }
    return Step(name="self-test of the Wine runtime", output=places.base() / "self-test", inputs=inputs)


def ensure(recipe: WineRecipe, environment: Environment) -> None:
    """Run the self-test in `environment` unless it has passed. Raise StepFailedError naming what is wrong."""

    def make(folder: Path) -> None:
        checks = run_checks(environment, folder)
        for name, check in checks.items():
            say(f"  {'✓' if check.passed else '✗'} {name}: {check.seen}")
        wrong = [f"{name} ({check.seen})" for name, check in checks.items() if not check.passed]
        if wrong:
            raise StepFailedError(
                f"The Wine runtime was made, but does not work: {'; '.join(wrong)}.",
                remedy="`invoke wine-clean` and `invoke wine-setup` make it anew; "
                f"with {TRACE_VARIABLE}=1 our d3d12.dll says what it is asked for.",
                log=places.log("self-test"),
            )

    steps.ensure(step(recipe), make, quiet_when_fresh=True)


def run_checks(environment: Environment, folder: Path) -> Mapping[str, Check]:
    """Run the checks in `environment`, writing to `folder`; return them by name, the trace's own among them."""
    name = environment.host_path
    trace = folder / "trace.log"
    write_atomic(folder / "job.json", json.dumps({"output": name(folder)}))
    traced = replace(environment, env={**environment.env, TRACE_VARIABLE: name(trace)})
    command = traced.command(name(WORKER), name(folder / "job.json"), timeout=_SECONDS)
    with task("self-test of the Wine runtime") as shown:
        run(command, log=places.log("self-test"), on_line=shown.update)
    found = dict(msgspec.json.decode((folder / "dump.json").read_bytes(), type=_Dump).checks)
    text = trace.read_text(encoding="utf-8", errors="replace") if trace.exists() else ""
    line = next((line for line in text.splitlines() if MASKED in line), "")
    found["Int64ShaderOps is not promised"] = Check(passed=bool(line), seen=line or "our d3d12.dll was not asked")
    return found
