"""Every defect that is planted, in which export, and what of the verdict's reason has to name it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from smoke.running.prompts import DEFAULT
from tests.smoke.defects import graphs
from tests.smoke.defects.graphs import changed, rewritten

WHOLE, INT4 = ("cpu-fp32",), ("cpu-int4",)
ANY = (*WHOLE, *INT4)
HEAD = 16
"""Width of a head of tiny-phi3."""


@dataclass(frozen=True)
class Defect:
    """`plant` changes an export's folder; `fault` is one of the engine instead. `weights`: its own twin shows it."""

    name: str
    gate: str
    """A part of the reason that names what found it."""
    plant: Callable | None = None
    fault: str = ""
    exports: tuple[str, ...] = ANY
    weights: bool = False

    @property
    def key(self):
        return "".join(c if c.isalnum() else "-" for c in self.name)


NMSE, WEIGHTS = "NMSE", "weights are not the model's"


def head_zeroed(head):
    mask = np.ones(64, "f4")
    mask[head * HEAD : (head + 1) * HEAD] = 0
    return graphs.times(f"layers.{graphs.LAYER}/attn/GroupQueryAttention", mask)


def layer_skipped(layer):
    return graphs.both(
        graphs.times(f"layers.{layer}/attn/o_proj/MatMul", 0.0),
        graphs.times(f"layers.{layer}/mlp/down_proj/MatMul", 0.0),
    )


UP = f"layers.{graphs.LAYER}.mlp.up_proj.MatMul.weight"

DEFECTS = (
    Defect("a layer is skipped", NMSE, layer_skipped(1)),
    Defect("only a layer's attention is skipped", NMSE, graphs.times("layers.0/attn/o_proj/MatMul", 0.0)),
    Defect("layers are in another order", NMSE, graphs.swap_layers, exports=WHOLE),
    Defect("layers are in another order (int4)", WEIGHTS, graphs.swap_layers, exports=INT4, weights=True),
    Defect("a head of attention is zero", NMSE, head_zeroed(2)),
    Defect("RoPE: half the base", NMSE, graphs.rotary(theta=5000.0)),
    Defect("RoPE: positions divided by two", NMSE, graphs.rotary(positions=lambda p: p / 2)),
    Defect("RoPE: the other direction", NMSE, graphs.rotary(sign=-1.0)),
    Defect("RoPE: wrong from position 200 on", "goes wrong from position 2", graphs.rotary(positions=graphs.late)),
    Defect("epsilon of the norms", NMSE, graphs.attribute("SkipSimplifiedLayerNormalization", "epsilon", 0.3)),
    Defect("another activation", NMSE, graphs.activation("Tanh")),
    Defect("attention's scores are capped", NMSE, graphs.attribute("GroupQueryAttention", "softcap", 1.0)),
    Defect("attention's scale", NMSE, graphs.attribute("GroupQueryAttention", "scale", 0.15)),
    Defect("a window of 256 tokens", "tokens", graphs.attribute("GroupQueryAttention", "local_window_size", 256)),
    Defect("a residual is left out", NMSE, graphs.drop_residual),
    Defect("attention does not see the last token", NMSE, graphs.forget(1), exports=WHOLE),
    Defect("attention does not see the last 16 tokens", NMSE, graphs.forget(16)),
    Defect("a norm's weights are all one", NMSE, changed(lambda w: np.ones_like(w) * 1.5, "layers.1.input_layernorm")),
    Defect("an output is halved", NMSE, graphs.times("layers.0/mlp/down_proj/MatMul", 0.5)),
    Defect("NaN in a weight", "nonsense", changed(graphs.poison, "layers.0.mlp.up_proj"), exports=WHOLE),
    Defect("NaN in a scale", "weights are not", changed(graphs.poison, "layers.0.mlp.down_proj", "scales"),
           exports=INT4, weights=True),
    Defect("two rows of the vocabulary are exchanged (output)", "largest logit error",
           changed(graphs.swap_columns, "lm_head"), exports=WHOLE),
    Defect("two rows of the vocabulary are exchanged (int4 output)", WEIGHTS,
           changed(graphs.swap_rows, "lm_head", "Q4"), exports=INT4, weights=True),
    Defect("a scale twice as large, in one row", WEIGHTS, changed(graphs.double_a_row, UP, "scales"),
           exports=INT4, weights=True),
    Defect("a block is another one", WEIGHTS, changed(graphs.roll_a_block, UP, "Q4"), exports=INT4, weights=True),
    Defect("nibbles are exchanged", WEIGHTS, changed(graphs.swap_nibbles, UP, "Q4"), exports=INT4, weights=True),
    Defect("zero points are off by one", WEIGHTS, changed(graphs.one_too_many, UP, "Q4"), exports=INT4, weights=True),
    Defect("a matrix is scaled by 1.2", WEIGHTS, changed(lambda s: s * np.float32(1.2), UP, "scales"),
           exports=INT4, weights=True),
    Defect("the cache holds another prompt's tokens", NMSE, fault="stale cache"),
    Defect("a token of the prompt is missing in the cache", NMSE, fault="missing token", exports=WHOLE),
    Defect("eight tokens of the prompt are missing in the cache", NMSE, fault="missing tokens"),
    Defect("decoding differs from prefill", "one by one only", fault="decoding"),
    Defect("garbage after 40 tokens", "its own logits", fault="garbage"),
    Defect("an answer of newlines", "its own logits", fault="newlines"),
    Defect("the answer ends early", "no end token", fault="ends early"),
    Defect("another end token", "no end token", graphs.ends_at([3, *range(20, 220)])),
    Defect("another tokenizer", "other ids", rewritten("tokenizer.json", graphs.merge_otherwise)),
    Defect("letters are exchanged in the vocabulary", "ids", rewritten("tokenizer.json", graphs.exchange_letters)),
    Defect("an added token is plain text", "ids", rewritten("tokenizer.json", graphs.plain_added_tokens)),
    Defect("a detokenizer that prints another city", "detokenizer", fault="another city"),
    Defect("the end token is shown as text", "detokenizer", fault="end as text"),
    Defect("a template without its generation prompt", "renders a conversation", fault="no generation prompt"),
    Defect("a template that says bot", "renders a conversation",
           graphs.template(lambda t: t.replace("assistant", "bot"))),
    Defect("the device is another one", "asked for CPU", fault="device"),
)  # fmt: skip

