"""Engine: OpenVINO's NPU device, through optimum-intel or GenAI's LLMPipeline; or its pipeline on the CPU.

An NPU runs static shapes only, so OpenVINO's NPU plugin splits a language model in two (NPUW): one for the prompt, one
for the tokens that follow. With `on` = "CPU" it does the same, and the parts run on the CPU: what an NPU would compute
can be checked for agreement where there is none. The plugin reports NPU in that case too; `device` is not fooled.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import engine_openvino
import engine_openvino_genai
import worker_engine
import worker_openvino
from engine_transformers import load_tokenizer

VERSIONS = tuple(dict.fromkeys(engine_openvino.VERSIONS + engine_openvino_genai.VERSIONS))
LIBRARIES = engine_openvino.LIBRARIES

STEP = 64
"""Static lengths are multiples of this many tokens."""
PLATFORM = "4000"
"""Which NPU the parts are shaped for when there is none to ask (Lunar Lake)."""


class NpuEngine(engine_openvino.OpenvinoEngine):
    """A model in the two parts of an NPU; `on` says where they run."""

    def __init__(self, model: Any, tokenizer: Any, *, notes: list[str], on: str, config: Mapping[str, str]) -> None:
        super().__init__(model, tokenizer, notes=notes)
        self.on = on
        self.config = dict(config)

    long_context = False  # shapes are static, as long as the prompts need

    def score(self, ids: Sequence[int], steps: int) -> Iterator[Any]:  # noqa: ARG002 - all of them, see below
        """See Engine. The prompt's part shows its last logits only, so every position goes through the other part.

        On a new request each time: after an answer, NPUW (2026.4.1) takes a prompt of one token for the next token of
        that answer.
        """
        self.model.request = self.compiled.create_infer_request()
        return super().score(ids, len(ids) - 1)

    def device(self) -> dict[str, str]:
        """See Engine."""
        if self.on != "NPU":
            return worker_openvino.describe([self.on], "NPUW_DEVICES, which names where the parts run")
        return super().device()

    def settings(self) -> dict[str, str]:
        """See Engine."""
        return {**super().settings(), **self.config} if self.on == "NPU" else dict(self.config)


def lengths(job: Mapping[str, Any]) -> tuple[int, int]:
    """Return the static lengths of the prompt and of what follows that hold everything the job asks for."""
    prompts = [len(prompt["ids"]) for prompt in job["prompts"]]
    longest = max([prompts[i] + len(prompt["continuation"]) for i, prompt in enumerate(job["prompts"])], default=0)
    total = max(longest, max(prompts) + int(job["max_new_tokens"]), len(job.get("text_ids") or ()))
    prompt = -(-max(prompts) // STEP) * STEP
    return prompt, max(STEP, -(-(total - prompt) // STEP) * STEP)


def properties(prompt: int, response: int, on: str) -> dict[str, str]:
    """Return the plugin's properties for a model that reads `prompt` tokens and writes `response`."""
    found = {
        "NPU_USE_NPUW": "YES",
        "NPUW_LLM": "YES",
        "NPUW_LLM_BATCH_DIM": "0",
        "NPUW_LLM_SEQ_LEN_DIM": "2",
        "NPUW_LLM_MAX_PROMPT_LEN": str(prompt),
        "NPUW_LLM_MIN_RESPONSE_LEN": str(response),
        "NPUW_DEVICES": on,
    }
    # On a CPU that can, the parts would compute in bfloat16 by default, too coarse to compare token by token.
    return found if on == "NPU" else {**found, "NPU_PLATFORM": PLATFORM, "INFERENCE_PRECISION_HINT": "f32"}


def require_npu() -> None:
    """Raise UnavailableError with the runtime's own reason unless OpenVINO finds an NPU."""
    try:
        worker_openvino.require_device("NPU")
    except worker_engine.UnavailableError as absent:
        reason = f"{absent.reason} Asked for one all the same, it says: {_refusal()}"
        remedy = f"{absent.remedy} The pipeline itself can be checked on the CPU: --backend npu:npuw-cpu."
        raise worker_engine.UnavailableError(reason, remedy) from absent


def _refusal() -> str:
    import openvino
    from openvino import opset13

    value = opset13.parameter([1], openvino.Type.f32)
    model = openvino.Model([opset13.relu(value)], [value], "probe")
    try:
        worker_openvino.core().compile_model(model, "NPU", {"NPU_COMPILER_TYPE": "DRIVER"})
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return lines[-1] if lines else "nothing."
    return "nothing; it compiled."


def load(job: Mapping[str, Any]) -> worker_engine.Engine:
    """Load the folder `job["model"]` that optimum-cli exported.

    Options: `route` ("optimum" or "genai"), `on` ("NPU" or "CPU"), `config` (further OpenVINO properties).
    """
    chosen = worker_engine.options(job)
    on = str(chosen.get("on", "NPU"))
    if on == "NPU":
        require_npu()
    extra = {str(k): str(v) for k, v in dict(chosen.get("config") or {}).items()}
    if chosen.get("route") == "genai":
        prompt, response = lengths(job)
        # A choice after given tokens is asked for as a prompt of its own; the documented defaults at least.
        sizes = {"MAX_PROMPT_LEN": max(1024, prompt + response), "MIN_RESPONSE_LEN": max(128, response)}
        engine = engine_openvino_genai.load({**job, "options": {"config": {**sizes, **extra}}})
        engine.long_context = False
        return engine
    worker_engine.require_file(job["model"], "openvino_model.xml")
    return _load(job, on, {**properties(*lengths(job), on), **extra})


def _load(job: Mapping[str, Any], on: str, config: dict[str, str]) -> worker_engine.Engine:
    import torch
    from optimum.intel import OVModelForCausalLM

    torch.set_num_threads(1)
    trust = bool(job.get("trust"))
    model = OVModelForCausalLM.from_pretrained(
        job["model"],
        device="NPU",
        ov_config=dict(config),
        local_files_only=True,
        compile=True,
        trust_remote_code=trust,
    )
    tokenizer = load_tokenizer(job)
    notes = [] if on == "NPU" else [f"the pipeline of an NPU (platform {PLATFORM}), run on the CPU in float32"]
    return NpuEngine(model, tokenizer, notes=notes, on=on, config=config)
