"""Engine: ONNX Runtime GenAI, on the CPU provider or on one that the job names (DirectML, CUDA)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import worker_engine
import worker_tokenizer

VERSIONS = ("onnxruntime-genai", "onnxruntime-genai-directml", "onnxruntime-genai-cuda", "onnxruntime",
            "onnxruntime-directml", "onnxruntime-gpu", "numpy")  # fmt: skip
LIBRARIES = ("onnxruntime", "directml", "d3d12", "dxcore", "dxgi")

# GenAI's own names of devices, as Model.device_type reports them, in the words of the reports.
DEVICES = {"cpu": "CPU", "dml": "DirectML", "directml": "DirectML", "cuda": "CUDA", "webgpu": "WebGPU"}

LEAST = "least length of the key-value cache"
"""Attention over a sliding window refuses a cache that is shorter than the window."""


class OrtGenaiEngine(worker_engine.Engine):
    """A model folder of the GenAI model builder."""

    def __init__(self, model: Any, settings: Mapping[str, str]) -> None:
        import onnxruntime_genai as og

        self.og = og
        self.model = model
        self._least = int(settings.get(LEAST, 0))
        self.tokenizer = og.Tokenizer(model)
        self._settings = dict(settings)

    def encode(self, text: str) -> list[int]:
        """See Engine."""
        return [int(i) for i in self.tokenizer.encode(text)]

    def decode(self, ids: Sequence[int]) -> str:
        """See Engine."""
        rest, text = list(ids), ""
        while rest:
            part = str(self.tokenizer.decode(self._ids(rest)))
            text += part
            if not part.endswith("\ufffd"):
                break
            # GenAI's text ends at the first bytes that are no character: what comes after them is decoded by itself.
            rest = rest[self._tokens_of(rest, part) :]
        return text

    def _tokens_of(self, ids: Sequence[int], text: str) -> int:
        """Return how many of `ids` are enough for `text`, which those after them do not change."""
        low, high = 1, len(ids)
        while low < high:
            middle = (low + high) // 2
            if str(self.tokenizer.decode(self._ids(ids[:middle]))) == text:
                high = middle
            else:
                low = middle + 1
        return low

    def _generator(self, length: int) -> Any:
        params = self.og.GeneratorParams(self.model)
        # min_length above zero suppresses the end token and fakes a divergence; the folder's own settings may have it.
        greedy = {"do_sample": False, "repetition_penalty": 1.0}
        longest = max(length, self._least)
        params.set_search_options(num_beams=1, min_length=0, max_length=longest, **{**greedy, **self.wish})
        return self.og.Generator(self.model, params)

    def conversation(self, messages: Sequence[Mapping[str, str]]) -> str:
        """See Engine."""
        chat = json.dumps([dict(message) for message in messages], ensure_ascii=False)
        return str(self.tokenizer.apply_chat_template(chat, add_generation_prompt=True))

    def generate(
        self, ids: Sequence[int], limit: int, on_token: Callable[[int], None] | None = None
    ) -> worker_engine.Generation:
        """See Engine."""
        tokens: list[int] = []
        first = 0.0
        started = time.perf_counter()
        generator = self._generator(len(ids) + limit)
        for piece in self._pieces(ids):
            generator.append_tokens(self._ids(piece))
        while not generator.is_done() and len(tokens) < limit:
            generator.generate_next_token()
            tokens.append(int(generator.get_next_tokens()[0]))
            first = first or time.perf_counter() - started
            if on_token is not None:
                on_token(tokens[-1])
        return worker_engine.Generation(tokens, first, time.perf_counter() - started)

    def pieces(self, ids: Sequence[int], sizes: Sequence[int]) -> Iterator[Any]:
        """See Engine."""
        import numpy as np

        generator = self._generator(len(ids) + 1)
        for piece in (part for start, end in worker_engine.bounds(sizes) for part in self._pieces(ids[start:end])):
            generator.append_tokens(self._ids(piece))
            yield np.asarray(generator.get_output("logits"))[0].astype(np.float32)

    def _pieces(self, ids: Sequence[int]) -> list[Sequence[int]]:
        """Return a prompt in the pieces that it goes through the model in: one, unless a provider needs more."""
        return [ids]

    @staticmethod
    def _ids(ids: Sequence[int]) -> Any:
        import numpy as np

        return np.array(list(ids), dtype=np.int32)

    def device(self) -> dict[str, str]:
        """See Engine."""
        reported = str(self.model.device_type)
        name = DEVICES.get(reported.lower(), reported)
        return {"name": name, "description": "", "evidence": f"Model.device_type is {reported!r}"}

    def settings(self) -> dict[str, str]:
        """See Engine."""
        return dict(self._settings)


def _check_provider(og: Any, provider: str) -> None:
    if provider == "dml" and not og.is_dml_available():
        raise worker_engine.UnavailableError(
            "This build of ONNX Runtime GenAI has no DirectML support.",
            "Install the pair that `invoke build-dml` makes.",
        )
    if provider == "cuda" and not og.is_cuda_available():
        raise worker_engine.UnavailableError("This build of ONNX Runtime GenAI has no CUDA support.")


def load(job: Mapping[str, Any]) -> worker_engine.Engine:
    """Load the model folder `job["model"]`; options as for `open_model`."""
    return OrtGenaiEngine(*open_model(job))


def open_model(job: Mapping[str, Any]) -> tuple[Any, dict[str, str]]:
    """Return GenAI's model of the folder `job["model"]`, and the settings it was opened with.

    Options: `provider` ("cpu", "dml", "cuda", "webgpu"), `provider_options` (name: value), `overlay` (JSON merged into
    genai_config.json, to turn on profiling for instance), `tokenizer_class` (a name that an older GenAI knows, written
    into a copy of the folder). What genai_config.json itself asks for is cleared first.
    """
    import onnxruntime_genai as og

    chosen = worker_engine.options(job)
    provider = str(chosen.get("provider", "cpu"))
    worker_engine.require_file(job["model"], "genai_config.json")
    with Path(job["model"], "genai_config.json").open(encoding="utf-8") as stream:
        decoder = json.load(stream)["model"]["decoder"]
    shipped = decoder["session_options"].get("provider_options", [])
    _check_provider(og, provider)
    if provider == "cuda":
        import onnxruntime

        onnxruntime.preload_dlls()  # the CUDA libraries of PyPI's packages, which the system's loader does not know
    folder, settings = str(job["model"]), {"provider": provider}
    settings["provider options in genai_config.json"] = json.dumps(shipped)
    window = decoder.get("sliding_window") or {}
    if window.get("layers"):  # where all layers have it, GenAI keeps the whole cache
        settings[LEAST] = str(window.get("window_size", 0))
    if chosen.get("tokenizer_class"):
        place, name = Path(job["output"], "renamed"), str(chosen["tokenizer_class"])
        settings["tokenizer_class"] = f"{name}, in place of {worker_tokenizer.renamed(Path(folder), place, name)}"
        folder = str(place)
    config = og.Config(folder)
    config.clear_providers()
    if provider != "cpu":
        own: Mapping[str, Any] = next((entry[provider] for entry in shipped if provider in entry), {})
        config.append_provider(provider)
        for name, value in {**own, **dict(chosen.get("provider_options") or {})}.items():
            config.set_provider_option(provider, str(name), str(value))
            settings[f"{provider}.{name}"] = str(value)
    if chosen.get("overlay"):
        config.overlay(json.dumps(chosen["overlay"], ensure_ascii=False))  # GenAI reads no \u00eb
    return og.Model(config), settings
