"""Engine: ONNX Runtime GenAI on the WebGPU plug-in, with proof of the adapter and of where the graph's nodes ran."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import engine_ort_genai
import worker_engine
import worker_profile
import worker_webgpu

VERSIONS = (*engine_ort_genai.VERSIONS, worker_webgpu.PACKAGE)
LIBRARIES = worker_webgpu.LIBRARIES


class WebGpuEngine(worker_profile.ProfiledEngine):
    """A model folder on WebGPU."""

    def __init__(self, model: Any, settings: Mapping[str, str], profile: Path, adapter: worker_webgpu.Adapter) -> None:
        super().__init__(model, settings, profile)
        self._adapter = adapter

    def generate(
        self, ids: Sequence[int], limit: int, on_token: Callable[[int], None] | None = None
    ) -> worker_engine.Generation:
        """See Engine. What the adapter lacks shows here: shaders are written when they are first used."""
        try:
            return super().generate(ids, limit, on_token)
        except RuntimeError as error:
            raise worker_webgpu.explained(error, self._adapter) from error

    def _pieces(self, ids: Sequence[int]) -> list[Sequence[int]]:
        size = self._adapter.at_once or len(ids)
        return [ids[start : start + size] for start in range(0, len(ids), size)]

    def device(self) -> dict[str, str]:
        """See Engine: the provider as ProfiledEngine, the adapter as worker_webgpu says."""
        ran, adapter = super().device(), self._adapter.device()
        return {**ran, "description": adapter["description"], "evidence": f"{ran['evidence']}; {adapter['evidence']}"}

    def settings(self) -> dict[str, str]:
        """See Engine, and the adapter's limits."""
        facts = {f"adapter: {name}": str(value) for name, value in self._adapter.facts().items()}
        return {**super().settings(), **facts, "WebGPU features in use": ", ".join(self._adapter.features())}

    def notes(self) -> list[str]:
        """See Engine."""
        said = []
        if self._adapter.is_software():
            said.append(f"{self._adapter.name()} is software: operators, not drivers or speed")
        if self._adapter.at_once:
            said.append(
                f"prompts went in in pieces of {self._adapter.at_once} tokens, because this plug-in's attention is "
                "wrong for longer ones in software (docs/webgpu.md)"
            )
        return said


def load(job: Mapping[str, Any]) -> worker_engine.Engine:
    """Load the model folder `job["model"]` on WebGPU; options as for engine_ort_genai; `f16`: it needs that."""
    import onnxruntime_genai as og

    adapter = worker_webgpu.Adapter(Path(job["output"]))
    worker_webgpu.register(og.register_execution_provider_library)
    try:
        with adapter.watched():
            opened = worker_profile.open_profiled(job, "webgpu")
    except RuntimeError as error:
        raise worker_webgpu.explained(error, adapter) from error
    if worker_engine.options(job).get("f16"):
        adapter.require_f16()
    return WebGpuEngine(*opened, adapter)
