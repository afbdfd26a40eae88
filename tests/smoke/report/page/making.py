"""Reports with everything that a page can show."""

from smoke.parity.distances import PromptDrift
from smoke.parity.dumps import Device
from smoke.parity.gates import FP16, GOLDEN, INT4, checks
from smoke.parity.parity import Difference, LogitMetrics, Metrics
from smoke.parity.speeds import LengthSpeed, Performance
from smoke.parity.verdicts import Verdict
from smoke.report.results import Host, ModelInfo, Report, Result, Timing


def speed(rate=20.0, first=0.05, **changes):
    fields = {
        "load_s": 1.5, "first_token_s": first, "first_token_samples": (first, first * 1.1, first * 0.9),
        "cold_first_token_s": 1.0, "tokens_per_s": rate, "tokens_per_s_samples": (rate, rate * 1.02, rate * 0.98),
        "lengths": (LengthSpeed(prompt_tokens=32, first_token_samples=(first,), tokens_per_s_samples=(rate,)),
                    LengthSpeed(prompt_tokens=256, first_token_samples=(first * 5,)),
                    LengthSpeed(prompt_tokens=4096, error="too long")),
        "peak_memory_bytes": 10**9, "worker_s": 9.0, "worker_cpu_s": 12.0,
    }  # fmt: skip
    return Performance(**(fields | changes))


def logits(kl=1e-6, **changes):
    fields = {
        "positions": 6, "spread": 4.0, "max_abs": 0.1, "mean_abs": 0.01, "nmse": kl, "kl": kl, "kl_max": 2 * kl,
        "top1": 1.0, "top1_margin": 0.0, "top10": 0.99,
        "drift": (PromptDrift(kl=(kl, 2 * kl, 0.0)), PromptDrift(kl=(kl, kl, 3 * kl), parted=(2,))),
    }  # fmt: skip
    return LogitMetrics(**(fields | changes))


def result(name, gate=FP16, verdict=Verdict.PASS, **changes):
    backend, _, variant = name.partition(":")
    metrics = Metrics(
        prefix=(3, 2), golden_tokens=(3, 3), logits=logits(), spread=4.0, perplexity=20.0, perplexity_ratio=1.0001,
        differences=(
            Difference(
                prompt=2, position=2, expected=1, got=2, expected_text=" b", got_text=" c", margin=0.5,
                to_runner_up=True,
            ),
        ),
    )  # fmt: skip
    fields = {
        "backend": backend, "variant": variant, "device": "CPU", "requested_device": "CPU", "verdict": verdict,
        "gate": gate.name, "against": "reference:fp32", "metrics": metrics, "checks": checks(gate, metrics),
        "performance": speed(), "text": ("x y z", "x a c more"),
        "device_details": Device(name="CPU", evidence="a test"), "versions": {"onnxruntime": "1.31.1"},
        "settings": {"threads": "1"}, "log": "logs/x.log",
    }  # fmt: skip
    return Result(**(fields | changes))


def reference(**changes):
    own = Metrics(prefix=(3, 3), golden_tokens=(3, 3), margins=((1.0, 0.5, 2.0), (0.01, 3.0, 0.7)), perplexity=20.0)
    fields = {"metrics": own, "against": "", "checks": (), "text": ("x y z", "x a b"), "called": "transformers"}
    return result("reference:fp32", GOLDEN, **(fields | changes))


def absent(name, device, reason, **changes):
    fields = {
        "verdict": Verdict.SKIPPED, "device": "", "requested_device": device, "reason": reason, "remedy": "Get one.",
        "metrics": Metrics(), "checks": (), "performance": Performance(), "text": (), "device_details": None,
    }  # fmt: skip
    return result(name, **(fields | changes))


def report(*results, **changes):
    fields = {
        "schema": 3, "created": "2026-01-02T03:04:05+00:00", "model": ModelInfo(name="m", label="a model", key="k"),
        "host": Host(system="Linux", machine="x86_64", cpu="CPU", cores=2, memory_bytes=8 << 30, noise=0.04),
        "prompts": ("What?", "Why?"), "max_new_tokens": 3, "passed": not any(r.is_fault for r in results),
        "results": results,
        "timings": (
            Timing(part="model", seconds=1.0, start_s=0.0, spans=((0.0, 1.0),)),
            Timing(part="worker a fp16", seconds=9.0, start_s=1.0, spans=((1.0, 10.0),)),
            Timing(part="judging a fp16", seconds=2.0, start_s=10.0, spans=((10.0, 11.0), (11.5, 12.5)), beside=True),
        ),
        "seconds": 13.0, "repeat": 3, "options": ("--model", "m", "--prompts", "my prompts.txt"),
        "choice": "Use a:fp16: the fastest that passed here, 20.0 tokens/s.",
    }  # fmt: skip
    return Report(**(fields | changes))


WHOLE = report(
    reference(),
    result("a:fp16", called="Runtime A"),
    result("a:int4", INT4, called="Runtime A", performance=speed(90.0, 0.02)),
    result("npu:cpu", verdict=Verdict.FELL_BACK, announced=True, requested_device="NPU"),
    absent("npu:fp16", "NPU", "This machine has no NPU. Not even a small one."),
    absent("npu:int4", "NPU", "This machine has no NPU. Not even a small one."),
    absent("cuda:fp16", "CUDA", "There is no NVIDIA GPU."),
)
