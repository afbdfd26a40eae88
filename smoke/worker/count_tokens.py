"""Counts the tokens of prompts in a model's chat template, as the reference does: `python count_tokens.py JOB.json`.

The job: `model` (a Hugging Face folder), `trust` (whether its own code may be run), `messages`, `output` (the file that
gets the list of numbers).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from engine_transformers import TransformersEngine, load_tokenizer


def main(arguments: list[str]) -> int:
    """Do the job of the file `arguments[0]`."""
    job = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    if not job["trust"]:  # a model's own code may want it
        without_torch(sys.modules)
    engine = TransformersEngine(None, load_tokenizer(job))
    counts = [len(engine.encode(engine.template(message))) for message in job["messages"]]
    Path(job["output"]).write_text(json.dumps(counts), encoding="utf-8")
    return 0


def without_torch(modules: dict[str, Any]) -> None:
    """Let transformers find no torch: no tokenizer of its own needs it, and it takes four of six seconds to import."""
    modules["torch"] = None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
