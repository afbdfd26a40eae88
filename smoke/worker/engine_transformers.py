"""Engine: transformers in float32 on the CPU, the reference that everything is compared with."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import worker_engine

VERSIONS = ("torch", "transformers", "tokenizers", "numpy")
LIBRARIES = ("libtorch_cpu", "torch_cpu")


class Clock:
    """A streamer for `generate` that notes when tokens arrive, and passes them on."""

    def __init__(self, on_token: Callable[[int], None] | None) -> None:
        self.times: list[float] = []
        self._on_token = on_token

    def put(self, value: Any) -> None:
        """Called with the prompt first, then with each token."""
        self.times.append(time.perf_counter())
        if self._on_token is not None and len(self.times) > 1:
            self._on_token(int(value.reshape(-1)[-1]))

    def end(self) -> None:
        """Called after the last token."""


class TransformersEngine(worker_engine.Engine):
    """A causal language model with the interface of transformers; the OpenVINO engine reuses it."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model = model
        self.tokenizer = tokenizer

    def template(self, message: str) -> str:
        """See Engine. Without a chat template, the message itself, after what the tokenizer puts in front of a text."""
        if getattr(self.tokenizer, "chat_template", None):
            return self.conversation([{"role": "user", "content": message}])
        return self._begin(message) + message

    def _begin(self, text: str) -> str:
        """Return the special tokens that the tokenizer puts in front of a text, written out."""
        whole, plain = (
            [int(i) for i in self.tokenizer(text, add_special_tokens=s)["input_ids"]] for s in (True, False)
        )
        starts = [n for n in range(len(whole) - len(plain) + 1) if whole[n : n + len(plain)] == plain]
        return "".join(self.tokenizer.convert_ids_to_tokens(whole[: starts[0]])) if starts else ""

    def conversation(self, messages: Sequence[Mapping[str, str]]) -> str:
        """See Engine."""
        chat = [dict(message) for message in messages]
        return str(self.tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True))

    def encode(self, text: str) -> list[int]:
        """See Engine."""
        return [int(i) for i in self.tokenizer(text, add_special_tokens=False)["input_ids"]]

    def decode(self, ids: Sequence[int]) -> str:
        """See Engine."""
        # Both clean-ups would change text that other runtimes leave alone.
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def generate(
        self, ids: Sequence[int], limit: int, on_token: Callable[[int], None] | None = None
    ) -> worker_engine.Generation:
        """See Engine."""
        import torch
        from transformers import GenerationConfig

        own = self.model.generation_config
        config = GenerationConfig(
            max_new_tokens=limit,
            num_beams=1,
            **{"do_sample": False, **self.wish},
            eos_token_id=own.eos_token_id,
            pad_token_id=own.pad_token_id if own.pad_token_id is not None else 0,
            bos_token_id=own.bos_token_id,
        )
        # `generate` fills what is unset here from the model's own configuration: a penalty on repetition, sampling.
        self.model.generation_config = GenerationConfig(
            eos_token_id=config.eos_token_id, pad_token_id=config.pad_token_id, bos_token_id=config.bos_token_id
        )
        prompt = torch.tensor([list(ids)])
        clock = Clock(on_token)
        started = time.perf_counter()
        output = self.model.generate(
            prompt, attention_mask=torch.ones_like(prompt), generation_config=config, streamer=clock
        )
        ended = time.perf_counter()
        return worker_engine.Generation(output[0, len(ids) :].tolist(), clock.times[1] - started, ended - started)

    def pieces(self, ids: Sequence[int], sizes: Sequence[int]) -> Iterator[Any]:
        """See Engine."""
        import torch

        past = None
        with torch.no_grad():
            for start, end in worker_engine.bounds(sizes):
                out = self.model(
                    input_ids=torch.tensor([list(ids[start:end])]),
                    attention_mask=torch.ones((1, end), dtype=torch.int64),
                    past_key_values=past,
                    use_cache=True,
                )
                past = out.past_key_values
                yield out.logits[0].float().numpy()

    def end_ids(self) -> list[int]:
        """See Engine."""
        known = self.model.generation_config.eos_token_id
        return [] if known is None else [int(i) for i in (known if isinstance(known, (list, tuple)) else [known])]

    def added_tokens(self) -> dict[str, int]:
        """See Engine."""
        return {str(text): int(token) for text, token in self.tokenizer.get_added_vocab().items()}

    def device(self) -> dict[str, str]:
        """See Engine."""
        device = str(self.model.device)
        return {"name": device.upper(), "description": "", "evidence": "the device of the model's parameters"}

    def settings(self) -> dict[str, str]:
        """See Engine."""
        import torch

        return {"dtype": str(self.model.dtype), "threads": str(torch.get_num_threads())}


class Reference(TransformersEngine):
    """The model as transformers has it, in float32."""

    def notes(self) -> list[str]:
        """See Engine."""
        if getattr(self.tokenizer, "chat_template", None):
            return []
        return ["the model has no chat template: the prompts are continued as plain text"]


def require_complete(report: Mapping[str, Any]) -> None:
    """Raise ValueError for tensors that transformers had to invent or left out, by its report on loading."""
    for kind, what in (("missing_keys", "are missing, and would be invented"), ("mismatched_keys", "have other shapes"),
                       ("unexpected_keys", "are not of this architecture, and would be left out")):  # fmt: skip
        names = sorted(str(name) for name in report.get(kind) or ())
        if names:
            raise ValueError(f"Weights and code do not agree: {', '.join(names[:3])} ({len(names)} in all) {what}.")


def load(job: Mapping[str, Any]) -> worker_engine.Engine:
    """Load the Hugging Face folder `job["model"]` in float32."""
    import torch
    from transformers import AutoModelForCausalLM

    worker_engine.require_file(job["model"], "config.json")
    # With more threads, torch spins and collapses on a machine that is busy with anything else.
    torch.set_num_threads(int(worker_engine.options(job).get("threads", 1)))
    model, report = AutoModelForCausalLM.from_pretrained(
        job["model"],
        dtype=torch.float32,
        local_files_only=True,
        output_loading_info=True,
        trust_remote_code=bool(job.get("trust")),
    )
    require_complete(report)
    model.eval()
    return Reference(model, load_tokenizer(job))


def load_tokenizer(job: Mapping[str, Any]) -> Any:
    """Return the tokenizer of the folder `job["model"]`."""
    from transformers import AutoTokenizer

    trust = bool(job.get("trust"))
    return AutoTokenizer.from_pretrained(job["model"], local_files_only=True, trust_remote_code=trust)
