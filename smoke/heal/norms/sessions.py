"""Running a decoder of an ONNX Runtime GenAI folder on the CPU, straight through its own inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
from numpy.typing import NDArray

_NUMPY = {
    "tensor(float16)": np.float16,
    "tensor(float)": np.float32,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
}


class UnusableModelError(Exception):
    """The model cannot be loaded or fed; the message is for people."""


@dataclass(frozen=True, kw_only=True)
class Decoder:
    """What genai_config.json says about a decoder: how its inputs are called and how large a head is."""

    input_ids: str
    attention_mask: str
    position_ids: str
    head_size: int
    context_length: int
    vocabulary: int

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Decoder:
        """Read it from the decoded genai_config.json; names that it leaves out have GenAI's defaults."""
        model = config.get("model", {})
        decoder = model.get("decoder", {})
        names = decoder.get("inputs", {})
        return cls(
            input_ids=names.get("input_ids", "input_ids"),
            attention_mask=names.get("attention_mask", "attention_mask"),
            position_ids=names.get("position_ids", "position_ids"),
            head_size=int(decoder.get("head_size", 0)),
            context_length=int(model.get("context_length", 0)),
            vocabulary=int(model.get("vocab_size", 0)),
        )


def serialize(model: ir.Model) -> bytes:
    """Return a model's graph as bytes; external tensors stay references to their files."""
    content: bytes = ir.to_proto(model).SerializeToString()
    return content


def open_session(model: bytes, folder: Path, *, threads: int, optimize: bool = True) -> ort.InferenceSession:
    """Load a graph on the CPU provider; its external tensors are found in `folder`. Raise UnusableModelError."""
    model, folder = _without_links(model, folder)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(folder))
    if not optimize:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise UnusableModelError(f"ONNX Runtime's CPU provider cannot load the graph: {error}") from error


def _without_links(model: bytes, folder: Path) -> tuple[bytes, Path]:
    """Return a graph and the folder of its data, with the data's own names and place where the names are links.

    ONNX Runtime refuses data that a link leads out of the folder to, as all links of a download cache do.
    """
    if not any(path.is_symlink() for path in folder.iterdir()):
        return model, folder
    graph = onnx.ModelProto.FromString(model)
    places = [entry for tensor in _tensors(graph.graph) for entry in tensor.external_data if entry.key == "location"]
    real = {entry.value: (folder / entry.value).resolve() for entry in places}
    homes = {path.parent for path in real.values()}
    if not homes or homes == {folder.resolve()}:
        return model, folder
    if len(homes) > 1:
        raise UnusableModelError("its data files are links into several folders; a copy of it can be healed (--out)")
    for entry in places:
        entry.value = real[entry.value].name
    content: bytes = graph.SerializeToString()
    return content, homes.pop()


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """Yield the tensors of a graph, and of the graphs inside its operators."""
    yield from graph.initializer
    for attribute in (attribute for node in graph.node for attribute in node.attribute):
        yield from (attribute.t, *attribute.tensors)
        for inner in (attribute.g, *attribute.graphs):
            if inner.node or inner.initializer:
                yield from _tensors(inner)


def feeds(session: ort.InferenceSession, decoder: Decoder, ids: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """Return the inputs for a first pass over `ids`, of shape (batch, tokens), with an empty past."""
    batch, tokens = ids.shape
    known = {
        decoder.input_ids: ids,
        decoder.attention_mask: np.ones((batch, tokens), np.int64),
        decoder.position_ids: np.tile(np.arange(tokens, dtype=np.int64), (batch, 1)),
    }
    given: dict[str, NDArray[Any]] = {}
    for node in session.get_inputs():
        kind = _NUMPY.get(node.type)
        if kind is None:
            raise UnusableModelError(f"its input '{node.name}' has the type {node.type}, which cannot be fed")
        if node.name in known:
            given[node.name] = known[node.name].astype(kind)
        elif "past" in node.name:
            given[node.name] = np.zeros(_empty_past(node.shape, batch, decoder.head_size), kind)
        else:
            raise UnusableModelError(f"its input '{node.name}' is none that a text decoder has")
    return given


def _empty_past(shape: Sequence[int | str | None], batch: int, head_size: int) -> list[int]:
    """Resolve a past's symbolic shape (batch, heads, past length, head size), where the past is empty."""
    if len(shape) != 4 or not isinstance(shape[1], int):
        raise UnusableModelError(f"it keeps its past in a shape that is not known here: {shape}")
    return [batch, shape[1], 0, shape[3] if isinstance(shape[3], int) else head_size]


def run(session: ort.InferenceSession, outputs: Sequence[str], given: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
    """Run a session for the named outputs. Raise UnusableModelError when the runtime refuses."""
    try:
        results: list[NDArray[Any]] = session.run(list(outputs), dict(given))
    except Exception as error:
        raise UnusableModelError(f"ONNX Runtime's CPU provider cannot run it: {error}") from error
    return results
