"""An engine with proof of where the nodes of its graph ran: ONNX Runtime's own profile, written while everything runs.

It names the provider of every node that was executed. What may run on the CPU is the arithmetic of lengths that
attention takes from host memory: whole numbers, a few bytes. (`session.disable_cpu_ep_fallback` refuses those as well;
the operator suite, which has none, sets it.)
"""

from __future__ import annotations

import gc
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import engine_ort_genai
import worker_engine

CPU = "CPUExecutionProvider"
HOST = "the host (lengths)"
LENGTH_BYTES = 64
INTEGERS = ("int32", "int64")
# ONNX Runtime's names of providers, in the words of the reports.
PROVIDERS = {"DmlExecutionProvider": "DirectML", "WebGpuExecutionProvider": "WebGPU", CPU: "CPU"}


class ProfiledEngine(engine_ort_genai.OrtGenaiEngine):
    """A model folder whose nodes are counted by provider; `profile` is the path that its profile's name begins with."""

    def __init__(self, model: Any, settings: Mapping[str, str], profile: Path) -> None:
        super().__init__(model, settings)
        self._profile = profile
        self._nodes: Counter[tuple[str, str]] = Counter()
        self._reported = ""

    def device(self) -> dict[str, str]:
        """See Engine: what GenAI says, and after `close` also what the profile says."""
        if not self._nodes:
            return super().device()
        names = sorted({PROVIDERS.get(provider, provider) for provider, _ in self._nodes if provider != HOST})
        counts = "; ".join(f"{count} x {op} on {where}" for (where, op), count in sorted(self._nodes.items()))
        return {
            "name": ",".join([self._reported, *(name for name in names if name != self._reported)]),
            "description": "",
            "evidence": f"Model.device_type is {self._reported!r}; executed, by ONNX Runtime's profile: {counts}",
        }

    def close(self) -> None:
        """End the session, which writes the profile, and read it."""
        self._reported = super().device()["name"]
        self.tokenizer = self.model = None
        gc.collect()
        for path in self._profile.parent.glob(f"{self._profile.name}*.json"):
            self._nodes += nodes_by_provider(json.loads(path.read_text(encoding="utf-8")))
            path.unlink()


def nodes_by_provider(events: Iterable[Mapping[str, Any]]) -> Counter[tuple[str, str]]:
    """Count the executions of nodes by provider and operator in the events of a profile; lengths are on HOST."""
    found: Counter[tuple[str, str]] = Counter()
    for event in events:
        arguments = event.get("args", {})
        if event.get("cat") == "Node" and "provider" in arguments:
            provider = str(arguments["provider"])
            found[HOST if provider == CPU and _is_length(arguments) else provider, str(arguments["op_name"])] += 1
    return found


def _is_length(arguments: Mapping[str, Any]) -> bool:
    """Return whether a node made nothing but whole numbers, and few enough to be lengths rather than data."""
    outputs = [name for entry in arguments.get("output_type_shape", []) for name in entry]
    size = int(arguments.get("output_size", LENGTH_BYTES + 1))
    return bool(outputs) and all(name in INTEGERS for name in outputs) and size <= LENGTH_BYTES


def open_profiled(job: Mapping[str, Any], provider: str) -> tuple[Any, dict[str, str], Path]:
    """Return what a ProfiledEngine is made of: the folder `job["model"]` on `provider`; options as for `open_model`."""
    profile = Path(job["output"], "profile")
    chosen = {
        **worker_engine.options(job),
        "provider": provider,
        "overlay": {"model": {"decoder": {"session_options": {"enable_profiling": str(profile)}}}},
    }
    return (*engine_ort_genai.open_model({**job, "options": chosen}), profile)
