"""DirectML or WebGPU, its successor: what can be compared, from the pins, from PyPI and from what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recipes.spec import load
from smoke.environments import environment_recipes
from smoke.parity.verdicts import Verdict
from wheelhouse.console import Column, Table

if TYPE_CHECKING:
    from smoke.report.results import Report, Result

PLUGIN = ("onnxruntime", "onnxruntime-genai", "onnxruntime-ep-webgpu")
SIZES = ("33 MB x64, 31 MB ARM64", "32 MB x64, 33 MB ARM64")
"""Of those wheels for Windows, as downloaded."""
FIXED = (
    ("runs on", "Windows 10 1909 or later, x64 and ARM64", "Windows x64 and ARM64; Linux x64"),
    ("through", "Direct3D 12", "Direct3D 12; Vulkan on Linux"),
    ("maintained", "no longer developed; its packages are made here", "in development; the plug-in is a beta"),
    ("telemetry on Windows", "GenAI's is on; ORT_DISABLE_TELEMETRY=1 stops it", "the same"),
    ("models", "fp16; int4 over fp16", "fp32; int4 over fp32; both over fp16 where the adapter has f16"),
    (
        "really run on",
        "software Direct3D 12 in Wine",
        "an NVIDIA H200 and an H100; SwiftShader and lavapipe, in software; the Windows plug-in in Wine",
    ),
    ("tiny-phi3 there", "fp16, int4: all tokens, KL 5e-7", "fp16: all tokens, KL 4e-6; fp32: 7e-14; int4: 5e-5"),
    ("SmolLM2 on a GPU", "not measured", "H100: int4 PASS, 117 to 197 tokens/s; fp16 DIVERGED"),
)
"""What was measured or is written by the projects themselves; sources in docs/webgpu.md."""


def rows(report: Report | None) -> list[tuple[str, str, str]]:
    """Return what is compared, what it is for DirectML, and what for WebGPU; `report`: the last about the model."""
    pins = dict(pin.split("==") for pin in environment_recipes.environment("webgpu").packages if "==" in pin)
    packages = "; ".join(f"{name} {pins[name]}" for name in PLUGIN)
    found = [("packages", _pair(), packages), ("download", *SIZES), *FIXED]
    if report is not None:
        ours, theirs = (_measured(report, backend) for backend in ("dml", "webgpu"))
        if ours or theirs:
            found.append((f"{report.model.name} here", ours or "not run", theirs or "not run"))
    return found


def _pair() -> str:
    """Return the pair of wheels that `invoke build-dml` makes, with their public versions."""
    published = load.load("published").published
    if published is None:
        return ""
    origins = {artifact.package: artifact.version for artifact in published.artifacts}
    return "; ".join(f"{item.name} {item.version or origins[item.package]}" for item in published.repack)


def _measured(report: Report, backend: str) -> str:
    return "; ".join(_result(r) for r in report.results if r.backend == backend and r.verdict is not Verdict.SKIPPED)


def _result(result: Result) -> str:
    logits, rate = result.metrics.logits, result.performance.tokens_per_s
    parts = [f"{result.variant} {result.verdict.value}"]
    parts += [f"KL {logits.kl:.1g}"] if logits else []
    parts += [f"{rate:.3g} tokens/s"] if rate else []
    return ", ".join(parts)


def table(report: Report | None) -> Table:
    """Return the comparison for a terminal."""
    made = Table(
        columns=(Column(name=""), Column(name="DirectML", wraps=True), Column(name="WebGPU", wraps=True)),
        title="DirectML or WebGPU?",
    )
    for row in rows(report):
        made.add(*row)
    return made
