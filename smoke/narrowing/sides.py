"""The two sides of a comparison: a variant's graph, and where its provider runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from smoke.backends import selection
from smoke.backends.registry import BACKENDS
from smoke.backends.variants import Backend, Variant
from smoke.backends.with_graphs import has_blocks, has_graph
from smoke.environments.source import Environment
from smoke.exports.making import export
from smoke.models.model import Model
from wheelhouse.errors import InputError, UnsupportedError, UsageError

PROVIDERS = {"CPU": "cpu", "DirectML": "dml", "WebGPU": "webgpu", "CUDA": "cuda"}
"""By a variant's device, the worker's name for the provider."""
OPENVINO = "openvino"
"""What runs models of OpenVINO."""
EXECUTION_PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "dml": "DmlExecutionProvider",
    "webgpu": "WebGpuExecutionProvider",
    "cuda": "CUDAExecutionProvider",
}
"""ONNX Runtime's names for them."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """One side: its name on the command line, the provider, its environment, and the folder with its graph."""

    name: str
    label: str
    """The name, and the folder where it is another one's graph."""
    provider: str
    environment: Environment
    folder: Path
    options: Mapping[str, Any] = field(default_factory=dict)
    """For OpenVINO: the properties it is given."""

    @property
    def divided(self) -> bool:
        """Whether it runs single operators, and not blocks of OpenVINO's."""
        return self.provider != OPENVINO

    @property
    def decoder(self) -> dict[str, Any]:
        """What genai_config.json says of the decoder."""
        path = self.folder / "genai_config.json"
        try:
            decoder = json.loads(path.read_text(encoding="utf-8"))["model"]["decoder"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path} is not the configuration of a decoder.") from error
        return dict(decoder)

    @property
    def graph(self) -> Path:
        """The graph's file. Raise InputError where there is none."""
        path = self.folder / (str(self.decoder.get("filename", "")) if self.divided else "openvino_model.xml")
        if not path.is_file():
            raise InputError(f"{self.folder} holds no graph of a decoder.")
        return path

    @property
    def slow(self) -> bool:
        """Whether it runs on a graphics card in software."""
        return self.environment.software_device or self.environment.seconds_per_token > 0


def named(name: str, *, is_right: bool = False) -> tuple[Backend, Variant]:
    """Return the backend and the variant of a name such as "dml:fp16". Raise UsageError where it has no ONNX graph.

    The right side may have one of OpenVINO instead.
    """
    backend_name, _, variant_name = name.partition(":")
    selection.select([name], everything=False)  # for its errors
    backend = next(b for b in BACKENDS if b.name == backend_name)
    variant = next(v for v in backend.variants if variant_name in {"", v.name})
    if has_graph(backend, variant) or (is_right and has_blocks(backend, variant)):
        return backend, variant
    able = ", ".join(b.name for b in BACKENDS if any(has_graph(b, v) for v in b.variants))
    more = "" if is_right else f" On the right there may be {OPENVINO}, too."
    raise UsageError(f"{name} runs no ONNX graph that could be divided.", remedy=f"These do: {able}.{more}")


def prepare(asked: str, model: Model, *, stable_norms: str = "", is_right: bool = False) -> Side:
    """Return a side, ready to run; `asked` is NAME, or NAME=FOLDER for a graph of one's own.

    Raise WheelhouseError where it cannot be.
    """
    name, _, folder = asked.partition("=")
    backend, variant = named(name.lower(), is_right=is_right)
    status = backend.source.status()
    if not status.ready and not status.makeable:
        raise UnsupportedError(status.reason, remedy=status.remedy)
    environment = backend.source.prepare(())
    return Side(
        name=f"{backend.name}:{variant.name}",
        label=asked,
        provider=PROVIDERS[variant.device] if has_graph(backend, variant) else OPENVINO,
        options={"device": variant.device, **variant.options},
        environment=environment,
        folder=Path(folder) if folder else export(model, variant.export, stable_norms=stable_norms),
    )
