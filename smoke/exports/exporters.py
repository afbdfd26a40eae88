"""What each export is: the command that makes it, and the files that must come out.

The commands are those of the tools' own guides, so that a log line can be compared with them, or typed by hand. The
tools are started as modules, because an environment's console scripts do not survive its move (see venvs.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from smoke.models.check.folder_facts import Facts
from wheelhouse.errors import UnsupportedError

GENAI_FILES = ("genai_config.json", "model.onnx", "tokenizer.json")
OPENVINO_FILES = (
    "openvino_model.xml",
    "openvino_model.bin",
    "openvino_tokenizer.xml",
    "openvino_detokenizer.xml",
    "config.json",
)
_GENAI = "onnxruntime_genai.models.builder"
_SCALINGS = ("default", "linear", "yarn")
"""Scalings of positions that the builder (0.18) computes; it stops at the others."""
_SCALINGS_OF_FAMILIES = {
    # Its Llama looks for Llama 3's alone and takes the rest for none; up to the original window, dynamic is none.
    "llama": ("default", "llama3", "dynamic"),
    "smollm3": ("default", "llama3", "dynamic"),
    "phi3": (*_SCALINGS, "longrope"),
}
GROUP_SIZE = 128
"""Weights that share one scale in the guide's int4 settings for NPUs and GPUs."""


@dataclass(frozen=True, kw_only=True)
class Exporter:
    """One kind of export: `module` is started with `options`; `files` must be there afterwards.

    For estimates, all of them measured and rounded up (docs/models.md): `size` is the result's size as a share of the
    float32 weights, `scratch` that of temporary files as a share of the model's own files, `memory` the bytes of memory
    per parameter at the peak.
    """

    kind: str
    module: str
    options: tuple[str, ...]
    files: tuple[str, ...]
    size: float
    memory: float
    scratch: float = 0.0

    def require_able(self, model: Facts) -> None:
        """Raise UnsupportedError when the exporter would leave out how the model scales positions."""
        if self.module != _GENAI:
            return
        kept = _SCALINGS_OF_FAMILIES.get(model.family, _SCALINGS)
        if model.rope.kind not in kept:
            raise UnsupportedError(
                f"ONNX Runtime GenAI's model builder leaves out the {model.rope.kind} scaling of positions of "
                f"{model.architecture}: the export would be another model.",
                remedy="Other backends have it: --backend openvino.",
            )

    def settings(self, model: Facts) -> tuple[str, ...]:
        """Return the options for a model: the guide's, unless they cannot work for it."""
        if str(GROUP_SIZE) in self.options and not group_size_fits(model):
            return (*self.options, "--group-size-fallback", "adjust")
        return self.options

    def arguments(self, model: Path, output: Path, settings: tuple[str, ...]) -> tuple[str, ...]:
        """Return the whole command line behind the interpreter."""
        if self.module.startswith("optimum."):
            return ("-m", self.module, "export", "openvino", "--model", str(model), *settings, str(output))
        scratch = output / ".cache"
        return (
            "-m",
            self.module,
            "-i",
            str(model),
            "-o",
            str(output),
            *settings[:4],
            "-c",
            str(scratch),
            *settings[4:],
        )


def group_size_fits(model: Facts) -> bool:
    """Say whether every linear layer's input width is a multiple of the guide's group size.

    Where one is not, NNCF stops; told to adjust, it takes the largest power of two that divides it (from 32 on) for
    that layer alone. SmolLM2-135M is such a model: 576 = 9 * 64.
    """
    return all(width % GROUP_SIZE == 0 for width in model.widths())


def _genai(kind: str, precision: str, provider: str, size: float, memory: float, *extra: str) -> Exporter:
    return Exporter(
        kind=kind,
        module=_GENAI,
        options=("-p", precision, "-e", provider, *extra),
        files=GENAI_FILES,
        size=size,
        memory=memory,
    )


def _openvino(kind: str, weights: str, size: float, memory: float, *extra: str) -> Exporter:
    task = ("--task", "text-generation-with-past", "--weight-format", weights)
    return Exporter(
        kind=kind,
        module="optimum.commands.optimum_cli",
        options=(*task, *extra, "--trust-remote-code"),
        files=OPENVINO_FILES,
        size=size,
        memory=memory,
        scratch=1.4 if weights == "int4" else 0.0,  # the model is written uncompressed first, then read again
    )


EXPORTERS: Mapping[str, Exporter] = {
    exporter.kind: exporter
    for exporter in (
        _genai("cpu-fp32", "fp32", "cpu", 1.3, 1.7),
        _genai("cpu-int4", "int4", "cpu", 0.5, 6.5),
        _genai("dml-fp16", "fp16", "dml", 0.7, 1.2),
        # With the embedding shared between both ends, DirectML's graph capture refuses the model.
        _genai("dml-int4", "int4", "dml", 0.5, 4.0, "--extra_options", "shared_embeddings=false"),
        _genai("cuda-fp16", "fp16", "cuda", 0.7, 1.2),
        _genai("cuda-int4", "int4", "cuda", 0.5, 6.5),
        _genai("webgpu-fp16", "fp16", "webgpu", 0.7, 1.2),
        # In float32 between the quantised layers: adapters without f16 run it, too.
        _genai("webgpu-int4", "int4", "webgpu", 0.5, 6.5, "--extra_options", "use_webgpu_fp32=true"),
        _genai(
            "webgpu-int4-graph",
            "int4",
            "webgpu",
            0.5,
            6.5,
            "--extra_options",
            "use_webgpu_fp32=true",
            "enable_webgpu_graph=true",
        ),
        _openvino("openvino-fp16", "fp16", 0.7, 2.5),
        _openvino("openvino-int4", "int4", 0.5, 3.0, "--group-size", str(GROUP_SIZE), "--ratio", "0.6", "--sym"),
        # OpenVINO's settings for NPUs: symmetric, every layer in int4; one scale per group or (above 1 billion
        # parameters) per channel.
        _openvino("openvino-npu-int4", "int4", 0.5, 3.0, "--sym", "--ratio", "1.0", "--group-size", str(GROUP_SIZE)),
        _openvino("openvino-npu-int4-channel", "int4", 0.5, 3.0, "--sym", "--ratio", "1.0", "--group-size", "-1"),
    )
}
