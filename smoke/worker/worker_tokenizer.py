"""Another name for a tokenizer's class: a GenAI knows those by name, and refuses the names that came after it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

CONFIG = "tokenizer_config.json"
SMALL = 200_000_000
"""Bytes above which a file is weights. Those, and graphs, stay where they are: the copy names them there."""


def renamed(folder: Path, place: Path, name: str) -> str:
    """Write into `place` what GenAI reads of the model in `folder`, with `name` as the tokenizer's class.

    Return what was replaced. Beside the class, only the graphs' paths differ: they lead back to `folder`, and so do
    the weights, which GenAI looks for beside a graph.
    """
    place.mkdir(parents=True)
    for path in folder.iterdir():
        if path.is_file() and path.suffix not in (".onnx", ".data") and path.stat().st_size < SMALL:
            shutil.copyfile(path, place / path.name)
    genai = place / "genai_config.json"
    config = json.loads(genai.read_text(encoding="utf-8"))
    back = os.path.relpath(folder, place).replace(os.sep, "/")
    genai.write_text(json.dumps(_leading(config, back), indent=4), encoding="utf-8")
    settings = json.loads((place / CONFIG).read_text(encoding="utf-8"))
    replaced = str(settings.get("tokenizer_class", ""))
    settings["tokenizer_class"] = name
    (place / CONFIG).write_text(json.dumps(settings, indent=2), encoding="utf-8")
    return replaced


def _leading(config: Any, back: str) -> Any:
    """Return a configuration whose graphs' paths lead `back`."""
    if isinstance(config, list):
        return [_leading(value, back) for value in config]
    if not isinstance(config, dict):
        return config
    return {
        key: f"{back}/{value}" if key == "filename" and isinstance(value, str) else _leading(value, back)
        for key, value in config.items()
    }
