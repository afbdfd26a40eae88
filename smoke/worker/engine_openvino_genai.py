"""Engine: OpenVINO GenAI's LLMPipeline. It shows no logits; single choices after given tokens stand in for them."""

from __future__ import annotations

import ctypes
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import worker_engine
import worker_openvino

VERSIONS = ("openvino-genai", "openvino-tokenizers", "openvino", "numpy")
LIBRARIES = ("openvino", "libopencl", "libze_", "ze_loader")

NOT_A_NUMBER = "isnan(logits"
"""What the sampler stops at where logits are no numbers; asked for no probability, it takes some token all the same."""
LEAST = -1e4
"""What stands for the logarithm of a probability that is none, for JSON."""
_MODEL = "Model: LLM"
_SETTING = re.compile(r"^\s+([A-Z][A-Z_]+): (\S+)\s*$", re.MULTILINE)
_READ_BACK = ("EXECUTION_DEVICES", "INFERENCE_PRECISION_HINT", "KV_CACHE_PRECISION", "DYNAMIC_QUANTIZATION_GROUP_SIZE",
              "PERFORMANCE_HINT", "NUM_STREAMS", "INFERENCE_NUM_THREADS")  # fmt: skip


class OpenvinoGenaiEngine(worker_engine.Engine):
    """An LLMPipeline; `log` is what it printed about its compiled models."""

    scores = False
    counts = False

    def __init__(self, pipeline: Any, log: str, notes: list[str]) -> None:
        self.pipeline = pipeline
        self.tokenizer = pipeline.get_tokenizer()
        self._settings = compiled_settings(log)
        self._notes = notes

    def encode(self, text: str) -> list[int]:
        """See Engine."""
        return [int(i) for i in self.tokenizer.encode(text, add_special_tokens=False).input_ids.data[0]]

    def decode(self, ids: Sequence[int]) -> str:
        """See Engine."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True))

    def conversation(self, messages: Sequence[Mapping[str, str]]) -> str:
        """See Engine."""
        chat = [dict(message) for message in messages]
        return str(self.tokenizer.apply_chat_template(chat, add_generation_prompt=True))

    def generate(
        self, ids: Sequence[int], limit: int, on_token: Callable[[int], None] | None = None
    ) -> worker_engine.Generation:
        """See Engine."""
        started = time.perf_counter()
        result = self._generated(ids, limit, on_token)
        seconds = time.perf_counter() - started
        return worker_engine.Generation(result.tokens[0], result.perf_metrics.get_ttft().mean / 1000, seconds)

    def next_choice(self, ids: Sequence[int]) -> tuple[int, float | None]:
        """See Engine."""
        try:
            result = self._generated(ids, 1, None, logprobs=1)
        except RuntimeError as error:
            if NOT_A_NUMBER not in str(error):
                raise
            return int(self._generated(ids, 1, None).tokens[0][0]), LEAST
        told = float(result.scores[0])
        chance = max(LEAST, told)  # NaN: LEAST, too
        return int(result.tokens[0][0]), chance or None  # pipelines that tell none say 0

    def _generated(self, ids: Sequence[int], limit: int, on_token: Callable[[int], None] | None, **wish: Any) -> Any:
        import numpy as np
        import openvino
        import openvino_genai

        own = self.pipeline.get_generation_config()
        config = openvino_genai.GenerationConfig()
        config.max_new_tokens = limit
        config.do_sample = False
        for name, value in {**self.wish, **wish}.items():
            setattr(config, name, value)
        config.eos_token_id = own.eos_token_id
        config.stop_token_ids = own.stop_token_ids
        prompt = openvino.Tensor(np.array([list(ids)], dtype=np.int64))
        streamer = {"streamer": _relay(on_token)} if on_token is not None else {}
        return self.pipeline.generate(prompt, config, **streamer)

    def device(self) -> dict[str, str]:
        """See Engine."""
        name = self._settings.get("EXECUTION_DEVICES", "")
        return worker_openvino.describe([n for n in name.split(",") if n], "EXECUTION_DEVICES that the pipeline logged")

    def settings(self) -> dict[str, str]:
        """See Engine."""
        return {name: value for name, value in self._settings.items() if name in _READ_BACK}

    def notes(self) -> list[str]:
        """See Engine."""
        return list(self._notes)

    def devices(self) -> dict[str, str]:
        """See Engine."""
        return worker_openvino.devices()


def _relay(on_token: Callable[[int], None]) -> Any:
    """Return a streamer that passes tokens on, and ends the answer when `on_token` raises KeyboardInterrupt.

    The pipeline calls it in a thread of its own, out of which no exception may come.
    """
    import openvino_genai

    class Relay(openvino_genai.StreamerBase):  # type: ignore[misc]
        def write(self, token: Any) -> Any:
            try:
                for one in token if isinstance(token, list) else [token]:
                    on_token(int(one))
            except KeyboardInterrupt:
                return openvino_genai.StreamingStatus.STOP
            return openvino_genai.StreamingStatus.RUNNING

        def end(self) -> None:
            """Called after the last token."""

    return Relay()


def compiled_settings(log: str) -> dict[str, str]:
    """Return the properties of the language model out of what a pipeline printed (the tokenizer's come before)."""
    _, found, block = log.rpartition(_MODEL)
    return dict(_SETTING.findall(block)) if found else {}


@contextmanager
def captured_output() -> Iterator[list[str]]:
    """Collect what C++ code prints to standard output meanwhile; the list gets one element at the end."""
    collected: list[str] = []
    sys.stdout.flush()
    kept = os.dup(1)
    with tempfile.TemporaryFile() as stream:
        os.dup2(stream.fileno(), 1)
        try:
            yield collected
        finally:
            _flush_c_streams()
            os.dup2(kept, 1)
            os.close(kept)
            stream.seek(0)
            collected.append(stream.read().decode("utf-8", "replace"))
            print(collected[0], flush=True)


def _flush_c_streams() -> None:
    """Write out what C++ has in its buffers, which are not Python's."""
    runtime = ctypes.CDLL("ucrtbase" if sys.platform == "win32" else None)
    runtime.fflush(None)


def load(job: Mapping[str, Any]) -> worker_engine.Engine:
    """Load the folder `job["model"]` on `job["device"]`. Options as in engine_openvino."""
    # The pipeline has no accessor for its compiled model, but at this level it prints the model's properties.
    os.environ["OPENVINO_LOG_LEVEL"] = "3"
    import openvino_genai

    chosen = worker_engine.options(job)
    device = str(job["device"])
    worker_engine.require_file(job["model"], "openvino_model.xml")
    worker_engine.require_file(job["model"], "openvino_tokenizer.xml")
    worker_openvino.require_device(device)
    config = {str(k): str(v) for k, v in dict(chosen.get("config") or {}).items()}
    notes = worker_openvino.exact(device, config) if chosen.get("exact") else []
    with captured_output() as output:
        pipeline = openvino_genai.LLMPipeline(job["model"], device, **config)
    return OpenvinoGenaiEngine(pipeline, output[0], notes)
