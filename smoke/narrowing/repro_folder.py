"""The folder that shows one operator to be wrong: its model, what goes in, what should come out and does, a script."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wheelhouse.files import write_atomic

MODEL, SCRIPT = "operator.onnx", "repro.py"
BLOCK = "operator.json"
"""What a block of OpenVINO's is cut by; the block itself is operator.xml and .bin."""
_TYPES = {"float16": "F16", "float32": "F32", "float64": "F64", "int64": "I64", "int32": "I32", "int8": "I8",
          "uint8": "U8", "bool": "BOOL"}  # fmt: skip

_HEAD = '''"""{title}

`python repro.py{usage}`, with numpy and {needs}; ends with 1 where it is wrong.
"""
import json, pathlib, sys
import numpy as np, {imports}
here, kinds = pathlib.Path(__file__).parent, {kinds}
def load(name):
    raw = (here / name).read_bytes(); end = 8 + int.from_bytes(raw[:8], "little"); head = json.loads(raw[8:end])
    return {{n: np.frombuffer(raw[end:][slice(*t["data_offsets"])], kinds[t["dtype"]]).reshape(t["shape"]) for n, t in head.items()}}
'''  # noqa: E501
_ONNX = """provider, expected = sys.argv[1] if len(sys.argv) > 1 else "{provider}", load("expected.safetensors")
session = ort.InferenceSession(here / "operator.onnx", providers=[(provider, {options}.get(provider, {{}}))], enable_fallback=0)
got = dict(zip(expected, session.run(list(expected), load("inputs.safetensors"))))
"""  # noqa: E501
_OPENVINO = """provider, expected, given = "OpenVINO", load("expected.safetensors"), load("inputs.safetensors")
model = openvino.Core().compile_model(here / "operator.xml", {device!r}, {config!r})
feeds = [np.zeros(1, "i4") if i.node.friendly_name == "beam_idx" else given[i.node.friendly_name].astype(i.element_type.to_dtype()) for i in model.inputs]
got = {{o.node.friendly_name.removesuffix("/taken"): value for o, value in model(feeds).items()}}
"""  # noqa: E501
_TAIL = """off = max(float(np.nan_to_num(np.abs(got[n].astype("f8") - e).max(-1) / np.maximum(np.abs(e.astype("f8")).max(-1), 1e-30), nan=np.inf).max()) for n, e in expected.items())
print(f"{{provider}}: off by {{off:.3g}} of the largest number of a row, {tolerance:.2g} is allowed"); sys.exit(not off <= {tolerance!r})
"""  # noqa: E501


def write(
    folder: Path,
    *,
    title: str,
    provider: str,
    tolerance: float,
    arrays: Mapping[str, Mapping[str, Any]],
    openvino: Mapping[str, Any] | None = None,
) -> None:
    """Write arrays (`inputs`, `expected`, `actual`: by name) and the script beside the model in `folder`.

    `openvino`: for a block of OpenVINO's its device, and what else it is given.
    """
    for name, content in arrays.items():
        write_atomic(folder / f"{name}.safetensors", packed(content))
    told = {} if openvino is None else openvino
    text = f"{_HEAD}{_ONNX if openvino is None else _OPENVINO}{_TAIL}".format(
        usage=" [PROVIDER]" if openvino is None else "",
        needs="an onnxruntime that has the provider" if openvino is None else "openvino",
        imports="onnxruntime as ort" if openvino is None else "openvino",
        device=told.get("device", ""),
        config=_properties(told),
        title=title.replace("\\", "/").replace('"', "'"),
        provider=provider,
        tolerance=tolerance,
        options={"DmlExecutionProvider": {"device_id": "0"}},
        kinds={known: kind for kind, known in _TYPES.items()},
    )
    write_atomic(folder / SCRIPT, text)


def _properties(told: Mapping[str, Any]) -> dict[str, str]:
    """Return OpenVINO's properties; those that make it exact stand in the engine (worker_openvino.exact)."""
    exact = {"INFERENCE_PRECISION_HINT": "f32"} if told.get("exact") else {}
    return {name: str(value) for name, value in {**exact, **told.get("config", {})}.items()}


def packed(arrays: Mapping[str, Any]) -> bytes:
    """Return arrays in the format of .safetensors."""
    import numpy as np

    head: dict[str, Any] = {}
    parts, end = [], 0
    for name, array in arrays.items():
        content = np.ascontiguousarray(array).tobytes()
        place = [end, end + len(content)]
        head[name] = {"dtype": _TYPES[array.dtype.name], "shape": list(array.shape), "data_offsets": place}
        parts.append(content)
        end += len(content)
    header = json.dumps(head).encode()
    header += b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header)) + header + b"".join(parts)
