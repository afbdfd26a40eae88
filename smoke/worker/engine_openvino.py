"""Engine: OpenVINO through optimum-intel's OVModelForCausalLM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import worker_engine
import worker_openvino
from engine_transformers import TransformersEngine, load_tokenizer

VERSIONS = ("openvino", "optimum-intel", "optimum", "transformers", "torch", "numpy")
LIBRARIES = ("openvino", "libopencl", "libze_", "ze_loader")

READ_BACK = ("INFERENCE_PRECISION_HINT", "KV_CACHE_PRECISION", "DYNAMIC_QUANTIZATION_GROUP_SIZE",
             "PERFORMANCE_HINT", "EXECUTION_MODE_HINT", "NUM_STREAMS", "INFERENCE_NUM_THREADS")  # fmt: skip


class OpenvinoEngine(TransformersEngine):
    """An OpenVINO model that looks like one of transformers."""

    def __init__(self, model: Any, tokenizer: Any, *, notes: list[str]) -> None:
        super().__init__(model, tokenizer)
        self.compiled = model.request.get_compiled_model()
        self._notes = notes

    def device(self) -> dict[str, str]:
        """See Engine."""
        names = [str(name) for name in self.compiled.get_property("EXECUTION_DEVICES")]
        return worker_openvino.describe(names, "EXECUTION_DEVICES of the compiled model")

    def settings(self) -> dict[str, str]:
        """See Engine."""
        known = {str(name) for name in self.compiled.get_property("SUPPORTED_PROPERTIES")}
        return {name: worker_openvino.text(self.compiled.get_property(name)) for name in READ_BACK if name in known}

    def notes(self) -> list[str]:
        """See Engine."""
        return list(self._notes)

    def devices(self) -> dict[str, str]:
        """See Engine."""
        return worker_openvino.devices()


def load(job: Mapping[str, Any]) -> worker_engine.Engine:
    """Load the folder `job["model"]` that optimum-cli exported, on `job["device"]`.

    Options: `config` (OpenVINO properties), `exact` (see `worker_openvino.exact`).
    """
    chosen = worker_engine.options(job)
    device = str(job["device"])
    worker_engine.require_file(job["model"], "openvino_model.xml")
    worker_openvino.require_device(device)
    config = {str(k): str(v) for k, v in dict(chosen.get("config") or {}).items()}
    notes = worker_openvino.exact(device, config) if chosen.get("exact") else []
    import torch
    from optimum.intel import OVModelForCausalLM

    torch.set_num_threads(1)  # it only moves token ids; its idle threads would spin beside OpenVINO's
    trust = bool(job.get("trust"))
    model = OVModelForCausalLM.from_pretrained(
        job["model"],
        device=device,
        ov_config=config,
        local_files_only=True,
        compile=True,
        trust_remote_code=trust,
    )
    tokenizer = load_tokenizer(job)
    return OpenvinoEngine(model, tokenizer, notes=notes)
