"""Engine: the real WebGPU engine of this project with one thing wrong, named by the option `fault`."""

from pathlib import Path

import engine_ort_genai
import engine_ort_genai_webgpu
import worker_webgpu

VERSIONS, LIBRARIES = engine_ort_genai_webgpu.VERSIONS, engine_ort_genai_webgpu.LIBRARIES


def _retried_on_the_cpu(job):
    """What ONNX Runtime's Python does by itself after "EP Error": the same model, on the CPU, without a failure."""
    return OPEN_MODEL({**job, "options": {**job["options"], "provider": "cpu"}})


def _no_plugin():
    """The path of a library of ONNX Runtime that is no plug-in."""
    import onnxruntime

    return str(next(Path(onnxruntime.__file__).parent.glob("capi/*providers_shared*")))


OPEN_MODEL = engine_ort_genai.open_model


def load(job):
    fault = job["options"]["fault"]
    if fault == "retried on the CPU":
        engine_ort_genai.open_model = _retried_on_the_cpu
    elif fault == "no plug-in":
        worker_webgpu.library = _no_plugin
    return engine_ort_genai_webgpu.load(job)
