"""Parts of small GGUF files for tests. It runs in the main environment, beside the script that a test writes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def block(
    layer: int, *, hidden: int, query: int, key: int, inner: int, norms: Iterable[str]
) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a layer's tensors by name: attention, MLP, and norms of the hidden width."""
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(norms, (hidden,))
    shapes |= {"attn_q": (query, hidden), "attn_k": (key, hidden), "attn_v": (key, hidden)}
    shapes |= {"attn_output": (hidden, query), "ffn_gate": (inner, hidden), "ffn_up": (inner, hidden)}
    shapes["ffn_down"] = (hidden, inner)
    return {f"blk.{layer}.{name}": shape for name, shape in shapes.items()}


def finish(writer: Any, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Give a GGUFWriter random weights of these shapes and write its file."""
    import numpy as np

    draw = np.random.default_rng(7)
    for name, shape in shapes.items():
        writer.add_tensor(f"{name}.weight", draw.standard_normal(shape).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
