"""Engine: Intel's archived NPU library, which moves the linear layers of a transformers model to the NPU.

Where there is no NPU, the library computes the same layers with OpenVINO on the CPU and only warns. Its C++ code
decides that for each layer by asking OpenVINO for its devices; `device` asks the same function.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import worker_engine
from engine_transformers import TransformersEngine

VERSIONS = ("intel-npu-acceleration-library", "openvino", "transformers", "neural_compressor", "torch", "numpy")
LIBRARIES = ("openvino", "intel_npu_acceleration", "ze_loader", "libze_")

DTYPES = ("fp16", "int8", "int4")
EXACT_ON_CPU = ("ONEDNN_MAX_CPU_ISA", "AVX512_CORE")
"""Keeps a CPU that can compute in bfloat16 from doing so. The library offers no setting for it, and 8 significant bits
are too coarse to compare token by token; an NPU is not affected."""
OLDEST_DRIVER = 2408
"""What the library itself warns about: older drivers give wrong results or crash."""


class NpuLegacyEngine(TransformersEngine):
    """A transformers model whose linear layers the library has taken over (`taken` of `linear` that it had)."""

    def __init__(self, model: Any, tokenizer: Any, *, dtype: str, linear: int, taken: int) -> None:
        super().__init__(model, tokenizer)
        self.dtype = dtype
        self.linear = linear
        self.taken = taken

    def device(self) -> dict[str, str]:
        """See Engine. "NPU" only when OpenVINO has one and the library has layers to run on it."""
        from intel_npu_acceleration_library.backend import lib

        if not lib.isNPUAvailable():
            return {"name": "CPU", "description": "", "evidence": "isNPUAvailable() of the library's runtime is false"}
        if not self.taken:
            return {"name": "CPU", "description": "", "evidence": "the library has taken over none of the layers"}
        evidence = f"isNPUAvailable() of the library's runtime is true, and it has {self.taken} layers"
        return {"name": "NPU", "driver": str(lib.getNPUDriverVersion()), "evidence": evidence, **_npu()}

    def settings(self) -> dict[str, str]:
        """See Engine."""
        layers = f"{self.taken} of {self.linear} (attention and norms stay in torch on the CPU)"
        return {**super().settings(), "weights": self.dtype, "linear layers in the NPU library": layers}

    def notes(self) -> list[str]:
        """See Engine."""
        device = self.device()
        if device["name"] == "CPU":
            return ["what the library would give to an NPU was computed by OpenVINO on the CPU, without bfloat16"]
        if device["driver"].isdigit() and int(device["driver"]) < OLDEST_DRIVER:
            return [f"the NPU's driver {device['driver']} is older than {OLDEST_DRIVER}, which the library requires"]
        return []


def _npu() -> dict[str, str]:
    """Return what OpenVINO says about the NPU itself, where its Python package is at hand."""
    try:
        from openvino import Core

        core = Core()
        return {
            "description": str(core.get_property("NPU", "FULL_DEVICE_NAME")),
            "architecture": str(core.get_property("NPU", "DEVICE_ARCHITECTURE")),
        }
    except (ImportError, RuntimeError):
        return {"description": ""}


def rope(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rotary settings of a config.json where transformers 4 looks for them.

    transformers 5 writes them all into `rope_parameters`; transformers 4 does not know that and would silently take
    its default base instead of the model's.
    """
    found = dict(config.get("rope_parameters") or {})
    if not found:
        return {}
    moved = {name: found.pop(name) for name in ("rope_theta", "original_max_position_embeddings") if name in found}
    kind = found.pop("rope_type", "default")
    found.pop("type", None)
    found.pop("partial_rotary_factor", None)
    return {**moved, "rope_scaling": None if kind == "default" else {"type": kind, "rope_type": kind, **found}}


def chat_template(folder: Path) -> str | None:
    """Return the model's chat template: from the file that a newer transformers writes, or its older place."""
    own = folder / "chat_template.jinja"
    if own.is_file():
        return own.read_text(encoding="utf-8")
    settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    found = settings.get("chat_template")
    return str(found) if found else None


def load(job: Mapping[str, Any]) -> worker_engine.Engine:
    """Load the Hugging Face folder `job["model"]` through the library. Options: `dtype` ("fp16", "int8", "int4").

    One dtype per process: a second one makes the library abort Python.
    """
    dtype = str(worker_engine.options(job).get("dtype", "fp16"))
    if dtype not in DTYPES:
        raise ValueError(f"The dtype is {dtype!r}; the library has {', '.join(DTYPES)}.")
    folder = Path(job["model"]).resolve()
    worker_engine.require_file(str(folder), "config.json")
    settings = rope(json.loads((folder / "config.json").read_text(encoding="utf-8")))
    os.chdir(job["output"])  # the library keeps compiled layers in ./cache
    return _load(folder, dtype, settings)


def _load(folder: Path, dtype: str, settings: Mapping[str, Any]) -> worker_engine.Engine:
    import torch
    from transformers import PreTrainedTokenizerFast

    torch.set_num_threads(1)
    os.environ.setdefault(*EXACT_ON_CPU)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there is no NPU is reported as the device
        import intel_npu_acceleration_library as library
        from intel_npu_acceleration_library.compiler import CompilerConfig
        from intel_npu_acceleration_library.nn import Linear, QuantizedLinear

    precision = {"fp16": torch.float16, "int8": library.int8, "int4": library.int4}[dtype]
    # Without `export` the model is not saved to be loaded again: torch refuses to load such files since 2.6.
    model = library.NPUModelForCausalLM.from_pretrained(
        str(folder), CompilerConfig(dtype=precision), export=False, local_files_only=True, **settings
    )
    taken = sum(isinstance(module, (Linear, QuantizedLinear)) for module in model.modules())
    left = sum(isinstance(module, torch.nn.Linear) for module in model.modules())
    # The file itself, not AutoTokenizer: this transformers does not know the classes that a newer one has written.
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"), chat_template=chat_template(folder)
    )
    return NpuLegacyEngine(model, tokenizer, dtype=dtype, linear=taken + left, taken=taken)
