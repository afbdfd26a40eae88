"""Checks that Direct3D 12 and DirectML work here at all: `<python> direct3d_check.py JOB.json` (job: `output`).

Each check goes straight to the interface in question, so that a failure names the gap and not its consequence. The dump
holds for each check whether it passed and what was seen.
"""

from __future__ import annotations

import ctypes
import json
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import worker_dump

IID_ID3D12_DEVICE = "189819f1-1db6-4b57-be54-1821339b85f7"
IID_IDML_DEVICE = "6dbd6437-96fd-423f-a98c-ae5e7c2a573f"
CLSID_SDK_CONFIGURATION = "7cda6aca-a03e-49c8-9458-0334d20e07ce"
IID_SDK_CONFIGURATION = "e9eb5314-33aa-42b2-a718-d77f58b1f1c7"
FEATURE_LEVEL_11_0 = 0xB000
E_NOINTERFACE = 0x80004002
LARGE = 1 << 40
"""Beyond 32 bits: a kernel that only looks as if it could do int64 gets it wrong."""


def _guid(text: str) -> Any:
    return (ctypes.c_byte * 16).from_buffer_copy(uuid.UUID(text).bytes_le)


def _library(path: str) -> Any:
    return getattr(ctypes, "WinDLL")(path)  # noqa: B009 - absent on other systems


def _hresult(value: int) -> str:
    return f"0x{value & 0xFFFFFFFF:08X}"


def get_interface() -> tuple[bool, str]:
    """Say whether D3D12GetInterface can be called and says that there is no Agility SDK, or hands one out."""
    found = ctypes.c_void_p()
    call = _library("d3d12.dll").D3D12GetInterface
    result = call(_guid(CLSID_SDK_CONFIGURATION), _guid(IID_SDK_CONFIGURATION), ctypes.byref(found))
    return result & 0xFFFFFFFF in {0, E_NOINTERFACE}, f"D3D12GetInterface: {_hresult(result)}"


def _device() -> tuple[int, ctypes.c_void_p]:
    device = ctypes.c_void_p()
    create = _library("d3d12.dll").D3D12CreateDevice
    return create(None, FEATURE_LEVEL_11_0, _guid(IID_ID3D12_DEVICE), ctypes.byref(device)), device


def dml_device() -> tuple[bool, str]:
    """Say whether a DirectML device can be made on the first adapter."""
    import onnxruntime

    dml = ctypes.c_void_p()
    result, device = _device()
    if result != 0:
        return False, f"D3D12CreateDevice: {_hresult(result)}"
    directml = Path(onnxruntime.__file__).parent / "capi" / "DirectML.dll"
    result = _library(str(directml)).DMLCreateDevice(device, 0, _guid(IID_IDML_DEVICE), ctypes.byref(dml))
    return result == 0, f"DMLCreateDevice: {_hresult(result)}"


def one_device() -> tuple[bool, str]:
    """Say whether a second device for the same adapter is the first one, as documented and as ONNX Runtime expects."""
    (first_result, first), (second_result, second) = _device(), _device()
    if first_result != 0 or second_result != 0:
        return False, f"D3D12CreateDevice: {_hresult(first_result)}, {_hresult(second_result)}"
    same = first.value == second.value
    return same, f"D3D12CreateDevice twice: {'the same device' if same else 'two devices'}"


def _added(a: Any, b: Any) -> Any:
    """Return a + b as DirectML computes it: arrays of one type and shape."""
    import operator_session
    from onnx import helper
    from operator_graph import Built

    kind = helper.np_dtype_to_tensor_dtype(a.dtype)
    infos = [helper.make_tensor_value_info(name, kind, a.shape) for name in "aby"]
    graph = helper.make_graph([helper.make_node("Add", ["a", "b"], ["y"])], "add", infos[:2], infos[2:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    built = Built(model.SerializeToString(), {"a": a, "b": b})
    return operator_session.run_once(built, operator_session.DML)["y"]


def int64_operator() -> tuple[bool, str]:
    """Say whether an addition of 64-bit integers runs on DirectML and is right."""
    import numpy as np

    a = np.arange(16, dtype=np.int64).reshape(2, 8) * LARGE
    b = np.full((2, 8), LARGE - 1, dtype=np.int64)
    right = bool(np.array_equal(_added(a, b), a + b))
    return right, f"Add of int64 up to 2^44 on DirectML is {'right' if right else 'wrong'}"


def half_rounding() -> tuple[bool, str]:
    """Say whether sums in fp16 are rounded to the nearest, ties to even: up, down, and on both sides of zero."""
    import numpy as np

    ulp = 2.0**-10  # of 1.0
    a = np.array([[1.0] * 8, [-1.0] * 8], dtype=np.float16)
    b = (np.array([0.1, 0.49, 0.5, 0.51, 0.9, 1.49, 1.5, 1.9]) * ulp).astype(np.float16) * a
    wrong = int((_added(a, b) != a + b).sum())  # numpy rounds as IEEE 754 says
    return wrong == 0, f"Add of fp16 on DirectML: {16 - wrong} of 16 sums are rounded to the nearest"


def genai() -> tuple[bool, str]:
    """Say whether ONNX Runtime GenAI can be imported, which needs every function it takes from d3d12.dll."""
    import onnxruntime_genai as og

    available = bool(og.is_dml_available())
    return available, f"onnxruntime_genai {og.__version__} imports, is_dml_available() is {available}"


CHECKS: dict[str, Callable[[], tuple[bool, str]]] = {
    "D3D12GetInterface falls back": get_interface,
    "DMLCreateDevice succeeds": dml_device,
    "an adapter has one device": one_device,
    "an int64 operator runs": int64_operator,
    "fp16 is rounded to the nearest": half_rounding,
    "GenAI imports": genai,
}


def main(arguments: list[str]) -> int:
    """Run all checks; return 0 when the dump is there, whatever they found."""
    job = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    found = {}
    for name, check in CHECKS.items():
        print(f"@progress {name}", flush=True)
        try:
            passed, seen = check()
        except Exception as error:  # noqa: BLE001 - whatever is missing shows up as some exception
            passed, seen = False, f"{type(error).__name__}: {error}"[:400]
        found[name] = {"passed": passed, "seen": seen}
    worker_dump.write(job["output"], {"status": "ok", "checks": found})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
