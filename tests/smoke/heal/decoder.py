"""A decoder for ONNX Runtime GenAI in miniature: embedding, norms over one residual stream, logits."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx_ir as ir

from tests.smoke.heal.graphs import GraphBuilder

WIDTH = 64
VOCABULARY = 40

TOKENIZERS = '''
"""A stand-in for the tokenizers package: one token for each character."""

class Tokenizer:
    @classmethod
    def from_file(cls, path):
        with open(path) as stream:
            broken = "broken" in stream.read()
        if broken:
            raise Exception("expected value at line 1 column 1")
        return cls()

    def encode(self, text, add_special_tokens=True):
        found = cls = type("Encoding", (), {})()
        found.ids = [0] * add_special_tokens + [ord(c) % 40 for c in text]
        return found

    def get_added_tokens_decoder(self):
        return {0: type("Token", (), {"special": True})()}
'''


def decoder(spike: float, *, weight: type = np.float16) -> ir.Model:
    """Return a graph whose second layer adds `spike` to one element of each row of token 0."""
    g = GraphBuilder(opset=21)
    random = np.random.default_rng(0)
    ids = g.input("input_ids", ("batch_size", "sequence_length"), ir.DataType.INT64)
    g.input("attention_mask", ("batch_size", "total_sequence_length"), ir.DataType.INT64)
    past = g.input("past_key_values.0.key", ("batch_size", 2, "past_sequence_length", "head"))
    spikes = np.zeros((VOCABULARY, WIDTH), np.float16)
    spikes[0, 5] = spike
    embedded = g("Gather", g.constant("embed", random.standard_normal((VOCABULARY, WIDTH)).astype(np.float16)), ids)
    w = g.constant("w", random.uniform(0.5, 2, WIDTH).astype(weight))
    first = g("SimplifiedLayerNormalization", embedded, w, axis=-1, epsilon=1e-5, name="/model/layers.0/norm")
    skip = g.op(
        "SkipSimplifiedLayerNormalization",
        first,
        g("Gather", g.constant("spikes", spikes), ids),
        w,
        domain="com.microsoft",
        outputs=4,
        name="/model/layers.1/norm",
        epsilon=1e-5,
    )
    total = g("Add", skip.outputs[0], g("Mul", skip.outputs[3], g.constant("tenth", np.array(0.1, np.float16))))
    last = g("SimplifiedLayerNormalization", total, w, axis=-1, epsilon=1e-5, name="/model/final_norm")
    head = g.constant("head", random.standard_normal((WIDTH, VOCABULARY)).astype(np.float16))
    logits = g.op("MatMul", last, head, name="/lm_head").outputs[0]
    logits.name = "logits"
    return g.model(logits, g("Identity", past))


def folder(path: Path, spike: float = 20000.0, **options: type) -> Path:
    """Write a model folder, with the weights in a file of their own and a chat template."""
    path.mkdir(parents=True)
    ir.save(decoder(spike, **options), path / "model.onnx", external_data="model.onnx.data", size_threshold_bytes=100)
    config = {"model": {"context_length": 96, "vocab_size": VOCABULARY, "decoder": {"filename": "model.onnx"}}}
    config["model"]["decoder"]["head_size"] = 4  # type: ignore[index]
    (path / "genai_config.json").write_text(json.dumps(config), encoding="utf-8")
    (path / "tokenizer.json").write_text("{}", encoding="utf-8")
    (path / "chat_template.jinja").write_text(
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}", encoding="utf-8"
    )
    return path
