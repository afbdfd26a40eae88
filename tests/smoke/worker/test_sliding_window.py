"""Attention over a sliding window: GenAI's cache is as long as the window, and an answer no longer than was asked."""

from __future__ import annotations

import sys

import numpy as np

from smoke.backends.registry import WORKER

sys.path.insert(0, str(WORKER))
import engine_ort_genai  # the worker's modules lie in no package


class Generator:
    """Refuses a cache that is shorter than the window, and ends at its capacity, as GenAI does."""

    def __init__(self, model, params):
        self.capacity = params.options["max_length"]
        self.length = 0

    def append_tokens(self, ids):
        if self.capacity < 512:
            raise RuntimeError("KV cache capacity must be at least local_window_size")
        self.length += len(ids)

    def is_done(self):
        return self.length >= self.capacity

    def generate_next_token(self):
        self.length += 1

    def get_next_tokens(self):
        return np.array([self.length])


class Params:
    def __init__(self, model):
        self.options = {}

    def set_search_options(self, **options):
        self.options = options


class Og:
    Generator, GeneratorParams, Tokenizer = Generator, Params, staticmethod(lambda model: None)


def engine(monkeypatch, settings):
    monkeypatch.setitem(sys.modules, "onnxruntime_genai", Og)
    return engine_ort_genai.OrtGenaiEngine(None, settings)


def test_a_short_prompt_gets_a_cache_as_long_as_the_window(monkeypatch):
    made = engine(monkeypatch, {engine_ort_genai.LEAST: "512"})
    assert made.generate([1, 2, 3], 4).tokens == [4, 5, 6, 7]
    assert made.generate([1] * 510, 4).tokens == [511, 512, 513, 514]
    assert made._generator(600).capacity == 600


def test_without_a_window_the_cache_is_what_is_needed(monkeypatch):
    assert engine(monkeypatch, {})._generator(7).capacity == 7
