"""Quantised weights, recognised by configuration, files and tensors: they are no reference to compare with."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from smoke.models.check.values import Values, read, shown
from wheelhouse.errors import InputError

REMEDY = "Give the unquantised model: every backend is compared with its weights, and is given its own quantisation."
_METHODS = {
    "gptq": "GPTQ",
    "awq": "AWQ",
    "bitsandbytes": "bitsandbytes",
    "fp8": "FP8",
    "fbgemm_fp8": "FP8 (FBGEMM)",
    "compressed-tensors": "compressed-tensors",
    "mxfp4": "MXFP4",
    "hqq": "HQQ",
    "aqlm": "AQLM",
    "quanto": "Quanto",
    "torchao": "torchao",
    "auto-round": "AutoRound",
    "modelopt": "ModelOpt",
    "quark": "Quark",
    "bitnet": "BitNet",
}
_FILES = {"quantize_config.json": "GPTQ", "quant_config.json": "AWQ", "hf_quant_config.json": "ModelOpt"}
_TENSOR = re.compile(
    r"\.(qweight|qzeros|g_idx|weight_packed|weight_scale(_inv)?|weight_shape|absmax|quant_map|quant_state\..*|SCB"
    r"|weight_format|scales|blocks|(gate_up|down)_proj_(blocks|scales))$"
)
_NUMBERS = ("F64", "F32", "F16", "BF16")
_MASKS = re.compile(r"\.(attn\.(masked_)?bias|attention\.(masked_)?bias|position_ids)$")
"""What older models keep beside their weights: a table of ones, not of what was learnt."""


def refuse_quantised(config: Values) -> None:
    """Raise InputError when a configuration, or a file beside it, says that the weights are quantised."""
    for name in ("quantization_config", "compression_config"):
        part = config.part(name)
        if part is not None:
            raise _refusal(config.path, _described(part), f"{name} says so")
    for name, method in _FILES.items():
        path = config.path.parent / name
        if path.is_file():
            raise _refusal(config.path.parent, _described(read(path), method), f"{name} says so")


def _described(part: Values, otherwise: str = "a method that it does not name") -> str:
    given = part.content.get("quant_method")
    four, eight = (part.content.get(name) is True for name in ("load_in_4bit", "load_in_8bit"))
    named = str(given).lower() if given else "bitsandbytes" if four or eight else ""
    bits = part.content.get("bits", part.content.get("w_bit", 4 if four else 8 if eight else None))
    method = _METHODS.get(named, shown(given) if named else otherwise)
    return f"{method} ({bits} bits)" if isinstance(bits, int) and bits else method


def refuse_packed(folder: Path, dtypes: Mapping[str, str]) -> None:
    """Raise InputError when tensors (name to dtype) hold something else than plain numbers."""
    packed = _first(name for name in dtypes if _TENSOR.search(name))
    if packed is not None:
        raise _refusal(folder, "a method that config.json does not name", f"the tensor '{packed}' says so")
    other = _first(name for name, dtype in dtypes.items() if dtype not in _NUMBERS and not _MASKS.search(name))
    if other is not None:
        raise _refusal(folder, f"{dtypes[other]} in place of floating-point numbers", f"the tensor '{other}' says so")


def _first(names: Iterable[str]) -> str | None:
    return next(iter(names), None)


def _refusal(path: Path, what: str, evidence: str) -> InputError:
    return InputError(f"{path} is quantised with {what}: {evidence}.", remedy=REMEDY)