HEALTHY = {
    "one thread": {"overlay": {"model": {"decoder": {"session_options": {"intra_op_num_threads": 1}}}}},
    "two threads": {"overlay": {"model": {"decoder": {"session_options": {"intra_op_num_threads": 2}}}}},
    "no optimisation of the graph": {
        "overlay": {"model": {"decoder": {"session_options": {"graph_optimization_level": "ORT_DISABLE_ALL"}}}}
    },
    "basic optimisation of the graph": {
        "overlay": {"model": {"decoder": {"session_options": {"graph_optimization_level": "ORT_ENABLE_BASIC"}}}}
    },
    "no arena of memory": {"overlay": {"model": {"decoder": {"session_options": {"enable_cpu_mem_arena": False}}}}},
}
"""Options of the runtime with which it has to pass."""

LANGUAGES = (
    "Quelle est la capitale de la France ?",
    "Was ist die Hauptstadt von Österreich?",
    "¿Cuál es la capital de España?",
    "Какая столица России?",
    "日本の首都はどこですか。",
    "Wat is 12 x 12?",
    "😀 ?",
    "def f(x): return",
)
LONG = " ".join(["The ferry leaves at four, and the bakery opens at six."] * 26)
ASKED = {
    "the prompts in another order": (DEFAULT[::-1], 64),
    "prompts in many languages": (LANGUAGES, 24),
    "a prompt of hundreds of tokens": ((LONG, DEFAULT[0]), 24),
    "answers of one token": (DEFAULT, 1),
    "one prompt": (DEFAULT[:1], 64),
}
"""Prompts, and the longest answer, with which it has to pass."""
