"""What a provider makes of fp16 norms: one-operator models, rows of chosen size, errors against float64.

Stand-alone, for any machine: `pip install numpy onnx onnxruntime-directml`, then `python repro.py`. It needs no model
and takes seconds. `--json FILE` writes everything that was measured; that file is what to send with a report.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

WIDTH = 576
EPSILON = 1e-5
LIMIT = (65504 * WIDTH) ** 0.5
"""The one element whose square, divided by the width, is fp16's largest number."""
SPIKES = (1000, 3000, 6000, 6100, 6140, 6150, 6200, 6300, 7000, 10000, 20000, 60000)
SIZES = (0.001, 0.003, 0.01, 0.03, 0.1, 1.0, 10.0, 100.0, 250.0)
CPU, DIRECTML = "CPUExecutionProvider", "DmlExecutionProvider"
SUBJECTS: dict[str, tuple[str, dict[str, str]]] = {
    "CPU": (CPU, {}),
    "DirectML": (DIRECTML, {"device_id": "0"}),
    # A driver may replace DirectML's shaders by its own; this is DirectML alone.
    "DirectML without metacommands": (DIRECTML, {"device_id": "0", "disable_metacommands": "true"}),
}


def model(kind: str, *, scale: int = 1, fp32_weight: bool = False) -> bytes:
    """Return a model of one norm, SimplifiedLayerNormalization or LayerNormalization, fp16 in and out.

    With `scale`, its input is multiplied by 1/scale and its epsilon divided by scale²: what healing does.
    """
    weight = np.ones(WIDTH, np.float32 if fp32_weight else np.float16)
    constants = {"weight": weight, "bias": np.zeros(WIDTH, weight.dtype), "factor": np.array(1 / scale, np.float16)}
    inputs = ["scaled" if scale > 1 else "x", "weight", *(["bias"] if kind == "LayerNormalization" else [])]
    norm = helper.make_node(kind, inputs, ["wide" if fp32_weight else "y"], epsilon=EPSILON / scale**2, axis=-1)
    nodes = [norm]
    if scale > 1:
        nodes.insert(0, helper.make_node("Mul", ["x", "factor"], ["scaled"]))
    if fp32_weight:
        nodes.append(helper.make_node("Cast", ["wide"], ["y"], to=TensorProto.FLOAT16))
    used = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes,
        "norm",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT16, [1, "rows", WIDTH])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT16, [1, "rows", WIDTH])],
        [numpy_helper.from_array(content, name) for name, content in constants.items() if name in used],
    )
    content: bytes = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    ).SerializeToString()
    return content


def spiked_rows() -> Any:
    """Return rows of small numbers with one large element each, of shape (1, len(SPIKES), WIDTH)."""
    rows = np.random.default_rng(0).standard_normal((1, len(SPIKES), WIDTH)) * 2
    rows[0, :, 7] = SPIKES
    return rows.astype(np.float16)


def even_rows() -> Any:
    """Return normally distributed rows of root mean square SIZES, of shape (1, len(SIZES), WIDTH)."""
    noise = np.random.default_rng(1).standard_normal((1, len(SIZES), WIDTH))
    return (noise * np.array(SIZES)[None, :, None]).astype(np.float16)


def expected(kind: str, rows: Any) -> Any:
    """Return the norm in float64."""
    wide = rows.astype(np.float64)
    if kind == "LayerNormalization":
        wide = wide - wide.mean(-1, keepdims=True)
    return wide / np.sqrt((wide * wide).mean(-1, keepdims=True) + EPSILON)


def errors(subject: str, kind: str, rows: Any, **options: Any) -> list[float | None]:
    """Return for each row the largest error relative to its largest result; None where that is not a number."""
    provider, choices = SUBJECTS[subject]
    settings = ort.SessionOptions()
    settings.log_severity_level = 3
    if provider == DIRECTML:
        settings.enable_mem_pattern = False
        settings.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    session = ort.InferenceSession(model(kind, **options), settings, providers=[(provider, choices)])
    if session.get_providers()[0] != provider:
        raise RuntimeError(f"{provider} was asked for, {session.get_providers()[0]} came")
    got = session.run(None, {"x": rows})[0].astype(np.float64)
    wanted = expected(kind, rows)
    with np.errstate(invalid="ignore"):
        off = np.abs(got - wanted).max(-1)[0] / np.abs(wanted).max(-1)[0]
    return [float(error) if np.isfinite(error) else None for error in off]


def measure() -> dict[str, Any]:
    """Measure everything on the CPU and, where there is one, on DirectML."""
    available = ort.get_available_providers()
    rms, layer = "SimplifiedLayerNormalization", "LayerNormalization"
    spiked, even = spiked_rows(), even_rows()
    columns: dict[str, dict[str, list[float | None]]] = {"spikes": {}, "sizes": {}}
    for subject, (provider, _) in SUBJECTS.items():
        if provider not in available:
            continue
        columns["spikes"][f"{subject}: RMSNorm"] = errors(subject, rms, spiked)
        columns["spikes"][f"{subject}: LayerNorm"] = errors(subject, layer, spiked)
        columns["spikes"][f"{subject}: RMSNorm, scaled by 1/16"] = errors(subject, rms, spiked, scale=16)
        columns["spikes"][f"{subject}: RMSNorm, fp32 weight"] = errors(subject, rms, spiked, fp32_weight=True)
        for scale in (1, 16, 64):
            columns["sizes"][f"{subject}: 1/{scale}"] = errors(subject, rms, even, scale=scale)
    return {
        "onnxruntime": ort.__version__,
        "providers": [name for name in available if name in {CPU, DIRECTML}],
        "system": platform.platform(),
        "processor": platform.processor(),
        "python": platform.python_version(),
        "width": WIDTH,
        "epsilon": EPSILON,
        "limit": LIMIT,
        "spikes": {"rows": list(SPIKES), "errors": columns["spikes"]},
        "sizes": {"rows": list(SIZES), "errors": columns["sizes"]},
    }


def table(first: str, found: dict[str, Any]) -> str:
    """Return a Markdown table of errors, one line a row."""
    columns = found["errors"]
    lines = ["| " + " | ".join([first, *columns]) + " |", "|" + "---:|" * (1 + len(columns))]
    for index, row in enumerate(found["rows"]):
        cells = [column[index] for column in columns.values()]
        lines.append(
            "| " + " | ".join([f"{row:g}", *("not finite" if c is None else f"{c:.1e}" for c in cells)]) + " |"
        )
    return "\n".join(lines)


def main() -> int:
    """Measure, print the tables, and write the JSON that was asked for."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--json", type=Path, help="write what was measured to this file")
    arguments = options.parse_args()
    found = measure()
    print(f"ONNX Runtime {found['onnxruntime']} on {found['system']}: {', '.join(found['providers'])}\n")
    print(f"One large element in a row of {WIDTH}; the mean square passes fp16 at |x| = {LIMIT:.0f}.\n")
    print(table("x", found["spikes"]) + "\n")
    print("Rows of this root mean square, under a scale in front of the norm.\n")
    print(table("rms", found["sizes"]))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(found, indent=1), encoding="utf-8", newline="\n")
    if DIRECTML not in found["providers"]:
        print("\nThis ONNX Runtime has no DirectML: install onnxruntime-directml on Windows.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
