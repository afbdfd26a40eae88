"""Asks transformers which tensors a model's class needs, without loading any: `python check_loading.py JOB.json`.

The job: `model` (a Hugging Face folder), `trust` (whether its own code may be run), `output` (the file that gets a
sentence on what does not agree, empty where everything does).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import engine_transformers


def main(arguments: list[str]) -> int:
    """Do the job of the file `arguments[0]`."""
    from transformers import AutoModelForCausalLM

    job = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    said = ""
    try:
        _, report = AutoModelForCausalLM.from_pretrained(
            job["model"],
            device_map="meta",
            local_files_only=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            trust_remote_code=bool(job["trust"]),
        )
        engine_transformers.require_complete(report)
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError, OSError, AssertionError) as error:
        said = " ".join(str(error).split()) or type(error).__name__
    Path(job["output"]).write_text(said, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
