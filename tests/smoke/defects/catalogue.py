"""Every defect that is planted, in which runtimes, and what of the verdict's reason has to name it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from smoke.running.prompts import DEFAULT
from tests.smoke.defects import graphs, intermediate
from tests.smoke.defects.graphs import changed, rewritten

ORT = ("ort-cpu:fp32", "ort-cpu:int4")
OPENVINO = ("openvino:fp16", "openvino:int4")
GENAI = ("openvino-genai:fp16", "openvino-genai:int4")
RUNTIMES = (*ORT, *OPENVINO, *GENAI)
ORT_WHOLE, ORT_INT4 = ORT[:1], ORT[1:]
WHOLE, INT4 = RUNTIMES[::2], RUNTIMES[1::2]
LOGITS = (*ORT, *OPENVINO)
"""Runtimes that show logits."""
SHOWN = (*ORT, *GENAI)
"""Runtimes whose own tokenizer, template engine and answers a user sees: the others share transformers'."""


@dataclass(frozen=True)
class Defect:
    """`plant` and `ir` change an export's folder (of ONNX Runtime, of OpenVINO); `fault` is one of the engine instead.

    `weights`: its own twin shows it.
    """

    name: str
    gate: str
    """A part of the reason that names what found it, or several with | between them: any."""
    plant: Callable | None = None
    ir: Callable | None = None
    fault: str = ""
    runtimes: tuple[str, ...] = RUNTIMES
    weights: bool = False

    @property
    def key(self):
        return "".join(c if c.isalnum() else "-" for c in self.name)

    def planted_in(self, runtime):
        """Say whether it is planted in what a runtime runs."""
        made = self.fault or (self.plant if runtime in ORT else self.ir)
        return runtime in self.runtimes and bool(made)


NMSE, WEIGHTS = "NMSE|choices|parts at token|golden tokens", "weights are not the model's"
ANSWERS = "its own logits|parts at token|golden tokens|asked again"
UP = "layers.{layer}.mlp.up_proj.MatMul.weight"


def layer_skipped(layer):
    return graphs.both(
        graphs.times(f"layers.{layer}/attn/o_proj/MatMul", 0.0),
        graphs.times(f"layers.{layer}/mlp/down_proj/MatMul", 0.0),
    )


def ir_layer_skipped(layer):
    return graphs.both(
        intermediate.times(f"layers.{layer}.self_attn.o_proj", 0.0),
        intermediate.times(f"layers.{layer}.mlp.down_proj", 0.0),
    )


