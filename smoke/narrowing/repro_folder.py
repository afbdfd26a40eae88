"""The folder that shows one operator to be wrong: its model, what goes in, what should come out and does, a script."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wheelhouse.files import write_atomic

MODEL, SCRIPT = "operator.onnx", "repro.py"
_TYPES = {"float16": "F16", "float32": "F32", "float64": "F64", "int64": "I64", "int32": "I32", "int8": "I8",
          "uint8": "U8", "bool": "BOOL"}  # fmt: skip

_TEXT = '''"""{title}

`python repro.py [PROVIDER]`, with numpy and an onnxruntime that has the provider; ends with 1 where it is wrong.
"""
import json, pathlib, sys
import numpy as np, onnxruntime as ort
here, kinds = pathlib.Path(__file__).parent, {kinds}
def load(name):
    raw = (here / name).read_bytes(); end = 8 + int.from_bytes(raw[:8], "little"); head = json.loads(raw[8:end])
    return {{n: np.frombuffer(raw[end:][slice(*t["data_offsets"])], kinds[t["dtype"]]).reshape(t["shape"]) for n, t in head.items()}}
provider, expected = sys.argv[1] if len(sys.argv) > 1 else "{provider}", load("expected.safetensors")
session = ort.InferenceSession(here / "operator.onnx", providers=[(provider, {options}.get(provider, {{}}))], enable_fallback=0)
got = dict(zip(expected, session.run(list(expected), load("inputs.safetensors"))))
off = max(float(np.nan_to_num(np.abs(got[n].astype("f8") - e).max(-1) / np.maximum(np.abs(e.astype("f8")).max(-1), 1e-30), nan=np.inf).max()) for n, e in expected.items())
print(f"{{provider}}: off by {{off:.3g}} of the largest number of a row, {tolerance:.2g} is allowed"); sys.exit(not off <= {tolerance!r})
'''  # noqa: E501


def write(
    folder: Path, *, title: str, provider: str, tolerance: float, arrays: Mapping[str, Mapping[str, Any]]
) -> None:
    """Write arrays (`inputs`, `expected`, `actual`: by name) and the script beside the model in `folder`."""
    for name, content in arrays.items():
        write_atomic(folder / f"{name}.safetensors", packed(content))
    text = _TEXT.format(
        title=title.replace("\\", "/").replace('"', "'"),
        provider=provider,
        tolerance=tolerance,
        options={"DmlExecutionProvider": {"device_id": "0"}},
        kinds={known: kind for kind, known in _TYPES.items()},
    )
    write_atomic(folder / SCRIPT, text)


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
