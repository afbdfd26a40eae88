"""Which cases the suite has: every operator at the sizes of two models, and with values up to near fp16's largest."""

from __future__ import annotations

from operator_cases import Case
from operator_graph import TYPES, Dims

MODELS = {
    "SmolLM2-135M": {"hidden": 576, "inner": 1536, "kv_heads": 3, "group": 3, "size": 64, "words": 49152},
    "Phi-3-mini": {"hidden": 3072, "inner": 8192, "kv_heads": 32, "group": 1, "size": 96, "words": 32064},
}
ROWS = 8
PAST = 24


def _of_model(model: str, dtype: str) -> list[Case]:
    m = MODELS[model]
    hidden, inner = {"rows": ROWS, "width": m["hidden"]}, {"rows": ROWS, "width": m["inner"]}
    # 8 rows of such widths are a multiple of four values, 3 by an odd width are not: other kernels.
    odd = {"rows": 3, "width": m["hidden"] - 1}
    project = {"rows": ROWS, "k": m["hidden"], "n": m["inner"]}
    heads = {"kv_heads": m["kv_heads"], "group": m["group"], "size": m["size"]}
    prefill = {"rows": ROWS, "past": 0, "room": 2 * PAST}
    decode = {"rows": 1, "past": PAST, "room": 2 * PAST}
    rotary = {"rows": ROWS, "heads": m["kv_heads"] * m["group"], "size": m["size"]}
    sizes: list[tuple[str, str, Dims]] = [
        ("Add", "", hidden), ("Add", "odd", odd), ("Mul", "", inner), ("Mul", "odd", odd),
        ("Cast", "", hidden), ("Gather", "", {**hidden, "n": m["words"]}),
        ("MatMul", "up", project), ("MatMul", "down", {"rows": 1, "k": m["inner"], "n": m["hidden"]}),
        ("Gemm", "up", project), ("MatMulNBits", "up", project),
        ("MatMulNBits", "down", {"rows": 1, "k": m["inner"], "n": m["hidden"]}),
        ("MatMulNBits int8", "up", project),
        ("MatMulNBits int8", "down", {"rows": 1, "k": m["inner"], "n": m["hidden"]}),
        ("GatherBlockQuantized", "", {**hidden, "n": m["words"]}), ("Sigmoid", "", inner), ("QuickGelu", "", inner),
        ("Softmax", "", {"rows": m["kv_heads"] * m["group"] * ROWS, "width": ROWS}),
        ("LayerNormalization", "", hidden), ("SimplifiedLayerNormalization", "", hidden),
        ("SkipSimplifiedLayerNormalization", "", hidden), ("RotaryEmbedding", "", rotary),
        ("GroupQueryAttention", "prefill", {**heads, **prefill, "shared": 1}),
        ("GroupQueryAttention", "decode", {**heads, **decode, "shared": 1}),
        ("GroupQueryAttention", "prefill, rotary", {**heads, **prefill, "shared": 1, "rotary": 1}),
        # More new tokens than some kernels take at a time, and tokens after others, as in a conversation.
        ("GroupQueryAttention", "long prefill", {**heads, "rows": 40, "past": 0, "room": 2 * PAST, "shared": 1}),
        ("GroupQueryAttention", "second prefill", {**heads, "rows": ROWS, "past": PAST, "room": 2 * PAST, "shared": 1}),
        # Ways that GenAI does not go: past and present in buffers of their own, with room to spare and without.
        ("GroupQueryAttention", "prefill, separate buffers", {**heads, **prefill}),
        ("GroupQueryAttention", "decode, separate buffers", {**heads, **decode}),
        ("GroupQueryAttention", "decode, growing buffer", {**heads, "rows": 1, "past": PAST}),
    ]  # fmt: skip
    return [Case(family, f"{model} {label}".strip(), dims, dtype) for family, label, dims in sizes]


def _large(dtype: str) -> list[Case]:
    """Return cases with values up to near fp16's largest, 65504; the results stay below it."""
    small = {"rows": ROWS, "width": 576}
    product = {"rows": ROWS, "k": 576, "n": 64}
    large = [
        ("Add", small, 30000.0), ("Mul", small, 60000.0), ("Cast", small, 60000.0), ("MatMul", product, 10000.0),
        ("Gemm", product, 10000.0), ("MatMulNBits", product, 10000.0), ("Softmax", small, 60000.0),
        ("Gather", {**small, "n": 64}, 60000.0), ("RotaryEmbedding", {"rows": ROWS, "heads": 9, "size": 64}, 30000.0),
    ]  # fmt: skip
    norms = ("LayerNormalization", "SimplifiedLayerNormalization", "SkipSimplifiedLayerNormalization")
    cases = [Case(family, "large", dims, dtype, amplitude=amplitude) for family, dims, amplitude in large]
    cases += [Case(norm, "large", small, dtype, amplitude=size) for norm in norms for size in (100.0, 400.0, 30000.0)]
    return cases


def all_cases() -> list[Case]:
    """Return every case of the suite."""
    cases = [case for dtype in TYPES for model in MODELS for case in _of_model(model, dtype)]
    return [*cases, *_large("fp16")]