DEFECTS = (
    Defect("a layer is skipped", NMSE, layer_skipped("{layer}"), ir_layer_skipped("{layer}")),
    Defect("only a layer's attention is skipped", NMSE, graphs.times("layers.0/attn/o_proj/MatMul", 0.0),
           intermediate.times("layers.0.self_attn.o_proj", 0.0)),
    Defect("layers are in another order", NMSE, graphs.swap_layers, intermediate.swap_layers, runtimes=WHOLE),
    Defect("layers are in another order (int4)", WEIGHTS, graphs.swap_layers, runtimes=ORT_INT4, weights=True),
    Defect("a head of attention is zero", NMSE, graphs.times("layers.{layer}/attn/GroupQueryAttention",
           graphs.without_head(2)), intermediate.without_head(2, 9), runtimes=(*ORT, "openvino:fp16")),
    Defect("RoPE: half the base", NMSE, graphs.rotary(base=0.5), intermediate.rotary(base=0.5)),
    Defect("RoPE: positions divided by two", NMSE, graphs.rotary(positions=lambda p: p / 2),
           intermediate.rotary(factor=0.5)),
    Defect("RoPE: the other direction", NMSE, graphs.rotary(sign=-1.0), intermediate.rotary(factor=-1.0)),
    Defect("RoPE: wrong from position 200 on", "goes wrong from position", graphs.rotary(positions=graphs.late)),
    Defect("epsilon of the norms", NMSE, graphs.attribute("SkipSimplifiedLayerNormalization", "epsilon", 0.3),
           intermediate.epsilon(0.3)),
    Defect("epsilon of one norm", NMSE, graphs.one_epsilon(0.3), runtimes=ORT_WHOLE),
    Defect("RoPE: interleaved", NMSE, graphs.attribute("GroupQueryAttention", "rotary_interleaved", 1)),
    Defect("another activation", NMSE, graphs.activation("Tanh"), intermediate.activation("Tanh")),
    Defect("attention's scores are capped", NMSE, graphs.attribute("GroupQueryAttention", "softcap", 1.0)),
    Defect("attention's scale", NMSE, graphs.attribute("GroupQueryAttention", "scale", lambda old: 0.6 * old),
           intermediate.scores(0.6)),
    Defect("a window of 256 tokens", "tokens", graphs.attribute("GroupQueryAttention", "local_window_size", 256)),
    Defect("a residual is left out", NMSE, graphs.drop_residual, intermediate.drop_residual),
    Defect("attention does not see the last token", NMSE, graphs.forget(1), runtimes=ORT_WHOLE),
    Defect("attention does not see the last 16 tokens", NMSE, graphs.forget(16)),
    Defect("a norm's weights are all one", NMSE,
           changed(lambda w: np.ones_like(w) * 1.5, "layers.{layer}.input_layernorm")),
    Defect("an output is halved", NMSE, graphs.times("layers.0/mlp/down_proj/MatMul", 0.5),
           intermediate.times("layers.0.mlp.down_proj", 0.5)),
    Defect("NaN in a weight", "nonsense|parts at token", changed(graphs.poison, "layers.0.mlp.up_proj"),
           intermediate.changed("layers.0.mlp.down_proj.weight", intermediate.poison), runtimes=WHOLE),
    Defect("NaN in a scale", WEIGHTS, changed(graphs.poison, "layers.0.mlp.down_proj", "scales"),
           intermediate.changed("layers.0.mlp.down_proj.weight/scale", lambda s: s * np.float16("nan")),
           runtimes=INT4[:2], weights=True),
    Defect("two rows of the vocabulary are exchanged (output)", "largest logit error",
           changed(graphs.swap_columns, "lm_head"), runtimes=ORT_WHOLE),
    Defect("two rows of the vocabulary are exchanged (int4 output)", WEIGHTS,
           changed(graphs.swap_rows, "lm_head", "Q4"), runtimes=ORT_INT4, weights=True),
    Defect("two rows of the vocabulary are exchanged", "NMSE|weights are not the model's",
           None, intermediate.changed("embed_tokens.weight", intermediate.swap_rows), runtimes=OPENVINO, weights=True),
    Defect("a scale twice as large, in one row", WEIGHTS, changed(graphs.double_a_row, UP, "scales"),
           intermediate.scaled(intermediate.double_a_row), runtimes=INT4[:2], weights=True),
    Defect("a block is another one", WEIGHTS, changed(graphs.roll_a_block, UP, "Q4"),
           intermediate.packed(lambda packed: np.roll(packed, 1, axis=1)), runtimes=INT4[:2], weights=True),
    Defect("nibbles are exchanged", WEIGHTS, changed(graphs.swap_nibbles, UP, "Q4"),
           intermediate.packed(graphs.swap_nibbles), runtimes=INT4[:2], weights=True),
    Defect("zero points are off by one", WEIGHTS, changed(graphs.one_too_many, UP, "Q4"),
           intermediate.zero_points, runtimes=INT4[:2], weights=True),
    Defect("a matrix is scaled by 1.2", WEIGHTS, changed(lambda s: s * np.float32(1.2), UP, "scales"),
           intermediate.scaled(lambda s: s * np.float16(1.2)), runtimes=INT4[:2], weights=True),
    Defect("the cache holds another prompt's tokens", NMSE, fault="stale cache", runtimes=LOGITS),
    Defect("a token of the prompt is missing in the cache", NMSE, fault="missing token", runtimes=WHOLE[:2]),
    Defect("eight tokens of the prompt are missing in the cache", NMSE, fault="missing tokens", runtimes=LOGITS),
    Defect("decoding differs from prefill", "one by one only", fault="decoding", runtimes=LOGITS),
    Defect("garbage after 40 tokens", ANSWERS, fault="garbage", runtimes=SHOWN),
    Defect("an answer of newlines", ANSWERS, fault="newlines", runtimes=SHOWN),
    Defect("the answer ends early", "no end token", fault="ends early", runtimes=SHOWN),
    Defect("another end token", "no end token", graphs.ends_at([3, *range(20, 220)])),
    Defect("another tokenizer", "other ids", rewritten("tokenizer.json", graphs.merge_otherwise)),
    Defect("letters are exchanged in the vocabulary", "ids", rewritten("tokenizer.json", graphs.exchange_letters)),
    Defect("an added token is plain text", "ids", rewritten("tokenizer.json", graphs.plain_added_tokens)),
    Defect("a detokenizer that prints another city", "detokenizer", fault="another city", runtimes=SHOWN),
    Defect("the end token is shown as text", "detokenizer", fault="end as text", runtimes=SHOWN),
    Defect("a template without its generation prompt", "renders a conversation", fault="no generation prompt",
           runtimes=SHOWN),
    Defect("a template that says bot", "renders a conversation",
           graphs.template(lambda t: t.replace("assistant", "bot"))),
    Defect("a system message of its own", "renders a conversation", fault="own system message", runtimes=SHOWN),
    Defect("a template that knows the last turn only", "renders a conversation", fault="only the last turn",
           runtimes=SHOWN),
    Defect("a tokenizer that makes letters small", "tokenizer makes|tokenizer and detokenizer", fault="small letters",
           runtimes=SHOWN),
    Defect("a tokenizer that makes spaces one", "tokenizer and detokenizer", fault="spaces lost", runtimes=SHOWN),
    Defect("a detokenizer without emoji", "tokenizer and detokenizer", fault="no emoji", runtimes=SHOWN),
    Defect("the answer lacks its last token", "no end token|parts at token", fault="no last token", runtimes=SHOWN),
    Defect("one token of the answer is another one", ANSWERS, fault="one token in between", runtimes=SHOWN),
    Defect("the first token twice", NMSE, fault="first token twice", runtimes=WHOLE[:2]),
    Defect("a temperature is left in the logits", NMSE, fault="temperature", runtimes=LOGITS),
    Defect("the best token is banned", NMSE, fault="best token banned", runtimes=LOGITS),
    Defect("the device is another one", "asked for CPU", fault="device", runtimes=SHOWN),
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
