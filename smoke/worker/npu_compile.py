"""Compiles a language model for one NPU with Intel's own compiler, no NPU needed: `python npu_compile.py JOB.json`.

A process of its own, because a compiler can crash. It needs the `openvino` package for Windows, the only one that
carries the compiler, and runs in Wine's Python as well.

The job: `model` (openvino_model.xml), `platform` ("4000"), `prompt` and `response` (tokens), `blob` (file to write, or
""), `output` (JSON file: `compiled`, `message` as the compiler gave it, `seconds`, `blob_bytes`, `version`).
"""

from __future__ import annotations

import io
import json
import sys
import time
from pathlib import Path
from typing import Any


def properties(platform: str, prompt: int, response: int) -> dict[str, str]:
    """Return the NPU plugin's properties: a language model in two parts of static length, for an NPU not present."""
    return {
        "NPU_USE_NPUW": "YES",
        "NPUW_LLM": "YES",
        "NPUW_LLM_BATCH_DIM": "0",
        "NPUW_LLM_SEQ_LEN_DIM": "2",
        "NPUW_LLM_MAX_PROMPT_LEN": str(prompt),
        "NPUW_LLM_MIN_RESPONSE_LEN": str(response),
        "NPUW_DEVICES": "NPU",
        "NPU_PLATFORM": platform,
        "NPU_COMPILER_TYPE": "PLUGIN",
        # Nothing is going to run: without this, the plugin looks for the device that is not there.
        "NPU_CREATE_EXECUTOR": "0",
    }


def attempt(job: dict[str, Any]) -> dict[str, Any]:
    """Compile as the job says; return what to write to its `output`."""
    import openvino

    core = openvino.Core()
    wanted = properties(job["platform"], job["prompt"], job["response"])
    started = time.perf_counter()
    result: dict[str, Any] = {"version": str(openvino.get_version()), "message": "", "blob_bytes": 0}
    try:
        compiled = core.compile_model(job["model"], "NPU", wanted)
        blob = io.BytesIO()
        compiled.export_model(blob)
    except RuntimeError as error:
        return {**result, "compiled": False, "message": str(error), "seconds": time.perf_counter() - started}
    if job["blob"]:
        Path(job["blob"]).write_bytes(blob.getbuffer())
    size = blob.getbuffer().nbytes
    return {**result, "compiled": True, "blob_bytes": size, "seconds": time.perf_counter() - started}


def main(arguments: list[str]) -> int:
    """Do the job of the file `arguments[0]`; return 0 when there is an answer, whatever it is."""
    job = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    Path(job["output"]).write_text(json.dumps(attempt(job)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
